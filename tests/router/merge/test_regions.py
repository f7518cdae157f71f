"""Doubtful regions: what is large and low is found, what is a speck or a thread is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.merge.regions import doubtful
from visionrouter.schema.errors import SchemaError


def trusted_but(*rectangles, size=(100, 120)):
    values = np.full(size, 0.9, np.float32)
    for y1, y2, x1, x2 in rectangles:
        values[y1:y2, x1:x2] = 0.1
    return values


def test_regions_come_largest_first_with_their_context():
    found = doubtful(trusted_but((10, 20, 10, 20), (50, 80, 60, 100)), 0.5)
    assert len(found) == 2
    assert found.labels[60, 80] == 1
    assert found.labels[15, 15] == 2
    assert found.boxes.tolist() == [[50, 40, 110, 90], [2, 2, 28, 28]]
    assert found.share == pytest.approx(1300 / 12000, abs=0.002)
    assert not found.trusted[60, 80]
    assert found.trusted[0, 0]


def test_specks_and_threads_are_no_regions_but_not_trusted_either():
    found = doubtful(trusted_but((5, 7, 5, 7), (50, 51, 0, 120)), 0.5, open_px=2)
    assert len(found) == 0
    assert found.share == 0
    assert not found.trusted[50, 60]


def test_what_nearly_touches_is_one():
    near = trusted_but((20, 40, 20, 40), (20, 40, 43, 60))
    assert len(doubtful(near, 0.5, close_px=0)) == 2
    assert len(doubtful(near, 0.5, close_px=3)) == 1


def test_too_many_are_cut_to_the_largest_and_counted():
    squares = [(10, 10 + s, x, x + s) for s, x in ((6, 2), (12, 30), (9, 60), (15, 90))]
    found = doubtful(trusted_but(*squares), 0.5, max_count=2)
    assert (len(found), found.dropped) == (2, 2)
    assert found.labels[12, 95] == 1
    assert found.labels[12, 32] == 2
    assert found.labels[12, 62] == 0


def test_a_confidence_that_is_not_known_is_low():
    values = trusted_but()
    values[40:60, 40:60] = np.nan
    assert doubtful(values, 0.5).labels[50, 50] == 1


def test_a_region_may_be_the_whole_image():
    found = doubtful(np.zeros((30, 40), np.float32), 0.5)
    assert found.share == 1
    assert found.boxes.tolist() == [[0, 0, 40, 30]]
    assert not found.trusted.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_every_box_holds_its_region(seed, height, width):
    values = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    found = doubtful(values, 0.5, least_area_share=0.0)
    assert len(found) <= 8
    for number, (x1, y1, x2, y2) in enumerate(found.boxes, 1):
        ys, xs = np.nonzero(found.labels == number)
        assert len(ys)
        assert 0 <= x1 <= xs.min() <= xs.max() < x2 <= width
        assert 0 <= y1 <= ys.min() <= ys.max() < y2 <= height
    assert not (found.trusted & (found.labels > 0)).any()


def test_the_threshold_is_a_confidence():
    with pytest.raises(SchemaError, match="below"):
        doubtful(np.ones((4, 4), np.float32), 1.5)


def test_what_is_small_for_the_image_is_left_out():
    values = trusted_but((10, 20, 10, 20), (50, 80, 60, 100))
    found = doubtful(values, 0.5, least_area_share=0.02)
    assert len(found) == 1
    assert found.dropped == 0
    assert found.labels[15, 15] == 0
