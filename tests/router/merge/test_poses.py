"""People are matched across pose models of different joints, and no joint is put between two limbs."""

import numpy as np
import pytest

from visionrouter.merge.front import merge
from visionrouter.merge.part import Part
from visionrouter.schema.payload import Poses

NAMES = ("nose", "left_hip", "right_hip", "left_knee")
PLACES = np.array([[50, 20], [45, 60], [55, 60], [45, 80]], np.float32)


def person(shift=0.0, names=NAMES, places=PLACES, found=1.0, score=1.0, edges=((0, 1),)):
    points = places[[NAMES.index(n) if n in NAMES else 0 for n in names]] + shift
    box = np.array([[40, 10, 60, 100]], np.float32) + shift
    joints = np.full((1, len(names)), found, np.float32)
    return Poses(points[None].astype(np.float32), joints, box, np.array([score], np.float32), names, edges)


def fuse(*payloads, weights=None):
    return merge([Part(p, w) for p, w in zip(payloads, weights or [1] * len(payloads), strict=True)])


def test_near_joints_are_averaged_by_weight():
    merged = fuse(person(), person(1.0), weights=[1, 3])
    assert len(merged.payload) == 1
    np.testing.assert_allclose(merged.payload.keypoints[0], PLACES + 0.75, atol=1e-4)


def test_joints_are_matched_by_name_and_united():
    other = person(names=("left_knee", "right_hip", "left_hip", "tail"), edges=((0, 3),))
    merged = fuse(person(), other, weights=[2, 1])
    assert merged.payload.names == (*NAMES, "tail")
    assert merged.payload.edges == ((0, 1), (3, 4))
    np.testing.assert_allclose(merged.payload.keypoints[0, :4], PLACES, atol=1e-4)
    assert merged.payload.keypoint_scores == pytest.approx(1), "a name that one lacks is not held against it"


def test_swapped_knees_make_no_knee_between():
    swapped = PLACES.copy()
    swapped[3] = (75, 80)
    merged = fuse(person(), person(places=swapped, found=0.8), weights=[1, 1])
    np.testing.assert_allclose(merged.payload.keypoints[0, 3], PLACES[3], atol=1e-4)
    assert merged.payload.keypoint_scores[0, 3] == pytest.approx(0.5), "one of two vouches for it"


def test_a_joint_that_one_did_not_find_is_the_others():
    blind = person()
    blind.keypoint_scores[0, 0], blind.keypoints[0, 0] = 0, (999, 999)
    merged = fuse(person(), blind)
    np.testing.assert_allclose(merged.payload.keypoints[0, 0], PLACES[0])
    assert merged.payload.keypoint_scores[0, 0] == pytest.approx(0.5)


def test_two_people_stay_two():
    merged = fuse(person(), person(70.0))
    assert len(merged.payload) == 2
    assert merged.payload.scores == pytest.approx([0.5, 0.5])
    assert merged.evidence["agreement"] == pytest.approx(0.5)


def test_people_without_common_joints_are_matched_by_their_boxes():
    merged = fuse(person(names=("nose",), edges=()), person(names=("tail",), edges=()))
    assert len(merged.payload) == 1
    assert set(merged.payload.names) == {"nose", "tail"}
