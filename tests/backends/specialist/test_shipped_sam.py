"""The promptable segmenter of the package: its card, and what it is worth on scenes it never saw."""

import json

import numpy as np
import pytest
import torch

from visionrouter.backends.specialist.embedded import FOLDER
from visionrouter.backends.specialist.sam_tiny.backend import SamTiny
from visionrouter.benchmarks.labelled.rendered import RenderedSource, World, proving_ground, town_world
from visionrouter.benchmarks.tuning.evaluate import judge, questions
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Task

pytest.importorskip("segment_anything")


@pytest.fixture(scope="module")
def sam() -> SamTiny:
    torch.set_num_threads(1)
    return SamTiny()


def test_the_card_says_what_it_is() -> None:
    card = json.loads((FOLDER / "sam_tiny.json").read_text())
    assert card["bytes"] == (FOLDER / "sam_tiny.safetensors").stat().st_size < 12_000_000
    assert {"data", "options", "metrics", "limits", "side"} <= set(card)


@pytest.mark.parametrize(("world", "floor"), [(town_world(), 0.5), (proving_ground("mixed"), 0.5)])
def test_it_masks_boxed_things_that_it_never_saw(sam: SamTiny, world: World, floor: float) -> None:
    """A box drawn full would fit about .6 of them."""
    source = RenderedSource("scenes", world, "test")
    found = judge(sam, list(questions(source, Task.PROMPTABLE, 8, "clean")))
    assert found["prompt IoU"] > floor


def test_a_point_marks_its_thing(sam: SamTiny) -> None:
    source = RenderedSource("town", town_world(), "test")
    overlaps = []
    for question in questions(source, Task.PROMPTABLE, 8, "clean"):
        (truth,) = question.item.truth.masks
        inside = np.argwhere(truth)
        row, column = inside[np.abs(inside - inside.mean(0)).sum(1).argmin()]
        point = Prompts(points=np.float32([[column + 0.5, row + 0.5]]), point_labels=np.uint8([1]))
        (given,) = sam.predict([Query(Task.PROMPTABLE, question.query.image, prompts=point)])
        overlaps.append((given.payload.masks[0] & truth).sum() / (given.payload.masks[0] | truth).sum())
    assert np.mean(overlaps) > 0.3
