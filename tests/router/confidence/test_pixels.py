"""A pixel's confidence is the share of such pixels that are good, each image counting once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.confidence.pixels import PixelCalibrator
from visionrouter.schema.errors import CalibrationError


def maps(images, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(images):
        raw = rng.random((60, 80)).astype(np.float32)
        error = np.where(rng.random(raw.shape) < raw**2, 0.05, 0.3).astype(np.float32)
        error[:5] = np.nan
        yield raw, error


def test_it_finds_the_share_of_good_pixels(scope):
    calibrator = PixelCalibrator.fit(maps(20), scope=scope)
    raw = np.linspace(0, 1, 101, dtype=np.float32)[None]
    mapped = calibrator.apply(raw)
    assert mapped.dtype == np.float32
    assert np.abs(mapped - raw**2).max() < 0.04
    assert (np.diff(mapped[0]) >= 0).all()


@given(st.lists(st.floats(-0.5, 1.5, width=32), min_size=1, max_size=50))
def test_it_is_linear_between_knots(calibrated, raw):
    wanted = np.interp(raw, np.linspace(0, 1, 256), calibrated.table)
    assert calibrated.apply(np.array([raw], np.float32))[0] == pytest.approx(wanted, abs=1e-5)


def test_each_image_counts_once(scope):
    large = (np.full((200, 200), 0.5, np.float32), np.zeros((200, 200), np.float32))
    small = (np.full((10, 10), 0.5, np.float32), np.ones((10, 10), np.float32))
    calibrator = PixelCalibrator.fit([large, small], scope=scope)
    assert calibrator.apply(np.array([[0.5]], np.float32))[0, 0] == pytest.approx(0.5)
    assert calibrator.images == 2


@given(st.floats(width=32))
def test_any_value_gives_a_probability(calibrated, value):
    mapped = calibrated.apply(np.array([[value]], np.float32))[0, 0]
    assert 0 <= mapped <= 1
    assert mapped == 0 or not np.isnan(value)


@pytest.fixture(scope="module")
def calibrated(scope):
    return PixelCalibrator.fit(maps(3), scope=scope)


def test_no_truth_is_an_error(scope):
    with pytest.raises(CalibrationError, match="no image has a pixel with truth"):
        PixelCalibrator.fit([(np.ones((2, 2), np.float32), np.full((2, 2), np.nan, np.float32))], scope=scope)
    with pytest.raises(CalibrationError, match="differ in shape"):
        PixelCalibrator.fit([(np.ones((2, 2), np.float32), np.ones((2, 3), np.float32))], scope=scope)
