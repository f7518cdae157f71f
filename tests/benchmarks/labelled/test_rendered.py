import subprocess
import sys
from collections.abc import Sequence
from itertools import islice, pairwise

import numpy as np
import pytest

from visionrouter.benchmarks.labelled import Item
from visionrouter.benchmarks.labelled.picture import LEAST_AREA
from visionrouter.benchmarks.labelled.rendered import (
    EDITION,
    FIRST_SEED,
    SCENES_A_SEED,
    SEEDS,
    TASKS,
    RenderedSource,
    proving_ground,
    town_world,
)
from visionrouter.benchmarks.scenes import render, sample, town
from visionrouter.benchmarks.tuning.evaluate import HELD_OUT_SEED
from visionrouter.instruction import parse
from visionrouter.schema.errors import RequestError
from visionrouter.schema.payload import (
    DepthMap,
    Detections,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
    boxes_of,
)
from visionrouter.schema.request import Request
from visionrouter.schema.task import RelationKind, Task

TOWN = RenderedSource("town", town_world(), size=96)
SCENES = RenderedSource("scenes", proving_ground("mixed"), size=64)
CLASS_OF: dict[Task, type] = {
    Task.DEPTH: DepthMap, Task.NORMALS: NormalMap, Task.DETECT: Detections, Task.POSE: Poses,
    Task.SEMANTIC: Segmentation, Task.INSTANCE: Segmentation, Task.REFERRING: Segmentation,
    Task.PROMPTABLE: Segmentation,
}  # fmt: skip
SCRIPT = """
from visionrouter.benchmarks.labelled.rendered import RenderedSource, town_world
from visionrouter.schema.task import Task
for item in RenderedSource("town", town_world(), size=96).items(Task.REFERRING, 3, conditions=("clean", "snow2")):
    print(item.id, item.image.digest(), item.instruction.text.replace(" ", "_"))
"""


def items(source: RenderedSource, task: Task, count: int, *conditions: str) -> list[Item]:
    return list(source.items(task, count, conditions=conditions or ("clean",)))


def segmentation(payload: Payload) -> Segmentation:
    assert isinstance(payload, Segmentation)
    return payload


@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("source", [TOWN, SCENES], ids=["town", "scenes"])
def test_words_read_back_to_what_was_asked(source: RenderedSource, task: Task) -> None:
    for item in items(source, task, 4):
        assert item.instruction.task is task
        assert parse(item.instruction.text) == item.instruction
        assert type(item.truth) is CLASS_OF[task]
        assert item.id == f"{source.name}/{item.scene.rpartition('/')[2]}/clean/{task}"
        Request(item.image, item.instruction, item.prompts)


def test_another_process_makes_the_same_items() -> None:
    there = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    here = [
        f"{i.id} {i.image.digest()} {i.instruction.text.replace(' ', '_')}"
        for i in items(TOWN, Task.REFERRING, 3, "clean", "snow2")
    ]
    assert there.stdout.splitlines() == here


def test_an_item_does_not_depend_on_what_else_is_asked() -> None:
    together = items(TOWN, Task.INSTANCE, 4, "clean", "fog3", "noise1")
    alone = items(TOWN, Task.INSTANCE, 2, "fog3")
    assert [i.id for i in together[1:6:3]] == [i.id for i in alone]
    for a, b in zip(together[1:6:3], alone, strict=True):
        assert np.array_equal(a.image.pixels, b.image.pixels)
        assert np.array_equal(segmentation(a.truth).masks, segmentation(b.truth).masks)
    assert len({i.id for i in together}) == 12
    assert len({i.scene for i in together}) == 4


def test_damage_changes_the_picture_and_not_the_truth() -> None:
    clean, fog = items(TOWN, Task.DEPTH, 1, "clean", "fog5")
    assert isinstance(clean.truth, DepthMap)
    assert isinstance(fog.truth, DepthMap)
    assert np.array_equal(clean.truth.values, fog.truth.values)
    change = np.abs(clean.image.pixels.astype(int) - fog.image.pixels).mean(-1)
    depth = clean.truth.values
    assert change[np.isfinite(depth) & (depth > 20)].mean() > 1.5 * change[depth < 5].mean()
    expected = {"source": "town", "world": "town", "condition": "fog5", "damage": "fog", "weather": "fog"}
    assert dict(fog.tags) == {**expected, "severity": "5"}
    expected = {"source": "town", "world": "town", "condition": "clean", "damage": "none", "weather": "clear"}
    assert dict(clean.tags) == {**expected, "severity": "0"}


def test_truth_of_depth_and_normals_knows_the_sky() -> None:
    (deep,), (turned,) = items(TOWN, Task.DEPTH, 1), items(TOWN, Task.NORMALS, 1)
    assert isinstance(deep.truth, DepthMap)
    assert isinstance(turned.truth, NormalMap)
    assert deep.truth.unit == "m"
    assert np.array_equal(np.isinf(deep.truth.values), np.isnan(turned.truth.values).all(-1))
    assert 0.1 < np.isinf(deep.truth.values).mean() < 0.9


