from __future__ import annotations

import numpy as np
import pytest

from visionrouter.render import overlay
from visionrouter.render.depth import HATCH
from visionrouter.render.normals import ball, normal_colours
from visionrouter.schema.payload import NormalMap


@pytest.mark.parametrize(
    ("normal", "rgb"),
    [
        ((-1, 0, 0), (255, 128, 128)),
        ((1, 0, 0), (0, 128, 128)),
        ((0, 1, 0), (128, 255, 128)),
        ((0, -1, 0), (128, 0, 128)),
        ((0, 0, 1), (128, 128, 255)),
    ],
)
def test_the_code(normal, rgb):
    assert tuple(normal_colours(np.array(normal, np.float32))) == rgb


def test_the_ball_faces_where_it_says():
    colours, cover = ball(101)
    assert colours[50, 50].tolist() == pytest.approx((128, 128, 255), abs=2)
    assert colours[50, 2, 0] > 240, "left is pinkish red"
    assert colours[2, 50, 1] > 240, "up is greenish"
    assert cover[50, 50] == 255
    assert cover[0, 0] == 0


def test_the_picture_is_the_map_with_a_legend_and_hatched_gaps():
    values = np.zeros((300, 400, 3), np.float32)
    values[..., 2] = 1
    values[:100, :100] = np.nan
    drawn = overlay(NormalMap(values), np.zeros((300, 400, 3), np.uint8))
    assert {tuple(c) for c in drawn[:100, :100].reshape(-1, 3)} == set(HATCH)
    assert (drawn[120:180, :200] == (128, 128, 255)).all()
    assert (drawn[150:, 250:] != (128, 128, 255)).any(-1).sum() > 2000
