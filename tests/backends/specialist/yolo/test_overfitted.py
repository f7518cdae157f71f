"""A YOLO of the library's own architecture, narrow, trained on two rendered scenes until it knows them: written as a
user's folder, it finds what is in them; untrained, it does not."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from visionrouter.backends.base import Backend
from visionrouter.backends.generative.tuning.labelled import Labelled
from visionrouter.backends.libraries import require
from visionrouter.backends.registry import create
from visionrouter.backends.specialist.boxes import pairwise_iou
from visionrouter.backends.specialist.sitting import Sitting, fit
from visionrouter.benchmarks.tuning.source import SceneSource
from visionrouter.router import Router
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Detections
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

if find_spec("ultralytics") is None:
    pytest.skip("AGPL: only where somebody installed it", allow_module_level=True)
SCENES = 129, 156
"""Two sheep and a tree; a book and a television: all large enough for a network of so few steps."""
SIDE, STEPS, RATE = 96, 250, 1e-2


@dataclass(frozen=True)
class Scene:
    image: Image
    labels: tuple[str, ...]
    boxes: Any


@dataclass(frozen=True)
class Written:
    scenes: tuple[Scene, ...]
    trained: Path
    untrained: Path

    def backend(self, folder: Path) -> Backend:
        return create("yolo", params={"source": str(folder), "device": "cpu", "side": SIDE})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    from visionrouter.backends.specialist.scene_yolo.training import targets
    from visionrouter.backends.specialist.yolo.convert import write
    from visionrouter.backends.specialist.yolo.network import tasks

    root = tmp_path_factory.mktemp("overfitted")
    source = SceneSource()
    some = Labelled.joined([source.pictures(seed, 1, SIDE, torch.device("cpu")) for seed in SCENES])
    rgb, wanted = some.rgb.float() / 255, targets(some, source.vocabulary)
    present, of_class = wanted["cls"].unique(return_inverse=True)
    names = tuple(source.vocabulary.things[int(c)] for c in present)
    with torch.random.fork_rng(devices=[]), tasks("yolo") as library:
        torch.manual_seed(0)
        config = library.yaml_model_load("yolo11.yaml")
        config |= {"scales": {"t": [0.5, 0.125, 1024]}, "scale": "t", "nc": len(names)}
        network = library.DetectionModel(config, ch=3, nc=len(names), verbose=False)
        network.args = require("ultralytics.cfg", "yolo", "ultralytics").get_cfg()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 0.1  # so that so few steps are enough for its statistics
    write(network, names, root / "untrained")

    def loss_of_step(rng: np.random.Generator, noise: torch.Generator) -> torch.Tensor:
        batch = {"img": rgb, **wanted, "cls": of_class.float()}
        total: torch.Tensor = network.loss(batch, network(rgb))[0].sum()
        return total / len(rgb)

    fit(network, loss_of_step, Sitting(
        folder=root / "sitting", steps=STEPS, pictures=len(rgb), size=SIDE, batch=len(rgb), rate=RATE
    ))  # fmt: skip
    write(network, names, root / "trained")
    scenes = []
    for i, picture in enumerate(some.rgb):
        here = wanted["batch_idx"] == i
        centre, side = (wanted["bboxes"][here].numpy() * SIDE).reshape(-1, 2, 2).transpose(1, 0, 2)
        boxes = np.concatenate([centre - side / 2, centre + side / 2], 1)
        labels = tuple(names[c] for c in of_class[here].flatten().tolist())
        scenes.append(Scene(load_image(picture.permute(1, 2, 0).numpy().copy()), labels, boxes))
    return Written(tuple(scenes), root / "trained", root / "untrained")


def check(found: Any, labels: tuple[str, ...], boxes: Any) -> None:
    """Each thing is found once, under its name and in its place, and nothing else is."""
    assert isinstance(found, Detections)
    assert sorted(found.labels) == sorted(labels)
    for label, box in zip(labels, boxes, strict=True):
        alike = [i for i, name in enumerate(found.labels) if name == label]
        assert (pairwise_iou(box[None], found.boxes[alike]) > 0.7).sum() == 1


def check_all(backend: Backend, scenes: tuple[Scene, ...]) -> None:
    answers = backend.predict([Query(Task.DETECT, scene.image) for scene in scenes])
    for scene, answer in zip(scenes, answers, strict=True):
        check(answer.payload, scene.labels, scene.boxes)


def test_it_finds_what_it_was_trained_on(written: Written) -> None:
    assert sum(len(scene.labels) for scene in written.scenes) == 5
    check_all(written.backend(written.trained), written.scenes)


def test_without_training_the_same_check_fails(written: Written) -> None:
    with pytest.raises(AssertionError):
        check_all(written.backend(written.untrained), written.scenes)


def test_a_router_finds_what_words_name(written: Written) -> None:
    with Router([written.backend(written.trained)]) as router:
        for scene in written.scenes:
            for label in set(scene.labels):
                result = router.run(scene.image, f"find every {label}")
                assert result.sources == ("yolo",)
                meant = [i for i, name in enumerate(scene.labels) if name == label]
                check(result.payload, (label,) * len(meant), scene.boxes[meant])
