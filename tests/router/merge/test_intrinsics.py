"""Intrinsics: surfaces are averaged on one scale, light is one part's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.merge.compare import compare
from visionrouter.merge.front import merge
from visionrouter.merge.intrinsics import scale_onto, si_rmse
from visionrouter.merge.part import Part
from visionrouter.schema.payload import Intrinsics

H, W = 24, 32
seeds = st.integers(0, 2**32 - 1)


def scene(seed=0):
    return np.random.default_rng(seed).uniform(0.1, 0.5, (H, W, 3)).astype(np.float32)


def flat(value, *shape):
    return np.full((H, W, *shape), value, np.float32)


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0.05, 1.9))
def test_the_error_is_that_of_the_angle_both_ways_and_at_any_scale(seed, scale):
    a, b = scene(seed).reshape(-1, 3), scene(seed + 1).reshape(-1, 3)
    cosine = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
    assert si_rmse(a, b) == pytest.approx(np.sqrt(1 - cosine**2), abs=1e-4)
    assert si_rmse(a, b) == pytest.approx(si_rmse(b, a), abs=1e-4)
    assert si_rmse(np.float32(scale) * a, b) == pytest.approx(si_rmse(a, b), abs=1e-4)
    assert scale_onto(np.float32(scale) * a, a) == pytest.approx(1 / scale, rel=1e-4)


def test_black_is_like_black_and_like_nothing_else():
    black, grey = np.zeros((9, 3), np.float32), np.full((9, 3), 0.5, np.float32)
    assert si_rmse(black, black) == 0
    assert si_rmse(black, grey) == si_rmse(grey, black) == 1


def test_a_darker_albedo_shows_in_the_scale_alone_and_light_left_in_it_in_the_error():
    said = compare(Intrinsics(scene() * np.float32(0.5)), Intrinsics(scene()))
    assert said.signals["log_scale"] == pytest.approx(np.log(2), abs=1e-5)
    assert said.signals["si_rmse"] == pytest.approx(0, abs=1e-4)
    shadow = scene() * np.where(np.arange(W) < W // 2, 1, 0.2).astype(np.float32)[:, None]
    said = compare(Intrinsics(shadow), Intrinsics(scene()))
    assert said.signals["si_rmse"] > 0.4
    assert said.map[:, W // 2 :].mean() > 2 * said.map[:, : W // 2].mean()


def test_maps_that_both_have_are_compared_and_others_are_not():
    a = Intrinsics(scene(), roughness=flat(0.5), shading=flat(2, 3))
    b = Intrinsics(scene(), roughness=flat(0.75), metallicity=flat(1), shading=flat(0.1, 3))
    said = compare(a, b).signals
    assert said["roughness_mean"] == pytest.approx(0.25)
    assert said["shading_si_rmse"] == pytest.approx(0, abs=1e-6)
    assert not [name for name in said if name.startswith(("metallicity", "residual"))]


def test_a_material_and_a_light_give_all_maps():
    material = Intrinsics(scene() * np.float32(0.5), flat(0.25), flat(1))
    light = Intrinsics(scene(), shading=flat(2, 3), residual=flat(0.1, 3))
    merged = merge([Part(light, 2), Part(material)])
    assert tuple(merged.payload.maps) == ("albedo", "roughness", "metallicity", "shading", "residual")
    np.testing.assert_allclose(merged.payload.albedo, scene(), atol=1e-6)
    assert (merged.payload.roughness == 0.25).all()
    assert merged.payload.shading is light.shading
    assert merged.evidence["agreement"] == pytest.approx(1, abs=1e-5)


def test_light_is_never_mixed():
    one = Intrinsics(scene(), shading=flat(1, 3), residual=flat(0.5, 3))
    other = Intrinsics(scene(), shading=flat(7, 3))
    merged = merge([Part(one), Part(other, 2)]).payload
    assert (merged.shading == 7).all()
    assert merged.residual is None


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_no_albedo_is_invented(seed):
    rng = np.random.default_rng(seed)
    drawn = [scene(seed + i) for i in range(3)]
    for values in drawn:
        values[rng.random((H, W)) < 0.3] = np.nan
    merged = merge([Part(Intrinsics(values), float(rng.uniform(0.5, 2))) for values in drawn])
    known = np.isfinite(np.array(drawn)).all(-1)
    assert np.array_equal(np.isfinite(merged.payload.albedo).all(-1), known.any(0))
    alone = known.sum(0) == 1
    assert (merged.source_map[alone] == known.argmax(0)[alone]).all()


def test_a_part_without_a_common_scale_is_left_out_and_noted():
    black = Intrinsics(np.zeros((H, W, 3), np.float32))
    merged = merge([Part(Intrinsics(scene()), 2), Part(black)])
    assert merged.notes == ("not_aligned:1",)
    np.testing.assert_allclose(merged.payload.albedo, scene())
