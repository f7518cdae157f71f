"""Batches: a function of seed and step, in the shares asked for, drawings as the labels say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.backends.generative.nano.codes import DEPTH, JOINT_COLOURS
from visionrouter.backends.generative.tuning.bank import Bank, Triplets, apportion
from visionrouter.backends.generative.tuning.config import Shares, Stage, TuningConfig
from visionrouter.backends.generative.tuning.labelled import TASKS, Source
from visionrouter.schema.task import Task

CPU = torch.device("cpu")
STAGE = Stage(size=32, batch=12)


def tokenize(words: list[str]) -> np.ndarray:
    return np.array([[len(text), sum(text.encode())] for text in words], np.int32)


def fill(source: Source, config: TuningConfig) -> Bank:
    return Bank.fill(source, 0, 8, config, tokenize, torch.tensor(JOINT_COLOURS, dtype=torch.uint8), CPU)


@pytest.fixture
def bank(boxes: Source, tiny: TuningConfig) -> Bank:
    return fill(boxes, tiny)


def same(a: Triplets, b: Triplets) -> bool:
    pairs = ((a.pictures, b.pictures), (a.tokens, b.tokens), (a.drawings, b.drawings), (a.weights, b.weights))
    return all(torch.equal(x, y) for x, y in pairs)


def test_a_batch_is_a_function_of_seed_and_step(bank: Bank, boxes: Source, tiny: TuningConfig) -> None:
    assert same(bank.batch(3, STAGE), bank.batch(3, STAGE))
    assert same(bank.batch(3, STAGE), fill(boxes, tiny).batch(3, STAGE))
    assert not same(bank.batch(3, STAGE), bank.batch(4, STAGE))


def test_more_processes_write_the_same(bank: Bank, boxes: Source, tiny: TuningConfig) -> None:
    assert same(fill(boxes, tiny.model_copy(update={"workers": 2})).batch(0, STAGE), bank.batch(0, STAGE))


def test_undamaged_samples_are_picture_and_label(bank: Bank) -> None:
    some = bank.fixed(Task.DEPTH, 8)
    rgb, depth_m = bank.pictures.rgb.float() / 255, bank.pictures.depth_m.float()
    for picture, drawing in zip(some.pictures, some.drawings, strict=True):
        match = [
            (i, flipped)
            for i in range(len(rgb))
            for flipped in (False, True)
            if torch.equal(rgb[i].flip(-1) if flipped else rgb[i], picture)
        ]
        read = DEPTH.decode((drawing * 255).round().byte().permute(1, 2, 0).numpy()).values
        truths = [depth_m[i].flip(-1) if flipped else depth_m[i] for i, flipped in match]
        assert any(np.allclose(read, truth.numpy(), rtol=0.01, atol=0.01) for truth in truths)


def test_unknown_depth_weighs_nothing(bank: Bank) -> None:
    bank.pictures.depth_m[:, :4] = torch.nan
    some = bank.fixed(Task.DEPTH, 4)
    assert (some.weights[:, :, :4] == 0).all()
    assert (some.weights[:, :, 4:] == 1).all()
    assert some.drawings.isfinite().all()


@settings(max_examples=50, deadline=None)
@given(
    shares=st.lists(st.floats(0, 5), min_size=6, max_size=6).filter(lambda s: sum(s) > 0.01),
    batch=st.integers(1, 300),
)
def test_shares_are_kept_within_one_sample(shares: list[float], batch: int) -> None:
    names = ("depth", "normals", "semantic", "referring", "instance", "pose")
    config = TuningConfig(shares=Shares(**dict(zip(names, shares, strict=True))))
    numbers = dict(apportion(config, batch))
    assert sum(numbers.values()) == batch
    for task, share in zip(TASKS, shares, strict=True):
        assert abs(numbers[task] - batch * share / sum(shares)) < 1 + 1e-6
