"""From joints to strokes."""

import numpy as np
import pytest

from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.skeleton import Skeleton, skeletons
from visionrouter.backends.specialist.window import Window
from visionrouter.schema.payload import Poses

STANDING = {
    "nose": (100, 40), "left_ear": (108, 40), "right_ear": (92, 40),
    "left_shoulder": (120, 70), "right_shoulder": (80, 70),
    "left_hip": (112, 130), "right_hip": (88, 130),
    "left_knee": (112, 170), "right_knee": (88, 170),
    "left_ankle": (112, 210), "right_ankle": (88, 210),
}  # fmt: skip


def poses(joints: dict[str, tuple[float, float]]) -> Poses:
    """One person with these joints found, the others guessed far away with a low score."""
    points = np.full((1, 17, 2), 9999, np.float32)
    scores = np.full((1, 17), 0.1, np.float32)
    for name, xy in joints.items():
        points[0, coco.KEYPOINTS.index(name)] = xy
        scores[0, coco.KEYPOINTS.index(name)] = 0.8
    return Poses(
        points, scores, np.float32([[0, 0, 200, 240]]), np.float32([0.9]), coco.KEYPOINTS, coco.EDGES
    )


def test_guessed_joints_give_no_strokes() -> None:
    (body,) = skeletons(poses(STANDING))
    assert set(body.joints) == set(STANDING)
    assert ("left_elbow", "left_wrist") not in body.bones
    strokes = body.strokes(Window(0, 0, 200, 240, 200, 240), 0.1)
    assert strokes[150, 112]
    assert strokes[100, 100], "the trunk is filled"
    assert strokes[40, 100], "the head is filled"
    assert not strokes[150, 160]
    assert not strokes[20:30, :60].any()


def test_strokes_scale_with_the_window() -> None:
    (body,) = skeletons(poses(STANDING))
    full = body.strokes(Window(0, 0, 200, 240, 200, 240), 0.2)
    half = body.strokes(Window(0, 0, 200, 240, 100, 120), 0.2)
    assert half.mean() == pytest.approx(full.mean(), rel=0.15)


def test_broader_strokes_hold_narrower_ones() -> None:
    (body,) = skeletons(poses(STANDING))
    window = Window(0, 0, 200, 240, 200, 240)
    narrow, broad = body.strokes(window, 0.08), body.strokes(window, 0.45)
    assert broad[narrow].all()
    assert broad.sum() > 1.5 * narrow.sum()


def test_a_bust_gets_hips_below_its_shoulders() -> None:
    bust = {
        name: xy
        for name, xy in STANDING.items()
        if "hip" not in name and "knee" not in name and "ankle" not in name
    }
    (body,) = skeletons(poses(bust))
    trunk = 1.3 * 40
    np.testing.assert_allclose(body.joints["left_hip"], (120, 70 + trunk), atol=0.5)
    np.testing.assert_allclose(body.joints["right_hip"], (80, 70 + trunk), atol=0.5)


def test_joints_without_a_head_are_left_alone() -> None:
    (body,) = skeletons(poses({"left_shoulder": (120, 70), "right_shoulder": (80, 70)}))
    assert set(body.joints) == {"left_shoulder", "right_shoulder"}


def test_the_trunk_is_measured_by_the_span_least_foreshortened() -> None:
    (body,) = skeletons(poses(STANDING))
    assert body.trunk == pytest.approx(float(np.hypot(8, 60)))
    assert Skeleton({}, ()).trunk == 0


def test_a_box_grows_to_hold_the_joints() -> None:
    (body,) = skeletons(poses(STANDING))
    assert body.widened(np.float32([90, 60, 150, 180])).tolist() == [80, 40, 150, 210]
