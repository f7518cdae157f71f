"""Normals made from a depth map are those of the surface that it is of."""

import numpy as np
import pytest

from visionrouter.confidence.probes.geometry import angle_between, normals_of

H, W, FOV = 96, 128, 60.0
FOCAL = W / 2 / np.tan(np.radians(FOV / 2))
X = ((np.arange(W) + 0.5 - W / 2) / FOCAL)[None].repeat(H, 0)
Y = ((H / 2 - np.arange(H) - 0.5) / FOCAL)[:, None].repeat(W, 1)


def plane(normal, offset_m):
    """z-depth of a plane n . p = d, p = (x z, y z, -z)."""
    nx, ny, nz = normal
    return (offset_m / (nx * X + ny * Y - nz)).astype(np.float32)


@pytest.mark.parametrize(
    ("normal", "offset"), [((0, 0, 1), -5), ((0, 1, 0), -1.5), ((0.6, 0, 0.8), -4), ((-0.48, 0.6, 0.64), -6)]
)
def test_planes(normal, offset):
    depth = plane(normal, offset)
    depth[(depth <= 0) | (depth > 60)] = np.inf
    made, smooth = normals_of(depth, FOV)
    assert smooth.sum() > 500
    assert np.degrees(np.arccos((made[smooth] @ np.array(normal)).clip(-1, 1))).max() < 1


def test_a_sphere_bulges_towards_the_viewer():
    ray = np.stack([X, Y, -np.ones_like(X)], -1)
    centre, radius = np.array([0, 0, -6.0]), 2.0
    a, b, c = (ray**2).sum(-1), ray @ centre, centre @ centre - radius**2
    disc = b * b - a * c
    depth = np.where(disc > 0, (b - np.sqrt(np.maximum(disc, 0))) / a, np.inf).astype(np.float32)
    true = (ray * np.nan_to_num(depth, posinf=0)[..., None] - centre) / radius
    made, smooth = normals_of(depth, FOV)
    assert smooth.sum() > 300
    assert np.degrees(np.arccos((made * true).sum(-1)[smooth].clip(-1, 1))).mean() < 2


def test_edges_sky_and_the_unknown_are_not_judged():
    depth = plane((0, 0, 1), -5)
    depth[:, 60:] = 9
    depth[:10] = np.inf
    depth[80:85] = np.nan
    _, smooth = normals_of(depth)
    assert not smooth[:, 59:61].any()
    assert not smooth[:11].any()
    assert not smooth[79:86].any()
    assert smooth[40, 30]
    assert smooth[40, 90]
    angle, judged = angle_between(depth, np.full((H, W, 3), np.nan, np.float32))
    assert not judged.any()
    assert np.isfinite(angle).all()
