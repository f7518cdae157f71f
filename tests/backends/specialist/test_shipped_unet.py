"""The U-Net of the package: its card, what it is worth on scenes it never saw, and that photos are strange to it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from visionrouter.backends.profile import load_profile
from visionrouter.backends.specialist.embedded import FOLDER
from visionrouter.backends.specialist.unet.backend import SceneUNet
from visionrouter.benchmarks.labelled import open_source
from visionrouter.benchmarks.labelled.rendered import RenderedSource, proving_ground
from visionrouter.benchmarks.tuning.evaluate import judge, questions
from visionrouter.benchmarks.tuning.source import SceneSource
from visionrouter.confidence.gate import judge as verdict
from visionrouter.confidence.losses import LOSSES
from visionrouter.schema.decision import Reason
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Task

pytest.importorskip("segmentation_models_pytorch")
PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
LIMITS = load_profile("proving-ground").limits["scene_unet"]
SOURCE = RenderedSource("mixed", proving_ground("mixed"), "test", 128)


@pytest.fixture(scope="module")
def unet() -> SceneUNet:
    torch.set_num_threads(1)
    return SceneUNet()


def test_the_card_says_what_it_is(unet: SceneUNet) -> None:
    card = json.loads((FOLDER / "unet.json").read_text())
    assert card["bytes"] == (FOLDER / "unet.safetensors").stat().st_size < 10_000_000
    assert {"data", "options", "metrics", "limits", "side"} <= set(card)
    names = SceneSource().vocabulary
    assert unet.spec.labels == (*names.stuff, *names.things)


def test_it_answers_scenes_that_it_never_saw(unet: SceneUNet) -> None:
    asked = [q for task in (Task.DEPTH, Task.NORMALS) for q in questions(SOURCE, task, 4, "clean")]
    found = judge(unet, asked)
    assert found["depth d1"] > 0.4
    assert found["normals deg"] < 26


def test_photos_are_strange_to_it_and_it_is_not_vouched_for(unet: SceneUNet) -> None:
    (given,) = unet.predict([Query(Task.DEPTH, load_image(PHOTOS / "chelsea.jpg"))])
    assert given.evidence.signals["familiarity"] > 1
    assert not verdict(given, LIMITS[Task.DEPTH]).accepted
    scene = next(questions(SOURCE, Task.DEPTH, 1, "clean")).query
    (given,) = unet.predict([scene])
    assert given.evidence.signals["familiarity"] < 1


def test_at_home_it_is_vouched_for_where_it_is_surest(unet: SceneUNet) -> None:
    """Calibration scenes that its limits were not chosen on."""
    loss, wrong, vouched = LOSSES[Task.DEPTH], 0, 0
    items = list(open_source("town", "calibration").items(Task.DEPTH, 12, seed=800))
    for item in items:
        (given,) = unet.predict([Query(Task.DEPTH, item.image)])
        if verdict(given, LIMITS[Task.DEPTH]).accepted:
            vouched += 1
            wrong += loss.is_bad(loss.measure(given.payload, item.truth))
    assert vouched >= 1
    assert wrong == 0


def test_its_classes_have_no_limits(unet: SceneUNet) -> None:
    query = next(questions(SOURCE, Task.SEMANTIC, 1, "clean")).query
    assert verdict(unet.predict([query])[0], LIMITS.get(Task.SEMANTIC)).reason is Reason.NO_LIMITS


def test_the_middle_square_decides_what_is_familiar(unet: SceneUNet) -> None:
    """Bars at both sides of a scene change nothing."""
    scene: Image = next(questions(SOURCE, Task.DEPTH, 1, "clean")).query.image
    wide = np.pad(scene.pixels, ((0, 0), (40, 40), (0, 0)))
    for task in (Task.DEPTH, Task.SEMANTIC):
        square, barred = (
            unet.predict([Query(task, image)])[0].evidence.signals["familiarity"]
            for image in (scene, load_image(wide))
        )
        assert barred == pytest.approx(square, rel=1e-3)


def test_a_class_of_the_very_name_is_meant_alone(unet: SceneUNet) -> None:
    """A couch is a chair of a kind, but both are classes here."""
    image = load_image(np.zeros((64, 64, 3), np.uint8))
    palette = (PaletteEntry("chair", (255, 0, 0)), PaletteEntry("couch", (0, 0, 255)))
    (given,) = unet.predict([Query(Task.SEMANTIC, image, palette=palette)])
    assert not [note for note in given.notes if note.startswith("specificity_lost")]
