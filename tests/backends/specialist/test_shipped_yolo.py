"""The detector of the package, where its library is installed: its card, and that it finds things it never saw."""

import json
from importlib.util import find_spec

import pytest
import torch

from visionrouter.backends.profile import load_profile
from visionrouter.backends.specialist.embedded import FOLDER
from visionrouter.backends.specialist.scene_yolo.backend import SceneYolo
from visionrouter.benchmarks.labelled.rendered import RenderedSource, town_world
from visionrouter.benchmarks.tuning.evaluate import judge, questions
from visionrouter.schema.task import Task


def test_the_card_says_what_it_is() -> None:
    card = json.loads((FOLDER / "scene_yolo.json").read_text())
    assert card["bytes"] == (FOLDER / "scene_yolo.safetensors").stat().st_size < 10_000_000
    assert {"data", "options", "metrics", "limits", "side"} <= set(card)
    assert "AGPL-3.0" in card["limits"]


def test_without_its_library_the_profile_still_loads_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = find_spec
    monkeypatch.setattr(
        "visionrouter.backends.base.find_spec", lambda name: None if name == "ultralytics" else found(name)
    )
    detector = load_profile("proving-ground").backends["scene_yolo"]
    assert detector.spec.licence == "AGPL-3.0"
    assert "visionrouter[ultralytics]" in str(detector.unavailable())


@pytest.mark.skipif(
    find_spec("ultralytics") is None, reason="AGPL: only where somebody asked for its library"
)
def test_it_finds_the_towns_things_that_it_never_saw() -> None:
    torch.set_num_threads(1)
    source = RenderedSource("town", town_world(), "test")
    found = judge(SceneYolo(), list(questions(source, Task.DETECT, 12, "clean")))
    assert found["box AP"] > 0.1
