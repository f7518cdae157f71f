"""Poses on a real photo, against the golden outputs of an independent decoder."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.movenet import MoveNet
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Poses
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Target, Task


@pytest.fixture(scope="module")
def movenet() -> MoveNet:
    return MoveNet()


def poses(movenet: MoveNet, query: Query) -> Poses:
    (prediction,) = movenet.predict([query])
    assert isinstance(prediction.payload, Poses)
    return prediction.payload


def test_multipose_gives_the_golden_people(
    movenet: MoveNet, photo: Callable[[str], Image], golden: Callable[[str], Any]
) -> None:
    found = poses(movenet, Query(Task.POSE, photo("astronaut")))
    people = golden("movenet_multipose_astronaut")["people"]
    assert len(found) == len(people) == 1
    expected = np.array(people[0]["keypoints"])
    np.testing.assert_allclose(found.keypoints[0], expected[:, :2], atol=2)
    np.testing.assert_allclose(found.keypoint_scores[0], expected[:, 2], atol=0.02)
    np.testing.assert_allclose(found.boxes[0], people[0]["xyxy"], atol=2)
    assert found.scores[0] == pytest.approx(people[0]["score"], abs=0.02)


def test_lightning_on_a_box_gives_the_golden_joints(
    movenet: MoveNet, photo: Callable[[str], Image], golden: Callable[[str], Any]
) -> None:
    (person,) = golden("movenet_lightning_astronaut")["people"]
    box = np.float32([person["detection"]["xyxy"]])
    found = poses(movenet, Query(Task.POSE, photo("astronaut"), prompts=Prompts(boxes=box)))
    expected = np.array(person["keypoints"])
    trusted = expected[:, 2] >= 0.3
    side = (box[0, 2:] - box[0, :2]).max()
    np.testing.assert_allclose(found.keypoints[0][trusted], expected[trusted, :2], atol=0.02 * side)
    np.testing.assert_array_equal(found.boxes, box)
    assert found.scores[0] == pytest.approx(found.keypoint_scores[0].mean())


def test_the_face_is_where_the_face_is(movenet: MoveNet, photo: Callable[[str], Image]) -> None:
    found = poses(movenet, Query(Task.POSE, photo("astronaut")))
    joint = dict(zip(found.names, found.keypoints[0], strict=True))
    assert joint["left_eye"][0] > joint["nose"][0] > joint["right_eye"][0], (
        "the person's left is the viewer's right"
    )
    assert joint["nose"][1] > joint["left_eye"][1]
    assert joint["left_shoulder"][1] > joint["nose"][1]


def test_every_box_gets_its_own_answer_in_order(movenet: MoveNet, photo: Callable[[str], Image]) -> None:
    boxes = np.float32([[0, 0, 512, 512], [100, 20, 320, 260]])
    both = poses(movenet, Query(Task.POSE, photo("astronaut"), prompts=Prompts(boxes=boxes)))
    second = poses(movenet, Query(Task.POSE, photo("astronaut"), prompts=Prompts(boxes=boxes[1:])))
    np.testing.assert_array_equal(both.keypoints[1], second.keypoints[0])


def test_nobody_in_a_landscape(movenet: MoveNet, photo: Callable[[str], Image]) -> None:
    (prediction,) = movenet.predict([Query(Task.POSE, photo("rocket"))])
    assert len(prediction.payload) == 0
    assert dict(prediction.evidence.signals) == {"count": 0.0}


def test_a_person_asked_for_by_any_of_their_names_is_found(
    movenet: MoveNet, photo: Callable[[str], Image]
) -> None:
    woman = Target("woman", "the woman", number="one")
    (prediction,) = movenet.predict([Query(Task.POSE, photo("astronaut"), targets=(woman,))])
    assert len(prediction.payload) == 1


def test_bones_join_named_joints() -> None:
    assert len(coco.KEYPOINTS) == 17
    assert len(coco.CLASSES) == len(set(coco.CLASSES)) == 80
    names = {(coco.KEYPOINTS[a], coco.KEYPOINTS[b]) for a, b in coco.EDGES}
    assert ("left_elbow", "left_wrist") in names
    assert all(a.split("_")[0] == b.split("_")[0] for a, b in names if "knee" in b or "ankle" in b)


def test_joints_of_a_dog_are_refused(movenet: MoveNet, photo: Callable[[str], Image]) -> None:
    with pytest.raises(UnsupportedTargetError, match=r"movenet has no label for 'dog' .it knows person"):
        movenet.predict([Query(Task.POSE, photo("chelsea"), targets=(Target("dog", "the dog"),))])
