from __future__ import annotations

import numpy as np
import pytest

from visionrouter.render import overlay
from visionrouter.render.skeleton import CENTRE, LEFT, RIGHT, side_colour
from visionrouter.schema.payload import Poses

NAMES = ("nose", "left_wrist", "right_wrist", "left_hip", "right_hip")
EDGES = ((1, 3), (2, 4), (3, 4))
POINTS = np.array([[200, 30], [300, 80], [100, 80], [300, 250], [100, 250]], np.float32)


def pose(scores: list[float]) -> Poses:
    box = np.array([[60, 10, 340, 290]], np.float32)
    return Poses(POINTS[None], np.array([scores], np.float32), box, np.array([0.9], np.float32), NAMES, EDGES)


@pytest.mark.parametrize(
    ("names", "colour"),
    [
        (("left_knee", "Left_Hip"), LEFT),
        (("right_eye",), RIGHT),
        (("left_hip", "right_hip"), CENTRE),
        (("nose", "left_eye"), LEFT),
    ],
)
def test_sides(names, colour):
    assert side_colour(*names) == colour


def test_bones_are_on_their_places_in_the_colours_of_their_sides():
    drawn = overlay(pose([1, 1, 1, 1, 1]), np.zeros((300, 400, 3), np.uint8))
    assert tuple(drawn[165, 300]) == LEFT
    assert tuple(drawn[165, 100]) == RIGHT
    assert tuple(drawn[250, 200]) == CENTRE
    assert tuple(drawn[30, 200]) == CENTRE


def test_a_missing_joint_and_its_bones_are_not_drawn():
    black = np.zeros((300, 400, 3), np.uint8)
    drawn = overlay(pose([1, 0, 1, 1, 1]), black)
    assert not drawn[70:240, 285:315].any()
    assert tuple(drawn[250, 300]) == LEFT
    assert tuple(drawn[165, 100]) == RIGHT


def test_joints_outside_the_picture_are_no_trouble():
    black = np.zeros((300, 400, 3), np.uint8)
    far = Poses(
        np.array([[[-1e6, 30], [1e6, 30], [-500, -500], [40, 1e5], [40, -1e5]]], np.float32),
        np.ones((1, 5), np.float32),
        np.array([[-1e6, -1e6, 1e6, 1e6]], np.float32),
        np.ones(1, np.float32),
        NAMES,
        ((0, 1), (3, 4)),
    )
    drawn = overlay(far, black)
    assert tuple(drawn[30, 300]) == LEFT
    assert tuple(drawn[100, 40]) == CENTRE
    assert not drawn[100, 200].any()
