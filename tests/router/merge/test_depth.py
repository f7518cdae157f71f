"""Depth fusion keeps surfaces apart, sky a vote, and a metric disagreement visible."""

import numpy as np
import pytest

from visionrouter.merge.front import merge
from visionrouter.merge.part import Part
from visionrouter.schema.payload import DepthMap


def metres(values):
    return DepthMap(np.asarray(values, np.float32), "m")


def parts(*values, weights=None):
    return [Part(metres(v), w) for v, w in zip(values, weights or [1] * len(values), strict=True)]


def test_near_depths_are_averaged_by_weight():
    merged = merge(parts(np.full((4, 4), 10), np.full((4, 4), 11), weights=[3, 1]))
    assert merged.payload.values == pytest.approx(10.25)
    assert (merged.source_map == 0).all()


def test_the_edge_of_a_thing_gets_no_depth_between_it_and_the_wall():
    near, far = np.full((4, 4), 3), np.full((4, 4), 50)
    merged = merge(parts(near, far))
    assert (merged.payload.values == 3).all(), "of two equals the nearer"
    merged = merge(parts(near, far, weights=[1, 2]))
    assert (merged.payload.values == 50).all()
    assert merged.evidence["agreement"] < 0.7


def test_a_confidence_map_weighs_each_pixel():
    left, right = np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)
    left[:, :2], right[:, :2] = 1, 0
    a, b = Part(metres(np.full((4, 4), 3)), 1, left), Part(metres(np.full((4, 4), 50)), 1, right)
    merged = merge([a, b])
    assert merged.payload.values[0].tolist() == [3, 3, 50, 50]
    assert merged.source_map[0].tolist() == [0, 0, 1, 1]


def test_a_scale_error_is_evidence_and_is_not_absorbed(scene):
    merged = merge(parts(scene, scene * 1.5, weights=[2, 1]))
    assert merged.payload == metres(scene)
    assert merged.evidence["log_scale"] == pytest.approx(np.log(1.5), abs=1e-4)
    assert merged.evidence["agreement"] < 0.7
    assert merged.alignments[0] is None
    assert merged.alignments[1].log_scale == pytest.approx(-np.log(1.5), abs=1e-4)


@pytest.mark.parametrize(
    ("unit", "drawn"), [("relative", lambda d: 0.3 * d - 1), ("disparity", lambda d: 7 / d + 2)]
)
def test_relative_maps_are_brought_to_metres(scene, unit, drawn):
    unknown = scene.copy()
    unknown[:30] = np.nan
    heavy = Part(DepthMap(drawn(scene).astype(np.float32), unit), 5)
    merged = merge([heavy, Part(metres(unknown))])
    assert merged.payload.unit == "m"
    np.testing.assert_allclose(merged.payload.values, scene, rtol=1e-3)
    assert (merged.source_map[:30] == 0).all()
    assert merged.evidence["residual"] < 1e-3


def test_a_map_without_a_scale_is_left_out_and_named(scene):
    merged = merge([Part(metres(scene)), Part(DepthMap(-scene, "relative"), 9)])
    assert merged.payload == metres(scene)
    assert merged.notes == ("not_aligned:1",)
    assert not merged.source_map.any()


def test_sky_is_a_vote_and_unknown_is_none():
    sky, wall, nothing = np.full((4, 4), np.inf), np.full((4, 4), 9), np.full((4, 4), np.nan)
    assert np.isposinf(merge(parts(sky, wall, sky)).payload.values).all()
    assert (merge(parts(sky, wall)).payload.values == 9).all(), "of a draw, the surface"
    assert (merge(parts(nothing, wall, nothing)).payload.values == 9).all()
    merged = merge(parts(nothing, nothing))
    assert np.isnan(merged.payload.values).all()
    assert (merged.confidence_map == 0).all()


def test_disparities_fuse_as_disparities(scene):
    near = DepthMap((1 / scene).astype(np.float32), "disparity")
    merged = merge([Part(near), Part(DepthMap((5 / scene + 1).astype(np.float32), "disparity"))])
    assert merged.payload.unit == "disparity"
    reference = merged.alignments.index(None)
    assert merged.payload.values.max() == pytest.approx(
        (1 / scene.min(), 5 / scene.min() + 1)[reference], rel=1e-3
    )


def test_of_two_disparities_apart_the_nearer_stands_too(scene):
    drawn = (1 / scene).astype(np.float32)
    other = drawn.copy()
    drawn[0, 0], other[0, 0] = drawn.max(), drawn.min()
    merged = merge([Part(DepthMap(drawn, "disparity")), Part(DepthMap(other, "disparity"))])
    assert merged.payload.values[0, 0] == pytest.approx(drawn.max(), rel=1e-3)
