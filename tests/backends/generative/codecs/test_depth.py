import threading

import hilbertmap
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from visionrouter.backends.generative.codecs import depth as module
from visionrouter.backends.generative.codecs.depth import PLACE_DEPTH_M, WALK, DepthCode, resolution_m
from visionrouter.schema.errors import SchemaError

CODE = DepthCode()
DRAWINGS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))
DEPTHS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
    elements=st.floats(0, 1e6, width=32) | st.just(float("inf")),
)


def walked(depth_m):
    return 1 - (1 + np.asarray(depth_m, np.float64) / 10) ** -2


def test_every_place_of_the_walk_is_a_fixed_point():
    drawing = WALK[None]
    decoded = CODE.decode(drawing)
    assert np.array_equal(decoded.values[0], PLACE_DEPTH_M)
    assert not decoded.residual.any()
    assert decoded.valid.all()
    assert np.array_equal(CODE.encode(decoded.values), drawing)


def test_corners_lie_where_the_paper_puts_them():
    corners = "000000 ff0000 ffff00 00ff00 00ffff 0000ff ff00ff ffffff"
    drawing = np.frombuffer(bytes.fromhex(corners), np.uint8).reshape(1, 8, 3)
    expected = [0, 0.80, 1.83, 3.23, 5.28, 8.71, 16.46, np.inf]
    assert CODE.decode(drawing).values[0] == pytest.approx(expected, abs=0.005)


@settings(deadline=None)
@given(DEPTHS)
def test_encode_is_the_nearest_place_as_hilbertmap_draws_it(depth_m):
    assert np.array_equal(CODE.encode(depth_m), np.rint(hilbertmap.depth_to_rgb(depth_m.astype(float)) * 255))


@settings(deadline=None)
@given(DEPTHS)
def test_a_round_trip_loses_at_most_half_a_level(depth_m):
    back = CODE.decode(CODE.encode(depth_m)).values
    assert np.abs(walked(back) - walked(depth_m)).max() <= 0.5001 / 1785


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6, width=32), min_size=2, max_size=30))
def test_farther_is_never_drawn_nearer(depths):
    row = np.sort(np.array([depths], np.float32))
    assert (np.diff(CODE.decode(CODE.encode(row)).values[0].clip(0, 1e9)) >= 0).all()


@settings(deadline=None)
@given(DRAWINGS)
def test_decode_is_hilbertmaps_projection_and_the_nearer_depth_on_ties(drawing):
    decoded = CODE.decode(drawing)
    ours = np.searchsorted(PLACE_DEPTH_M, decoded.values)
    theirs = np.rint(hilbertmap.project(drawing / 255) * 1785).astype(int)
    distance = np.linalg.norm(WALK.astype(float) - drawing[..., None, :], axis=-1)
    assert np.array_equal(ours, distance.argmin(-1))
    assert np.allclose(distance.min(-1), np.take_along_axis(distance, theirs[..., None], -1)[..., 0])
    assert np.allclose(decoded.residual, distance.min(-1) / 255, atol=1e-6)


def test_table_and_direct_computation_agree_on_every_colour():
    entries = module._TABLE.entries()
    some = np.random.default_rng(0).integers(0, 256, (1 << 18, 3), dtype=np.uint8)
    assert np.array_equal(module._nearest_by_table(some), module._nearest(some))
    assert entries.shape == (1 << 24,)
    assert entries.max() >> 11 <= 32512


def test_a_large_drawing_decodes_as_its_parts():
    rng = np.random.default_rng(1)
    drawing = rng.integers(0, 256, (800, 700, 3), dtype=np.uint8)
    assert drawing.size // 3 >= module._TABLE_FROM_PIXELS
    whole, part = CODE.decode(drawing), CODE.decode(drawing[313:330])
    assert np.array_equal(whole.values[313:330], part.values)
    assert np.array_equal(whole.residual[313:330], part.residual)
    assert np.array_equal(whole.valid[313:330], part.valid)


def test_threads_that_meet_at_the_first_drawing_share_one_table():
    table = module._Table()
    gate = threading.Barrier(4)
    seen = []

    def ask():
        gate.wait()
        seen.append(table.entries())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(entries) for entries in seen}) == 1


def test_what_is_not_drawn_on_the_walk_is_not_valid():
    decoded = CODE.decode(np.full((2, 2, 3), 128, np.uint8))
    assert not decoded.valid.any()
    assert decoded.residual == pytest.approx(127 * 2**0.5 / 255)


def test_views_decode_as_their_copies():
    drawing = np.random.default_rng(2).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    view = drawing[::-2, ::3, ::-1]
    assert np.array_equal(CODE.decode(view).values, CODE.decode(view.copy()).values)
    depth_m = np.linspace(0, 50, 600, dtype=np.float64).reshape(20, 30)
    assert np.array_equal(CODE.encode(depth_m.T), CODE.encode(depth_m).transpose(1, 0, 2))


@pytest.mark.parametrize(("depth_m", "step_m"), [(0, 0.0028), (10, 0.0224), (40, 0.35), (80, 2.04)])
def test_resolution_is_the_step_between_places(depth_m, step_m):
    assert resolution_m(np.array([depth_m], np.float32)) == pytest.approx(step_m, rel=0.01)
    steps, middles = np.diff(PLACE_DEPTH_M[:1700]), (PLACE_DEPTH_M[1:1700] + PLACE_DEPTH_M[:1699]) / 2
    assert np.allclose(resolution_m(middles), steps, rtol=2e-3)


def test_resolution_of_the_sky_is_infinite():
    assert np.isposinf(resolution_m(np.array([np.inf], np.float32))).all()


@pytest.mark.parametrize(
    ("depth_m", "message"),
    [
        (np.array([[1, np.nan]]), "1 of 2 values are NaN"),
        (np.array([[-1.0, 2.0]]), "forward from the camera"),
        (np.array([[-np.inf]]), "forward from the camera"),
        (np.ones((2, 2), int), "expected floats of shape"),
        (np.ones((2, 2, 1)), "expected floats of shape"),
        (np.ones((0, 4)), "expected floats of shape"),
        ([[1.0]], "got list"),
    ],
)
def test_depth_that_cannot_be_drawn_is_refused(depth_m, message):
    with pytest.raises(SchemaError, match=message):
        CODE.encode(depth_m)
