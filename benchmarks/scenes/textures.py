"""Materials and procedural textures: functions of a surface point, the same on every device."""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.intersect import Vec

MATERIAL_SIZE = 16


class Slot(IntEnum):
    """Where a material's numbers lie in its vector of MATERIAL_SIZE."""

    RED, GREEN, BLUE = 0, 1, 2  # first colour, sRGB in [0, 1]
    RED2, GREEN2, BLUE2 = 3, 4, 5  # second colour
    PATTERN = 6
    FREQUENCY = 7  # cycles per metre
    PHASE = 8  # shifts the pattern
    SPECULAR = 9  # share of light mirrored at the highlight
    GLOSS = 10  # exponent of the highlight
    EMISSION = 11  # light of its own, in units of a sunlit white surface
    MOTTLE = 12  # strength of the noise that every surface carries
    MIRROR = 13  # share of the sky or room seen by reflection
    BUMP = 14  # slope of the bumps that tilt the shading normal


class Pattern(IntEnum):
    (
        PLAIN,
        STRIPES,
        CHECKS,
        WOOD,
        BRICK,
        FABRIC,
        CAMOUFLAGE,
        NOISE,
        DOTS,
        TILES,
        LANES,
        WINDOWS,
        MARBLE,
        PLAID,
    ) = range(14)
    # held out of the training worlds:
    ZIGZAG, RINGS = 14, 15


def hash01(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """A number in [0, 1) of an integer lattice point (int32), by wrapping integer arithmetic."""
    h = x * 374761393 + y * 668265263 + z * 1440662683
    h = (h ^ ((h >> 13) & 0x7FFFF)) * 1274126177
    h = (h ^ ((h >> 15) & 0x1FFFF)) * 2146121005
    return ((h >> 8) & 0xFFFF).to(torch.float32) * (1 / 65536)


def value_noise(p: Vec) -> Tensor:
    """Smooth noise in [0, 1] with one lattice point a unit."""
    fx, fy, fz = p.x.floor(), p.y.floor(), p.z.floor()
    ix, iy, iz = fx.to(torch.int32), fy.to(torch.int32), fz.to(torch.int32)
    tx, ty, tz = p.x - fx, p.y - fy, p.z - fz
    tx, ty, tz = (t * t * (3 - 2 * t) for t in (tx, ty, tz))
    layers = []
    for dz in (0, 1):
        rows = []
        for dy in (0, 1):
            a, b = hash01(ix, iy + dy, iz + dz), hash01(ix + 1, iy + dy, iz + dz)
            rows.append(a + (b - a) * tx)
        layers.append(rows[0] + (rows[1] - rows[0]) * ty)
    return layers[0] + (layers[1] - layers[0]) * tz


def fractal(p: Vec, octaves: int) -> Tensor:
    """Sum of octaves of value noise, in [0, 1]."""
    total, weight, scale = value_noise(p), 1.0, 1.0
    for _ in range(octaves - 1):
        weight, scale = weight / 2, scale * 2.03
        total = total + weight * value_noise(Vec(p.x * scale + 17.3, p.y * scale, p.z * scale))
    return total / (2 - weight)


def _wave(x: Tensor) -> Tensor:
    """A triangle wave of period one, in [0, 1]."""
    return (2 * (x - (x + 0.5).floor())).abs()


def pattern_mix(pattern: Tensor, p: Vec, u: Tensor, v: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
    """Share of the second colour in [0, 1] at a point. p: position in pattern units, u and v: the two
    coordinates across the surface in the same units, coarse and fine: noise at the point."""
    fu, fv = u - u.floor(), v - v.floor()
    row = v.floor()
    brick_u = u / 2 + 0.5 * (row - 2 * (row / 2).floor())
    brick_u = brick_u - brick_u.floor()
    mortar = ((fv < 0.12) | (brick_u < 0.06)).float()
    checks = ((u.floor() + v.floor()) / 2).frac().abs() * 2
    warp = coarse * 2.5
    pane = (fu > 0.22) & (fu < 0.78) & (fv > 0.2) & (fv < 0.75)
    by_pattern = {
        Pattern.STRIPES: (_wave(u + warp * 0.05) > 0.5).float(),
        Pattern.CHECKS: checks,
        Pattern.WOOD: (
            _wave((p.x * p.x + p.z * p.z + 0.02).sqrt() * 1.5 + warp + fine * 0.3) * 0.7 + fine * 0.3
        ),
        Pattern.BRICK: mortar,
        Pattern.FABRIC: 0.5 * _wave(u * 4) + 0.5 * _wave(v * 4),
        Pattern.CAMOUFLAGE: (coarse > 0.53).float() * 0.65 + (fine > 0.55).float() * 0.35,
        Pattern.NOISE: ((coarse + fine - 0.65) * 1.6).clamp(0, 1),
        Pattern.DOTS: ((fu - 0.5) ** 2 + (fv - 0.5) ** 2 < 0.07).float(),
        Pattern.TILES: ((fu < 0.05) | (fv < 0.05)).float(),
        Pattern.WINDOWS: pane.float(),
        Pattern.MARBLE: (1 - 3 * (_wave(u * 0.5 + warp) - 0.5).abs()).clamp(0, 1) ** 2,
        Pattern.PLAID: 0.5 * (_wave(u) > 0.6).float() + 0.5 * (_wave(v) > 0.6).float(),
        Pattern.ZIGZAG: (_wave(v + _wave(u * 1.5)) > 0.5).float(),
        Pattern.RINGS: (_wave((u * u + v * v).sqrt() * 1.5) > 0.5).float(),
    }
    out = torch.zeros_like(u)
    for which, value in by_pattern.items():
        out = torch.where(pattern == int(which), value, out)
    return out
