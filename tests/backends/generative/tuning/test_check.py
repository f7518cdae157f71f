"""The quality check passes what the writer writes, and finds every defect that is planted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from visionrouter.backends.generative.tuning.check import check, check_source
from visionrouter.backends.generative.tuning.config import Wording
from visionrouter.backends.generative.tuning.instructions import Written, instance_colour
from visionrouter.backends.generative.tuning.labelled import TASKS, Labelled, Vocabulary
from visionrouter.benchmarks.tuning.source import SceneSource
from visionrouter.schema.palette import NAMED_COLOURS
from visionrouter.schema.task import Task

VOCABULARY = Vocabulary(("sky", "floor"), ("person", "car", "orange"), ("red", "blue"), 3)
SIZE = 64
RED_CAR, BLUE_CAR = 3, 4


@pytest.fixture
def picture() -> Labelled:
    """Floor under sky; a red car on the left, a blue one on the right, a person's joints in the middle."""
    region = torch.ones(1, SIZE, SIZE, dtype=torch.uint8)
    region[:, 32:] = 2
    region[:, 20:44, 4:20] = RED_CAR
    region[:, 20:44, 44:60] = BLUE_CAR
    depth = torch.where(region == 1, torch.inf, 8.0).half()
    normals = torch.zeros(1, 3, SIZE, SIZE, dtype=torch.int8)
    normals[:, 2] = 127
    keypoints = torch.zeros(1, 3, 17, 3)
    keypoints[0, 2, :, 0] = 32 + 6 * torch.sin(torch.arange(17.0))
    keypoints[0, 2, :, 1] = torch.linspace(8, 60, 17)
    keypoints[0, 2, :, 2] = 2
    return Labelled(
        rgb=torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8), depth_m=depth, normals=normals, region=region,
        thing=torch.tensor([[1, 1, -1]], dtype=torch.int16), colour=torch.tensor([[0, 1, -1]], dtype=torch.int16),
        keypoints=keypoints, answers=torch.ones(1, len(TASKS), dtype=torch.bool),
    )  # fmt: skip


def painted(
    task: Task, words: str, colours: dict[int, tuple[int, int, int]], mirrored: bool = False
) -> Written:
    table = np.zeros((VOCABULARY.regions, 3), np.uint8)
    for region, colour in colours.items():
        table[region] = colour
    return Written(task, mirrored, words, table)


WHITE, RED, CYAN = (255, 255, 255), NAMED_COLOURS["red"], NAMED_COLOURS["cyan"]
PLACED = {RED_CAR: instance_colour(0.2, 0.5), BLUE_CAR: instance_colour(0.8, 0.5)}
SEMANTIC = "semantic segmentation: sky = cyan, car = red"
SOUND = [
    painted(Task.DEPTH, "depth map", {}),
    painted(Task.NORMALS, "surface normals", {}, mirrored=True),
    painted(Task.POSE, "pose keypoints", {}),
    painted(Task.SEMANTIC, SEMANTIC, {1: CYAN, RED_CAR: RED, BLUE_CAR: RED}),
    painted(Task.SEMANTIC, "paint automobile = red", {RED_CAR: RED, BLUE_CAR: RED}),
    painted(Task.REFERRING, "segment the red car", {RED_CAR: WHITE}),
    painted(Task.REFERRING, "segment the leftmost car", {RED_CAR: WHITE}),
    painted(Task.REFERRING, "segment every car", {RED_CAR: WHITE, BLUE_CAR: WHITE}),
    painted(Task.REFERRING, "segment the orange", {}),
    painted(Task.INSTANCE, "instances of car", PLACED),
]
PLANTED = [
    ("palette", painted(Task.SEMANTIC, "paint sky = red, car = red", {1: RED, RED_CAR: RED, BLUE_CAR: RED})),
    ("palette", painted(Task.SEMANTIC, "paint car = black", {})),
    ("palette", painted(Task.SEMANTIC, "paint car = mauve", {RED_CAR: RED})),
    ("palette", painted(Task.SEMANTIC, "paint car = red, automobile = cyan", {RED_CAR: RED, BLUE_CAR: RED})),
    ("code", painted(Task.SEMANTIC, SEMANTIC, {1: CYAN, RED_CAR: RED})),
    ("code", painted(Task.SEMANTIC, SEMANTIC, {1: CYAN, 2: RED, RED_CAR: RED, BLUE_CAR: RED})),
    ("absent", painted(Task.REFERRING, "segment the person", {RED_CAR: WHITE})),
    ("absent", painted(Task.REFERRING, "segment the violin", {RED_CAR: WHITE})),
    ("absent", painted(Task.INSTANCE, "instances of person", PLACED)),
    ("wrong", painted(Task.REFERRING, "segment the red car", {BLUE_CAR: WHITE})),
    ("wrong", painted(Task.REFERRING, "segment every car", {RED_CAR: WHITE})),
    ("wrong", painted(Task.REFERRING, "segment the sky", {1: WHITE, 2: WHITE})),
    ("wrong", painted(Task.INSTANCE, "instances of car", {RED_CAR: PLACED[RED_CAR]})),
    ("ambiguous", painted(Task.REFERRING, "segment the car", {RED_CAR: WHITE})),
]


