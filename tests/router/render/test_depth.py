from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.render import overlay
from visionrouter.render.canvas import Canvas
from visionrouter.render.depth import HATCH, SKY, Scale, depth_colours, scale_of, ticks
from visionrouter.render.viridis import VIRIDIS
from visionrouter.schema.payload import DepthMap


def ramp(low: float, high: float, width: int = 400, height: int = 300) -> np.ndarray:
    return np.repeat(np.geomspace(low, high, width, dtype=np.float32)[None], height, axis=0)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.9, 35, (1, 2, 5, 10, 20)),
        (1, 100, (1, 3, 10, 30, 100)),
        (0.02, 5000, (0.1, 1, 10, 100, 1000)),
        (2, 8, (2, 4, 6, 8)),
        (1.02, 1.18, (1.05, 1.1, 1.15)),
        (3, 3, (3,)),
    ],
)
def test_ticks_are_the_numbers_one_would_choose(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@given(st.floats(1e-3, 1e4), st.floats(1, 1e6), st.integers(3, 8))
@settings(max_examples=200, deadline=None)
def test_ticks_are_few_round_rising_and_in_range(low, ratio, most):
    high = low * ratio
    found = ticks(low, high, most)
    assert len(found) <= most
    assert list(found) == sorted(set(found))
    slack = 1e-8 * high
    assert all(low - slack <= t <= high + slack for t in found)
    if ratio >= 10:
        assert {f"{t:.6e}"[:8] for t in found} <= {"1.000000", "2.000000", "3.000000", "5.000000"}
    if ratio > 1.5:
        assert found


def test_the_metric_scale_is_logarithmic_and_ends_at_the_percentiles():
    scale = scale_of(DepthMap(ramp(1, 100), "m"))
    assert (scale.near, scale.far) == pytest.approx((1, 100), rel=0.08)
    assert scale.place(math.sqrt(scale.near * scale.far)) == pytest.approx(0.5, abs=1e-5)
    assert scale.place([0, 1e9, np.inf]).tolist() == pytest.approx([0, 1, 1], abs=1e-6)
    assert Scale(2, 2, True).place([1, 2, 3]).tolist() == [0, 0, 0]


@pytest.mark.parametrize("unit", ["m", "relative", "disparity"])
def test_near_is_bright(unit):
    values = ramp(1, 50)
    if unit == "disparity":
        values = (1 / values).astype(np.float32)
    payload = DepthMap(values, unit)
    brightness = depth_colours(payload, scale_of(payload), 8).astype(int).sum(-1)[0]
    assert brightness[0] > 400
    assert brightness[-1] < 200
    assert (np.diff(brightness) <= 3).all()


def test_sky_and_unknown_look_like_no_depth_and_unlike_each_other():
    values = ramp(1, 50)
    values[:100], values[100:200] = np.inf, np.nan
    payload = DepthMap(values, "m")
    colours = depth_colours(payload, scale_of(payload), 9)
    assert (colours[:100] == SKY).all()
    assert {tuple(c) for c in colours[100:200].reshape(-1, 3)} == set(HATCH)
    for special in (SKY, *HATCH):
        assert np.abs(VIRIDIS.astype(int) - special).sum(1).min() > 60
    assert np.abs(np.array(SKY) - HATCH).sum(1).min() > 150


def find_bar(drawn: np.ndarray) -> tuple[int, int, int]:
    """Left, right and last row of the scale bar: the longest run from the brightest to the darkest colour."""
    canvas = Canvas(drawn)
    width = min(18 * canvas.font_px, canvas.width - 4 * canvas.gap)
    bar = VIRIDIS[(255 - np.linspace(0, 255, width)).round().astype(int)]
    rows = [y for y in range(len(drawn)) if (drawn[y, 2 * canvas.gap : 2 * canvas.gap + width] == bar).all()]
    assert rows, "no scale bar"
    return 2 * canvas.gap, 2 * canvas.gap + width, rows[0]


@pytest.mark.parametrize("size", [(300, 200), (400, 300), (900, 700)])
def test_the_scale_bar_has_its_ticks_where_the_colours_say(size):
    payload = DepthMap(ramp(0.8, 60, *size), "m")
    drawn = overlay(payload, np.zeros((size[1], size[0], 3), np.uint8))
    left, right, row = find_bar(drawn)
    scale = scale_of(payload)
    canvas = Canvas(drawn)
    below = row + round(0.7 * canvas.font_px) - 1
    white = np.flatnonzero((drawn[below, left:right] == 255).all(-1)) + left
    marks = [float(run.mean()) + 0.5 for run in np.split(white, np.flatnonzero(np.diff(white) > 1) + 1)]
    assert len(marks) >= 3
    expected = [left + float(scale.place(t)) * (right - left) for t in ticks(scale.near, scale.far)]
    assert all(min(abs(mark - x) for x in expected) <= 1.0 for mark in marks)


def test_relative_depth_says_so():
    values = ramp(1, 50)
    black = np.zeros((*values.shape, 3), np.uint8)
    metres, relative = (overlay(DepthMap(values, unit), black) for unit in ("m", "relative"))
    canvas = Canvas(black)
    legend = np.s_[300 - 5 * canvas.row_px :, : 20 * canvas.font_px]
    find_bar(relative)
    assert (metres[legend] != relative[legend]).any()


def test_a_legend_names_sky_only_where_there_is_some():
    values = ramp(1, 50)
    black = np.zeros((*values.shape, 3), np.uint8)
    without = overlay(DepthMap(values, "m"), black)
    assert not (without == SKY).all(-1).any()
    values[0, :100] = np.inf
    with_sky = overlay(DepthMap(values, "m"), black)
    assert (with_sky[200:] == SKY).all(-1).sum() > 50
