"""Scenes as training data: labels are the scene's own."""

from __future__ import annotations

import pytest
import torch

from visionrouter.backends.generative.tuning.labelled import TASKS, UNLABELLED
from visionrouter.benchmarks.scenes import HELD_OUT, STUFF, THINGS, render, sample, town
from visionrouter.benchmarks.tuning.source import SceneSource, TownSource, source_of
from visionrouter.schema.task import Task

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


def test_town_scenes_go_under_the_names_of_the_proving_ground() -> None:
    source = TownSource(first_seed=40)
    names = source.vocabulary
    some = source.pictures(0, 6, 32, CPU)
    views = town.render(town.sample(range(40, 46)), 32, 32)
    assert torch.equal(some.rgb, (views.rgb * 255).round().to(torch.uint8))
    for i, k in (views.objects.visible_px > 0).nonzero().tolist():
        theirs = town.CLASSES[int(views.objects.class_id[i, k])]
        mine = int(some.thing[i, k])
        meant = {"ball": "sports ball"}.get(theirs, theirs)
        assert mine == (names.things.index(meant) if meant in names.things else -1)
        assert ((some.region[i] == names.first_object + k) == (views.instance[i] == k + 1)).all()
        colour = int(views.objects.colour[i, k])
        assert colour < 0 or names.colours[int(some.colour[i, k])] == town.COLOUR_NAMES[colour]
    ground = views.instance == 0
    for c, stuff in enumerate(town.STUFF):
        assert (some.region[ground & (views.semantic == c)] == 1 + names.stuff.index(stuff)).all()
    assert not some.answers[:, TASKS.index(Task.POSE)].any()
    assert some.answers[:, TASKS.index(Task.DEPTH)].all()


def test_everywhere_takes_the_town_and_the_worlds_by_turns() -> None:
    source = source_of("everywhere", 7)
    some = source.pictures(3, 5, 32, CPU)
    town_scenes, mixed = (
        TownSource(7).pictures(2, 2, 32, CPU),
        SceneSource("mixed", 7).pictures(1, 3, 32, CPU),
    )
    assert torch.equal(some.rgb[1::2], town_scenes.rgb)
    assert torch.equal(some.rgb[::2], mixed.rgb)
    assert torch.equal(source.pictures(4, 1, 32, CPU).rgb, town_scenes.rgb[:1])
    assert source_of("street", 7) == SceneSource("street", 7)
    assert source_of("town", 7) == TownSource(7)
