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
    assert (map_colours("albedo", np.full((2, 2, 3), 0.2145, np.float32), 6) == 128).all()
    assert (map_colours("roughness", np.full((2, 2), 0.5, np.float32), 6) == 128).all()


def test_light_has_no_unit():
    ramp = np.linspace(0.1, 1, 3000, dtype=np.float32).reshape(20, 50, 3)
    dim, bright = (map_colours("shading", ramp * np.float32(k), 6).astype(int) for k in (0.01, 100))
    assert np.abs(dim - bright).max() <= 1
    assert bright.max() == 255


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
