"""The detector of the package: its card, its licence, and what it is worth on scenes it never saw."""

import json
from importlib.util import find_spec

import pytest
import torch

from visionrouter.backends.profile import load_profile
from visionrouter.backends.specialist.embedded import FOLDER
from visionrouter.backends.specialist.scene_yolo.backend import SceneYolo
from visionrouter.benchmarks.labelled.rendered import RenderedSource, World, proving_ground, town_world
from visionrouter.benchmarks.tuning.evaluate import judge, questions
from visionrouter.confidence.losses import LOSSES
from visionrouter.router import Router
from visionrouter.schema.task import Task


@pytest.fixture(scope="module")
def yolo() -> SceneYolo:
    if find_spec("ultralytics") is None:  # importing it to see would have it change Pillow
        pytest.skip("AGPL: only where somebody installed it")
    torch.set_num_threads(1)
    return SceneYolo()


def test_the_card_says_what_it_is() -> None:
    card = json.loads((FOLDER / "scene_yolo.json").read_text())
    assert card["bytes"] == (FOLDER / "scene_yolo.safetensors").stat().st_size < 10_000_000
    assert {"data", "options", "metrics", "limits", "side"} <= set(card)


def test_whose_licence_it_has_is_said() -> None:
    """By the backend, the card that people read, and the notice of the package."""
    assert SceneYolo().spec.licence == "AGPL-3.0"
    assert "AGPL-3.0" in (FOLDER / "scene_yolo.md").read_text()


@pytest.mark.parametrize(("world", "floor"), [(town_world(), 0.45), (proving_ground("mixed"), 0.15)])
def test_it_boxes_things_that_it_never_saw(yolo: SceneYolo, world: World, floor: float) -> None:
    source = RenderedSource("scenes", world, "test")
    found = judge(yolo, list(questions(source, Task.DETECT, 16, "clean")))
    assert found["box AP"] > floor


def test_it_marks_the_joints_of_people(yolo: SceneYolo) -> None:
    """All joints in the middle of a person's box would be right for a tenth of them."""
    source = RenderedSource("scenes", proving_ground("mixed"), "test")
    assert judge(yolo, list(questions(source, Task.POSE, 10, "clean")))["pose PCK"] > 0.3


def test_a_router_vouches_for_its_boxes_where_it_is_sure(yolo: SceneYolo) -> None:
    profile = load_profile("proving-ground")
    source = RenderedSource("town", town_world(), "test")
    with Router({"scene_yolo": yolo}, "specialist-only", limits=profile.limits) as router:
        results = [(router.answer(item.request), item) for item in source.items(Task.DETECT, 16)]
    losses = [LOSSES[Task.DETECT].measure(r.payload, i.truth) for r, i in results if r.outcome == "accepted"]
    assert len(losses) > 4
    assert sum(LOSSES[Task.DETECT].is_bad(loss) for loss in losses) <= 1
