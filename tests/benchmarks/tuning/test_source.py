"""Scenes as training data: labels are the scene's own."""

from __future__ import annotations

import pytest
import torch

from visionrouter.backends.generative.tuning.labelled import UNLABELLED
from visionrouter.benchmarks.scenes import HELD_OUT, STUFF, THINGS, render, sample
from visionrouter.benchmarks.tuning.source import SceneSource

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_pictures_are_the_scenes_of_their_seeds() -> None:
    source = SceneSource("street", first_seed=40)
    both, second = source.pictures(2, 2, 32, CPU), source.pictures(3, 1, 32, CPU)
    assert torch.equal(both.rgb[1:], second.rgb)
    assert torch.equal(both.region[1:], second.region)
    views = render(sample("street", [42, 43]), 32, 32)
    assert torch.equal(both.rgb, (views.rgb * 255).round().to(torch.uint8))
    assert (both.depth_m.isinf() == views.depth_m.isinf()).all()
    names = source.vocabulary
    objects = both.region >= names.first_object
    assert torch.equal(objects, views.instance > 0)
    assert torch.equal(both.region[objects].long() - names.first_object, views.instance[objects].long() - 1)
    stuff = views.semantic[~objects].long()
    assert torch.equal(both.region[~objects][stuff < len(STUFF)].long(), 1 + stuff[stuff < len(STUFF)])
    assert both.answers.all()


def test_held_out_classes_have_no_name() -> None:
    source = SceneSource("landscape", ood=True)
    assert not set(source.vocabulary.things) & set(HELD_OUT)
    views = render(sample("landscape", range(6), ood=True), 16, 16)
    held_out = views.objects.class_id >= len(STUFF) + len(THINGS) - len(HELD_OUT)
    assert held_out.any()
    assert (source.pictures(0, 6, 16, CPU).thing[held_out] == -1).all()
    assert UNLABELLED == 0
