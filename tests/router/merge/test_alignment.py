"""Alignment recovers a known scale and shift, through outliers, and refuses where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.merge.alignment import align
from visionrouter.schema.payload import DepthMap

quick = settings(max_examples=40, deadline=None)


def true(seed=0, size=(24, 32)):
    return np.random.default_rng(seed).uniform(1, 40, size).astype(np.float32)


@quick
@given(
    st.integers(0, 99), st.floats(0.02, 50), st.floats(-20, 20), st.sampled_from(["relative", "disparity"])
)
def test_a_line_is_found_again(seed, scale, shift, unit):
    depth = true(seed)
    level = depth if unit == "relative" else 1 / depth
    drawn = DepthMap(((level - shift) / scale).astype(np.float32), unit)
    found = align(drawn, DepthMap(depth, "m"))
    assert found.scale == pytest.approx(scale, rel=1e-2)
    assert found.residual < 0.01
    assert found.inliers > 0.9
    np.testing.assert_allclose(found.apply(drawn, "m"), depth, rtol=0.05)


def test_it_is_weighted_least_squares():
    rng = np.random.default_rng(1)
    source, target, w = rng.normal(size=(3, 20, 20))
    target, w = 2 * source + 0.1 * target, np.abs(w).astype(np.float32) + 0.1
    found = align(
        DepthMap(source.astype(np.float32), "relative"),
        DepthMap(target.astype(np.float32), "relative"),
        weights=w,
        trim=0,
    )
    slope, intercept = np.polyfit(source.ravel(), target.ravel(), 1, w=np.sqrt(w.ravel()))
    assert (found.scale, found.shift) == pytest.approx((slope, intercept), abs=1e-4)


def test_a_tenth_of_the_pixels_may_be_wrong():
    depth, drawn = true(), true() * 0.2 + 3
    drawn[:2, :] = 99
    found = align(DepthMap(drawn.astype(np.float32), "relative"), DepthMap(depth, "m"))
    assert found.scale == pytest.approx(5, rel=1e-3)
    assert found.inliers == pytest.approx(22 / 24, abs=0.01)


@quick
@given(st.floats(0.1, 10))
def test_metres_against_metres_give_their_ratio(factor):
    depth = true()
    found = align(DepthMap(depth, "m"), DepthMap((factor * depth).astype(np.float32), "m"))
    assert found.space == "log"
    assert found.log_scale == pytest.approx(np.log(factor), abs=1e-4)
    assert found.shift == 0


def test_only_pixels_that_count_are_used():
    depth = true()
    drawn = (depth * 2).astype(np.float32)
    drawn[12:] = np.random.default_rng(0).uniform(1, 9, drawn[12:].shape)
    where = np.zeros(depth.shape, bool)
    where[:12] = True
    found = align(DepthMap(drawn, "relative"), DepthMap(depth, "m"), where=where)
    assert (found.scale, found.pixels) == (pytest.approx(0.5, rel=1e-4), 12 * 32)
    assert align(DepthMap(drawn, "relative"), DepthMap(depth, "m"), weights=where.astype(np.float32)) == found


def test_sky_and_unknown_pixels_do_not_count_and_sky_stays_sky():
    depth = true()
    drawn = depth * 3
    drawn[:4], depth[4:8] = np.inf, np.nan
    found = align(DepthMap(drawn, "relative"), DepthMap(depth, "m"))
    assert found.pixels == 16 * 32
    applied = found.apply(DepthMap(drawn, "relative"), "m")
    assert np.isposinf(applied[:4]).all()
    assert np.isfinite(applied[4:]).all()


def test_what_would_lie_behind_the_camera_is_not_known():
    depth = true()
    drawn = (depth - 3).astype(np.float32)
    found = align(DepthMap(drawn, "relative"), DepthMap(depth, "m"))
    low = np.full((2, 2), -9, np.float32)
    assert np.isnan(found.apply(DepthMap(low, "relative"), "m")).all()


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (DepthMap(-true(), "relative"), DepthMap(true(), "m")),
        (DepthMap(np.full((24, 32), 5, np.float32), "relative"), DepthMap(true(), "m")),
        (DepthMap(true()[:3, :5].copy(), "relative"), DepthMap(true()[:3, :5].copy(), "m")),
        (DepthMap(np.full((24, 32), np.nan, np.float32), "m"), DepthMap(true(), "m")),
        (DepthMap(true(), "relative"), DepthMap(true(), "disparity")),
    ],
    ids=["inside out", "flat", "few pixels", "unknown", "no line"],
)
def test_where_there_is_no_scale_none_is_made_up(source, target):
    assert align(source, target) is None
