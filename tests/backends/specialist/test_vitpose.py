"""Poses of people in boxes, against the library's own processor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_specialists import vitpose

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.backends.registry import create
from visionrouter.backends.specialist import coco
from visionrouter.schema.errors import BackendError, ProfileError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Detections, Poses
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Task

Tiny = Callable[[str], dict[str, Any]]
BOXES = np.array([[5, 5, 60, 50], [20, 0, 90, 60]], np.float32)


@pytest.fixture(scope="module")
def image() -> Image:
    return load_image(np.random.default_rng(3).integers(0, 256, (60, 90, 3), np.uint8))


def test_joints_are_the_processors_counted_from_corners(tiny: Tiny, image: Image) -> None:
    backend: Any = create("vitpose", params=tiny("vitpose"))
    backend.load()
    model = backend._model
    xywh = [np.concatenate([BOXES[:, :2], BOXES[:, 2:] - BOXES[:, :2]], 1).tolist()]
    inputs = model.processor(image.pixels.copy(), boxes=xywh, return_tensors="pt")
    with torch.inference_mode():
        output = model.model(**inputs)
    (people,) = model.processor.post_process_pose_estimation(output, boxes=xywh)
    (got,) = backend.predict([Query(Task.POSE, image, prompts=Prompts(boxes=BOXES))])
    assert isinstance(got.payload, Poses)
    for found, expected in zip(got.payload.keypoints, people, strict=True):
        np.testing.assert_allclose(found, expected["keypoints"].numpy() + 0.5, atol=0.05)
    assert got.payload.names == coco.KEYPOINTS
    assert np.array_equal(got.payload.boxes, BOXES)


def test_boxes_come_from_the_part_that_detects(tiny: Tiny, image: Image) -> None:
    found = Detections(BOXES, np.array([0.9, 0.8], np.float32), ("person", "person"))
    nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())
    for detections, count in ((found, 2), (nobody, 0)):
        detector = FakeBackend(script=Answer(detections))
        backend = create("vitpose", params=tiny("vitpose"), parts={"detector": detector})
        assert not backend.spec.needs_prompts
        (got,) = backend.predict([Query(Task.POSE, image)])
        assert len(got.payload) == count  # type: ignore[arg-type]
        assert ("nothing_found:fake" in got.notes) == (count == 0)


def test_without_boxes_and_detector_it_asks_for_either(tiny: Tiny, image: Image) -> None:
    with pytest.raises(BackendError, match="boxes=, or a part detector"):
        create("vitpose", params=tiny("vitpose")).predict([Query(Task.POSE, image)])
    with pytest.raises(ProfileError, match="must do detect"):
        create("vitpose", parts={"detector": create("movenet")})


def test_a_mixture_of_experts_is_told_which(tmp_path: Path, image: Image) -> None:
    vitpose(tmp_path, experts=3)
    queries = [Query(Task.POSE, image, prompts=Prompts(boxes=BOXES))]
    one, other = (
        create("vitpose", params={"source": str(tmp_path), "device": "cpu", "expert": i}).predict(queries)[0]
        for i in (0, 2)
    )
    assert not np.array_equal(one.payload.keypoints, other.payload.keypoints)  # type: ignore[union-attr]
