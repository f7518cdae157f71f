"""YOLO: what each head's numbers mean, planted; pickles by consent; words for YOLO-World."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_specialists import CLASSES, yolo

from visionrouter.backends.registry import create
from visionrouter.schema.errors import ProfileError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Classification, Detections, Poses, Segmentation
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task

if find_spec("ultralytics") is None:
    pytest.skip("AGPL: only where somebody installed it", allow_module_level=True)
Make = Callable[[str], Any]


@pytest.fixture(scope="module")
def image() -> Image:
    """On a canvas 64 pixels wide it is 32 high, at 0.32 of its size, with nothing filled up."""
    return load_image(np.random.default_rng(3).integers(0, 256, (100, 200, 3), np.uint8))


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    made: dict[str, Any] = {}

    def one(architecture: str) -> Any:
        if architecture not in made:
            folder = tmp_path_factory.mktemp("yolo")
            params = yolo(folder, architecture)
            made[architecture] = create(
                "yolo", params={"source": str(folder), "device": "cpu", **params, "threshold": 0.3}
            )
            made[architecture].load()
        return made[architecture]

    return one


def answering(backend: Any, cells: torch.Tensor, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    """Make the network answer `cells` (numbers of a cell, cells), whatever it sees."""

    def network(batch: torch.Tensor) -> torch.Tensor:
        assert batch.shape[1:] == (3, 32, 64)
        assert 0 <= batch.min() <= batch.max() <= 1
        return cells[None].expand(len(batch), -1, -1)

    fake = SimpleNamespace(stride=torch.tensor([32.0]), end2end=False, **more)
    fake = type("Network", (), {"__call__": lambda _, batch: network(batch), **fake.__dict__})()
    monkeypatch.setattr(backend, "_model", replace(backend._model, model=fake))


def cell(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)[:, None]


def test_detect_gives_boxes_of_the_image(make: Make, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = make("yolo11")
    assert backend.spec.tasks == {Task.DETECT}
    assert backend.spec.labels == CLASSES
    assert backend.spec.licence == "AGPL-3.0"
    answering(
        backend,
        torch.cat([cell(16, 8, 16, 8, 0.1, 0.9, 0.2), cell(48, 16, 8, 8, 0.8, 0.1, 0.1)], 1),
        monkeypatch,
    )
    everything, cars = backend.predict(
        [Query(Task.DETECT, image), Query(Task.DETECT, image, (Target("car", "car"),))]
    )
    assert isinstance(everything.payload, Detections)
    assert everything.payload.labels == ("car", "person")
    np.testing.assert_allclose(
        everything.payload.boxes, [[25, 12.5, 75, 37.5], [137.5, 37.5, 162.5, 62.5]], atol=1e-3
    )
    assert cars.payload.labels == ("car",)


def test_pose_gives_joints_of_the_image(make: Make, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = make("yolo11-pose")
    assert Task.POSE in backend.spec.tasks
    joints = [n for i in range(17) for n in (16 + i, 8, 0.5)]
    answering(backend, cell(16, 8, 16, 8, 0.9, 0.1, 0.1, *joints), monkeypatch, yaml={"kpt_shape": [17, 3]})
    (got,) = backend.predict([Query(Task.POSE, image)])
    assert isinstance(got.payload, Poses)
    np.testing.assert_allclose(got.payload.keypoints[0, :2], [[50, 25], [53.125, 25]], atol=1e-3)
    np.testing.assert_allclose(got.payload.keypoint_scores, 0.5, atol=1e-3)
    assert got.payload.names[0] == "nose"


def test_oriented_boxes_are_tight_upright_ones_with_their_angle_told(
    make: Make, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = make("yolo11-obb")
    answering(backend, cell(32, 16, 16, 8, 0.1, 0.1, 0.9, np.pi / 4), monkeypatch)
    (got,) = backend.predict([Query(Task.DETECT, image)])
    assert isinstance(got.payload, Detections)
    reach = (16 + 8) / 2 / 2**0.5 / 0.32  # half the width of a rectangle turned by 45 degrees
    np.testing.assert_allclose(
        got.payload.boxes, [[100 - reach, 50 - reach, 100 + reach, 50 + reach]], atol=1e-2
    )
    assert got.notes == ("angle:0:45.0",)


def test_segment_gives_masks_inside_its_boxes(make: Make, image: Image) -> None:
    backend = make("yolo11-seg")
    assert backend.spec.tasks == {Task.DETECT, Task.INSTANCE, Task.REFERRING}
    network = backend._model
    low = create(
        "yolo", params={"source": str(backend.origin.source), "side": 64, "threshold": 0.0, "device": "cpu"}
    )
    (got,) = low.predict([Query(Task.INSTANCE, image)])
    (boxes,) = low.predict([Query(Task.DETECT, image)])
    assert network.head == "segment"
    assert isinstance(got.payload, Segmentation)
    assert len(got.payload) == len(boxes.payload) > 0
    for mask, box in zip(got.payload.masks, boxes.payload.boxes, strict=True):
        ys, xs = np.nonzero(mask)
        if len(xs):
            assert box[0] - 1 <= xs.min() <= xs.max() <= box[2] + 1
            assert box[1] - 1 <= ys.min() <= ys.max() <= box[3] + 1


def test_classify_ranks_its_classes(make: Make, image: Image) -> None:
    backend = make("yolo11-cls")
    (got,) = backend.predict([Query(Task.CLASSIFY, image, (Target("dog", "dog"),))])
    assert isinstance(got.payload, Classification)
    assert set(got.payload.labels) == set(CLASSES)
    assert got.payload.scores.sum() == pytest.approx(1, abs=1e-4)
    assert got.notes == ("targets_ignored",)


@pytest.fixture(scope="module")
def pickled(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pickled") / "tiny.pt"
    backend = make("yolo11")
    from visionrouter.backends.specialist.yolo.network import from_safetensors

    folder = Path(backend.origin.source)
    model = from_safetensors(folder, folder / "model.safetensors", "yolo", "cpu", torch.float32).model
    model.names = dict(enumerate(CLASSES))
    torch.save({"model": model, "ema": None}, path)
    return path


def test_a_pickle_is_read_by_consent_alone(pickled: Path, image: Image) -> None:
    with pytest.raises(WeightsError, match=r"pickle, which can run code.*allow_pickle: true"):
        create("yolo", params={"source": str(pickled)}).load()
    backend = create(
        "yolo", params={"source": str(pickled), "allow_pickle": True, "side": 64, "device": "cpu"}
    )
    backend.load()
    assert backend.spec.labels == CLASSES
    with pytest.raises(WeightsError, match="set head: detect"):
        create(
            "yolo", params={"source": str(pickled), "allow_pickle": True, "head": "pose", "device": "cpu"}
        ).load()
    with pytest.raises(ProfileError, match="head"):
        create("yolo", params={"head": "tail"})


def test_a_pickle_of_other_things_is_refused_with_consent_too(tmp_path: Path) -> None:
    path = tmp_path / "harm.pt"
    torch.save({"model": SimpleNamespace(harm=True)}, path)
    with pytest.raises(WeightsError, match="no YOLO checkpoint"):
        create("yolo", params={"source": str(path), "allow_pickle": True, "device": "cpu"}).load()


def test_yolo_world_is_told_in_words(tiny: Callable[[str], dict[str, Any]], image: Image) -> None:
    backend = create("yolo_world", params={**tiny("yolo_world"), "threshold": 0.0})
    assert backend.unavailable() is None
    assert backend.spec.labels is None
    words = (Target("forklift", "forklift"), Target("pallet", "pallet"))
    named, anything = backend.predict([Query(Task.DETECT, image, words), Query(Task.DETECT, image)])
    assert set(named.payload.labels) <= {"forklift", "pallet"}  # type: ignore[union-attr]
    assert set(anything.payload.labels) == {"dog"}  # type: ignore[union-attr]
