from __future__ import annotations

import numpy as np
import pytest

from visionrouter.render import overlay
from visionrouter.render.depth import HATCH
from visionrouter.render.intrinsics import encoded, map_colours
from visionrouter.schema.payload import Intrinsics


def test_light_is_encoded_as_srgb_and_numbers_are_not():
    assert encoded(np.array([0, 0.0021, 0.2140, 1, 2], np.float32)) == pytest.approx(
        [0, 0.0271, 0.5, 1, 1], abs=1e-3
    )
    assert (map_colours(np.full((2, 2, 3), 0.2145, np.float32), 1, 6) == 128).all()
    assert (map_colours(np.full((2, 2), 0.5, np.float32), 1, 6) == 128).all()


def test_light_is_drawn_in_one_unit_whatever_it_is():
    image, albedo = np.zeros((300, 400, 3), np.uint8), np.full((300, 400, 3), 0.5, np.float32)
    ramp = np.linspace(0.1, 1, 300, dtype=np.float32)[:, None, None] * np.ones((1, 400, 3), np.float32)

    def drawn(k, residual):
        return overlay(
            Intrinsics(albedo, shading=np.float32(k) * ramp, residual=np.float32(residual * k) * ramp), image
        )

    dim, bright = drawn(0.01, 0.2).astype(int), drawn(100, 0.2).astype(int)
    assert np.abs(dim - bright).max() <= 1
    assert drawn(1, 0.2).mean() < drawn(1, 0.5).mean(), "more residual for one shading is brighter"


def test_the_picture_is_the_albedo_with_gaps_hatched_and_the_other_maps_small_below():
    albedo = np.full((300, 400, 3), 0.2145, np.float32)
    albedo[:100, :100] = np.nan
    image = np.zeros((300, 400, 3), np.uint8)
    plain = overlay(Intrinsics(albedo), image)
    assert {tuple(c) for c in plain[:100, :100].reshape(-1, 3)} == set(HATCH)
    assert (plain[120:] == 128).all()
    full = overlay(
        Intrinsics(albedo, np.ones((300, 400), np.float32), shading=np.ones((300, 400, 3), np.float32)), image
    )
    assert np.array_equal(full[:150], plain[:150])
    assert (full[200:] == 255).all(-1).sum() > 2 * 70 * 50