def test_what_is_sound_passes(picture: Labelled) -> None:
    report = check(picture, VOCABULARY, [(0, w) for w in SOUND])
    assert report.findings == []
    assert sum(report.instructions.values()) == len(SOUND)


@pytest.mark.parametrize(("kind", "planted"), PLANTED, ids=[f"{k}-{w.words}" for k, w in PLANTED])
def test_planted_defects_are_found(picture: Labelled, kind: str, planted: Written) -> None:
    report = check(picture, VOCABULARY, [*((0, w) for w in SOUND if w.words != planted.words), (0, planted)])
    assert [(f.kind, f.words) for f in report.findings] == [(kind, planted.words)]
    assert f"'{planted.words}'" in report.text()


def test_contradictions_are_found(picture: Labelled) -> None:
    one = painted(Task.REFERRING, "segment the leftmost car", {RED_CAR: WHITE})
    other = painted(Task.REFERRING, "segment the leftmost car", {BLUE_CAR: WHITE})
    assert [f.kind for f in check(picture, VOCABULARY, [(0, one), (0, other)]).findings] == ["contradiction"]
    elsewhere = replace(other, mirrored=True)
    assert not check(picture, VOCABULARY, [(0, one), (0, elsewhere)]).findings


def test_instances_of_one_colour_do_not_come_back(picture: Labelled) -> None:
    region = picture.region.clone()
    region[:, 20:44, 20:44] = RED_CAR
    joined = replace(picture, region=region)
    alike = painted(Task.INSTANCE, "instances of car", {RED_CAR: RED, BLUE_CAR: RED})
    (finding,) = check(joined, VOCABULARY, [(0, alike)]).findings
    assert finding.kind == "code"


def test_labels_that_no_code_holds_are_found(picture: Labelled) -> None:
    bent = replace(picture, normals=picture.normals // 2, depth_m=-picture.depth_m.clamp_max(9))
    found = check(bent, VOCABULARY, [(0, w) for w in SOUND if w.task in (Task.DEPTH, Task.NORMALS)]).findings
    assert {f.task for f in found} == {Task.DEPTH, Task.NORMALS}
    outside = picture.keypoints.clone()
    outside[0, 2, 0, 0] = 3 * SIZE
    (pose,) = check(replace(picture, keypoints=outside), VOCABULARY, [(0, SOUND[2])]).findings
    assert "outside the picture" in pose.detail


@dataclass(frozen=True)
class Street(SceneSource):
    world: str = "street"


def test_what_the_writer_writes_of_scenes_is_sound() -> None:
    torch.set_num_threads(1)
    report = check_source(Street(), 3, size=128, wording=Wording(semantic=6, referring=10, instance=4))
    bad = [f for f in report.findings if not (f.kind == "code" and f.task in (Task.INSTANCE, Task.POSE))]
    assert bad == [], report.text()
    assert report.instructions[Task.REFERRING] == 30
