"""A mirror seen in a mirror is what it was, and left is right in it."""

import numpy as np
import pytest

from visionrouter.backends.fake import plausible
from visionrouter.confidence.probes.mirror import mirrored_payload, mirrored_query
from visionrouter.instruction import parse
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import Poses
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import RelationKind, Task

IMAGE = load_image(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8))
TASKS = sorted(set(Task) - {Task.COMPOSITE})


def query(task, words=None):
    prompts = Prompts(
        np.array([[2, 3, 12, 20]], np.float32), np.array([[5, 6]], np.float32), np.ones(1, np.uint8)
    )
    targets = () if words is None else parse(words).targets
    return Query(task, IMAGE, targets, prompts=prompts)


@pytest.mark.parametrize("task", TASKS)
def test_twice_is_once(task):
    asked = query(task)
    again = mirrored_query(mirrored_query(asked))
    assert np.array_equal(again.image.pixels, IMAGE.pixels)
    assert np.array_equal(again.prompts.boxes, asked.prompts.boxes)
    assert np.array_equal(again.prompts.points, asked.prompts.points)
    payload = plausible(asked)
    assert mirrored_payload(mirrored_payload(payload, 40), 40) == payload


def test_places_and_words_change_sides():
    turned = mirrored_query(query(Task.REFERRING, "segment the leftmost dog"))
    assert turned.targets[0].relations[0].kind is RelationKind.RIGHTMOST
    assert turned.prompts.boxes.tolist() == [[28, 3, 38, 20]]
    assert turned.prompts.points.tolist() == [[35, 6]]
    anchored = mirrored_query(query(Task.REFERRING, "segment the dog left of the cat"))
    assert anchored.targets[0].relations[0].kind is RelationKind.RIGHT_OF


def test_a_left_hand_is_a_right_hand_in_the_mirror():
    places = np.array([[[10, 5], [30, 5], [20, 2]]], np.float32)
    scores = np.array([[0.9, 0.4, 0.7]], np.float32)
    box = np.array([[10, 2, 30, 5]], np.float32)
    poses = Poses(places, scores, box, np.ones(1, np.float32), ("left_hand", "right_hand", "nose"))
    turned = mirrored_payload(poses, 40)
    assert turned.keypoints[0].tolist() == [[10, 5], [30, 5], [20, 2]]
    assert turned.keypoint_scores[0].tolist() == pytest.approx([0.4, 0.9, 0.7])


def test_normals_turn_with_the_picture():
    payload = plausible(query(Task.NORMALS))
    payload.values[:, :10] = (1, 0, 0)
    turned = mirrored_payload(payload, 40)
    assert turned.values[0, -1].tolist() == [-1, 0, 0]


def test_every_intrinsic_turns_with_the_picture():
    payload = plausible(query(Task.INTRINSICS))
    payload.shading[:, :10] = 3
    turned = mirrored_payload(payload, 40)
    assert tuple(turned.maps) == tuple(payload.maps)
    assert (turned.shading[:, -10:] == 3).all()