def test_what_is_asked_of_segments_is_what_is_shown() -> None:
    absent = {"referring": 0, "semantic": 0}
    for item in items(TOWN, Task.REFERRING, 16):
        truth, target = segmentation(item.truth), item.instruction.targets[0]
        assert truth.masks.shape == (1, 96, 96)
        assert truth.labels == (target.noun,)
        absent["referring"] += not truth.masks.any()
        assert {r.kind for r in target.relations} <= {
            RelationKind.LEFTMOST, RelationKind.RIGHTMOST, RelationKind.NEAREST, RelationKind.FARTHEST
        }  # fmt: skip
    for item in items(TOWN, Task.SEMANTIC, 16):
        truth = segmentation(item.truth)
        assert truth.labels == tuple(entry.label for entry in item.instruction.palette)
        assert len(truth.labels) <= 8
        absent["semantic"] += not truth.masks.any((1, 2)).all()
    assert all(0 < count < 15 for count in absent.values()), absent


def test_boxes_hold_what_is_asked_in_a_detectors_words() -> None:
    words: set[str] = set()
    for item in items(TOWN, Task.DETECT, 16):
        assert isinstance(item.truth, Detections)
        asked = {target.noun for target in item.instruction.targets}
        assert set(item.truth.labels) <= asked
        words |= asked
    assert words == {"person", "car", "sports ball"}


def test_a_prompt_is_the_tight_box_of_its_mask() -> None:
    for item in items(TOWN, Task.PROMPTABLE, 8):
        assert np.array_equal(item.prompts.boxes, boxes_of(segmentation(item.truth).masks))
    for item in items(TOWN, Task.INSTANCE, 8):
        assert (segmentation(item.truth).masks.mean((1, 2)) >= LEAST_AREA).all()


def test_poses_have_the_joints_of_their_world() -> None:
    for source, joints in ((TOWN, 7), (SCENES, 17)):
        for item in items(source, Task.POSE, 3):
            assert isinstance(item.truth, Poses)
            assert len(item.truth.names) == joints
            assert (item.truth.keypoint_scores == 1).any(1).all()
            assert set(np.unique(item.truth.keypoint_scores)) <= {0.0, 0.5, 1.0}


def test_splits_and_seeds_never_share_a_scene_nor_a_tuned_one() -> None:
    ranges = [
        range(first + seed * SCENES_A_SEED, first + (seed + 1) * SCENES_A_SEED)
        for first in FIRST_SEED.values()
        for seed in range(SEEDS)
    ]
    ranges.sort(key=lambda r: r.start)
    assert ranges[0].start >= HELD_OUT_SEED
    assert all(a.stop <= b.start for a, b in pairwise(ranges))
    test = RenderedSource("town", town_world(), "test", 96)
    scenes: list[Sequence[str]] = [
        [i.scene for i in islice(source.items(Task.DEPTH, 2, seed=seed), 2)]
        for source in (TOWN, test)
        for seed in (0, SEEDS - 1)
    ]
    assert len({s for some in scenes for s in some}) == 8
    assert test.digest != TOWN.digest


@pytest.mark.parametrize("source", [TOWN, SCENES])
def test_tilted_scenes_are_the_same_seen_otherwise(source: RenderedSource) -> None:
    (item,) = items(source, Task.NORMALS, 1, "clean")
    (tilted,) = items(source, Task.NORMALS, 1, "tilted")
    assert tilted.scene == item.scene + "-tilted"
    assert tilted.tags["condition"] == "tilted"
    assert not np.array_equal(tilted.image.pixels, item.image.pixels)
    (again,) = items(source, Task.NORMALS, 1, "tilted")
    assert np.array_equal(tilted.image.pixels, again.image.pixels)


def test_odd_scenes_are_others() -> None:
    clean, odd = items(SCENES, Task.DEPTH, 1, "clean", "odd")
    assert odd.scene == clean.scene + "-odd"
    assert not np.array_equal(clean.image.pixels, odd.image.pixels)
    assert odd.tags["condition"] == "odd"


def test_mistakes_are_named_before_anything_is_made() -> None:
    with pytest.raises(RequestError, match="town has no labels for classify"):
        TOWN.items(Task.CLASSIFY, 1)
    with pytest.raises(
        RequestError, match=r"condition 'fog9' is not known; choose among clean, tilted, fog1\.\.5"
    ):
        TOWN.items(Task.DEPTH, 1, conditions=("fog9",))
    with pytest.raises(RequestError, match="'odd' is not known"):
        TOWN.items(Task.DEPTH, 1, conditions=("odd",))
    with pytest.raises(RequestError, match="seed is 1000; town has scenes for 0 to 999"):
        TOWN.items(Task.DEPTH, 1, seed=1000)
    with pytest.raises(RequestError, match="given twice"):
        TOWN.items(Task.DEPTH, 1, conditions=("clean", "clean"))


def test_the_look_is_that_of_its_edition() -> None:
    """A change of look or truth must raise EDITION; then these figures are measured anew."""
    assert EDITION == 1
    figures = []
    for views in (
        town.render(town.sample([HELD_OUT_SEED, HELD_OUT_SEED + 1]), 64, 64),
        render(sample("mixed", [HELD_OUT_SEED, HELD_OUT_SEED + 1]), 64, 64),
    ):
        depth = views.depth_m[views.depth_m.isfinite()].clamp_max(100)
        figures += [float(views.rgb.mean()), float(views.rgb.std()), float(depth.mean()) / 10]
    assert figures == pytest.approx(PINNED, abs=2e-3)


PINNED = [0.6471, 0.2308, 1.4923, 0.5913, 0.2269, 0.5427]
