"""The membrane is harmonic: a plane on the border is that plane inside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.merge.membrane import membrane


def hole(size=(40, 50)):
    inside = np.zeros(size, bool)
    inside[8:30, 10:42] = True
    return inside


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
def test_a_plane_is_continued(level, right, down):
    y, x = np.mgrid[:40, :50]
    plane = (level + right * x + down * y).astype(np.float32)
    inside = hole()
    made = membrane(np.where(inside, np.nan, plane).astype(np.float32), inside)
    np.testing.assert_allclose(made[inside], plane[inside], atol=0.01)
    assert (made[~inside] == 0).all()


def test_a_free_side_ends_level():
    border = np.full((40, 50), np.nan, np.float32)
    border[:, :10], border[:, 42:] = 1, 3
    made = membrane(border, hole())
    assert made[20, 10] == pytest.approx(1.06, abs=0.05)
    assert made[9, 26] == pytest.approx(made[28, 26], abs=1e-3), "no pull from above or below"
    assert made[20, 26] == pytest.approx(2, abs=0.05)


def test_nothing_pinned_is_level_ground():
    assert (membrane(np.full((40, 50), np.nan, np.float32), hole()) == 0).all()
    assert (membrane(np.ones((40, 50), np.float32), np.zeros((40, 50), bool)) == 0).all()


def test_an_inside_up_to_the_frame_is_solved_too():
    inside = np.ones((20, 30), bool)
    inside[:, 0] = False
    made = membrane(np.where(inside, np.nan, 2).astype(np.float32), inside)
    assert made[inside] == pytest.approx(2, abs=1e-3)
