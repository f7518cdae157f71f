"""Two unit solids, and where rays meet them.

A *tapered box* is |x| <= 1 - kx (y+1)/2, |z - s y| <= 1 - kz (y+1)/2, |y| <= 1: cuboids, roofs, pyramids,
windscreens. A *quadric* is x^2 + z^2 <= a + b y + c y^2, |y| <= 1: ellipsoids, domes, cylinders, cones,
barrels, vases; its ends may be open, which makes cups and lamp shades.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BOX, QUADRIC = 0, 1
MISS = 1e9
"""Distance of a ray that meets nothing."""
NEAR = 1e-4


class Vec(NamedTuple):
    """Three components that broadcast against each other."""

    x: Tensor
    y: Tensor
    z: Tensor


def dot(a: Vec, b: Vec) -> Tensor:
    return a.x * b.x + a.y * b.y + a.z * b.z


def hit_box(o: Vec, d: Vec, shape: Tensor) -> Tensor:
    """Distance along o + t d to the tapered box, MISS where there is none. shape: (n, 4), rays: (n, r)."""
    kx, kz, shear = (shape[:, i, None] for i in range(3))
    kx, kz = kx / 2, kz / 2
    enter = torch.full_like(d.x, -MISS)
    leave = torch.full_like(d.x, MISS)
    oz, dz = o.z - shear * o.y, d.z - shear * d.y
    slack_x, slack_z = 1 - kx - kx * o.y, 1 - kz - kz * o.y
    kx_d, kz_d = kx * d.y, kz * d.y
    one = torch.ones_like(o.y)
    planes = (
        (slack_x - o.x, kx_d + d.x), (slack_x + o.x, kx_d - d.x), (one - o.y, d.y), (one + o.y, -d.y),
        (slack_z - oz, kz_d + dz), (slack_z + oz, kz_d - dz),
    )  # fmt: skip
    for gap, speed in planes:
        along = torch.where(speed.abs() < 1e-9, 1e-9, speed)
        t, inwards = gap / along, along < 0
        enter = torch.maximum(enter, torch.where(inwards, t, -MISS))
        leave = torch.minimum(leave, torch.where(inwards, MISS, t))
    return torch.where((enter < leave) & (enter > NEAR), enter, MISS)


def hit_quadric(o: Vec, d: Vec, shape: Tensor) -> Tensor:
    """Distance along o + t d to the clipped quadric, MISS where there is none."""
    a, b, c, openness = (shape[:, i, None] for i in range(4))
    qa = d.x * d.x + d.z * d.z - c * d.y * d.y
    qb = o.x * d.x + o.z * d.z - (b / 2 + c * o.y) * d.y
    qc = o.x * o.x + o.z * o.z - a - (b + c * o.y) * o.y
    disc = qb * qb - qa * qc
    root = disc.clamp_min(0).sqrt()
    q = -(qb + torch.where(qb < 0, -root, root))
    best = torch.full_like(q, MISS)
    for t in (q / torch.where(qa.abs() < 1e-9, 1e-9, qa), qc / torch.where(q.abs() < 1e-12, 1e-12, q)):
        on_side = (disc > 0) & (t > NEAR) & ((o.y + t * d.y).abs() <= 1)
        best = torch.minimum(best, torch.where(on_side, t, MISS))
    dy = torch.where(d.y.abs() < 1e-9, 1e-9, d.y)
    for end, closed_below in ((1.0, 0.5), (-1.0, 1.5)):
        t = (end - o.y) / dy
        x, z = o.x + t * d.x, o.z + t * d.z
        on_cap = (x * x + z * z <= a + end * b + c) & (t > NEAR) & (openness < closed_below)
        best = torch.minimum(best, torch.where(on_cap, t, MISS))
    return best


def box_normal(p: Vec, kx: Tensor, kz: Tensor, shear: Tensor) -> Vec:
    """Outward gradient of the box's nearest face at a surface point, in unit-solid coordinates."""
    kx, kz = kx / 2, kz / 2
    z = p.z - shear * p.y
    gap_x = 1 - kx - kx * p.y - p.x.abs()
    gap_y = 1 - p.y.abs()
    gap_z = 1 - kz - kz * p.y - z.abs()
    on_x = (gap_x <= gap_y) & (gap_x <= gap_z)
    on_z = ~on_x & (gap_z <= gap_y)
    sx, sz = p.x.sign(), z.sign()
    zero = torch.zeros_like(p.x)
    ny = torch.where(on_x, kx, torch.where(on_z, kz - sz * shear, p.y.sign()))
    return Vec(torch.where(on_x, sx, zero), ny, torch.where(on_z, sz, zero))


def quadric_normal(p: Vec, a: Tensor, b: Tensor, c: Tensor, openness: Tensor) -> Vec:
    """Outward gradient of the quadric's side or cap at a surface point, in unit-solid coordinates."""
    radial = p.x * p.x + p.z * p.z
    slope = b / 2 + c * p.y
    side = (radial - a - (b + c * p.y) * p.y).abs() / (2 * (radial + slope * slope).sqrt() + 1e-6)
    closed_end = torch.where(p.y > 0, openness < 0.5, openness < 1.5)
    cap = closed_end & ((1 - p.y.abs()).abs() < side)
    zero = torch.zeros_like(p.x)
    return Vec(torch.where(cap, zero, p.x), torch.where(cap, p.y.sign(), -slope), torch.where(cap, zero, p.z))
