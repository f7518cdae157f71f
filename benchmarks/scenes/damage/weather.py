"""Fog, rain and snow from the true depth."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.damage.setting import Levels, Setting, pixel_grid
from visionrouter.benchmarks.scenes.intersect import Vec
from visionrouter.benchmarks.scenes.textures import hash01, value_noise

FOG_VISIBILITY_M: Levels = (500.0, 200.0, 80.0, 35.0, 15.0)
"""Meteorological visibility V; extinction beta = 2.996 / V (5 % contrast, Koschmieder)."""
RAIN_MM_PER_H: Levels = (2.0, 8.0, 20.0, 50.0, 100.0)
SNOW_VISIBILITY_M: Levels = (400.0, 180.0, 90.0, 45.0, 22.0)


def extinction(visibility_m: Tensor) -> Tensor:
    """beta in 1/m for a visibility in metres."""
    return 2.996 / visibility_m


def veil(rgb: Tensor, depth: Tensor, beta: Tensor, airlight: Tensor) -> Tensor:
    """I = J e^(-beta d) + A (1 - e^(-beta d)) (Koschmieder; Narasimhan and Nayar 2002), in sRGB values as the
    foggy benchmarks do."""
    through = torch.exp(-beta * depth)
    return rgb * through + airlight * (1 - through)


def fog(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Homogeneous fog of `FOG_VISIBILITY_M`."""
    beta = extinction(setting.pick(FOG_VISIBILITY_M))
    grey = setting.uniform(0.72, 0.92)
    return veil(rgb, depth, beta, grey)


def rain(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Streaks in layers at several distances, each hidden by what stands nearer, a veil, and a grey cast.

    The veil has an extinction of 1.45 R^0.63 per kilometre (the power law of Atlas 1953 with the mist that
    comes with rain; R in mm/h); streaks grow denser with the root of R.
    """
    rate = setting.pick(RAIN_MM_PER_H)
    beta = 1.45e-3 * rate**0.63
    dull = 1 - 0.05 * torch.log2(1 + rate) / 2
    out = veil(
        (rgb.mean(1, keepdim=True) * 0.25 + rgb * 0.75) * dull, depth, beta, setting.uniform(0.6, 0.78)
    )
    x, y = pixel_grid(rgb)
    slant = setting.uniform(-0.25, 0.25)
    for layer, distance in enumerate((1.5, 3.0, 6.0, 12.0)):
        size = 0.010 / (layer + 1) ** 0.5
        length = 0.16 / (layer + 1) ** 0.6
        phase = setting.uniform(0, 900)
        across = (x + slant * y) / size
        down = y / length + 7.0 * _lattice(across, torch.zeros_like(y), phase)
        density = 0.004 * rate**0.5
        drop = (_lattice(across, down, phase + 11) < density).float()
        fraction = across - across.floor()
        fade = (4 * fraction * (1 - fraction)) * (1 - (2 * (down - down.floor()) - 1) ** 2).clamp_min(0)
        streak = drop * fade * (depth > distance)
        out = out + (0.85 - out) * streak * 0.4
    return out


def snow(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Flakes in layers at several distances, each hidden by what stands nearer, and a white veil of
    `SNOW_VISIBILITY_M`."""
    visibility = setting.pick(SNOW_VISIBILITY_M)
    out = veil(rgb, depth, extinction(visibility), setting.uniform(0.8, 0.93))
    x, y = pixel_grid(rgb)
    density = (14.0 / visibility).clamp_max(0.6)
    drift = setting.uniform(-0.4, 0.4)
    for layer, distance in enumerate((0.8, 1.6, 3.2, 6.4, 12.0)):
        cell = 0.07 / (layer + 1) ** 0.8
        phase = setting.uniform(0, 900)
        u, v = (x + drift * y) / cell, (y * (1 - 0.1 * drift)) / cell + phase
        jx, jy = _lattice(u, v, phase + 3), _lattice(u, v, phase + 5)
        dx = u - u.floor() - 0.3 - 0.4 * jx
        dy = v - v.floor() - 0.3 - 0.4 * jy
        radius = 0.12 + 0.14 * _lattice(u, v, phase + 7)
        soft = (1.2 - (dx * dx + dy * dy) / (radius * radius)).clamp(0, 1)
        flake = soft * (_lattice(u, v, phase + 9) < density) * (depth > distance)
        out = out + (0.96 - out) * flake * (0.9 - 0.08 * layer)
    return out


def _lattice(u: Tensor, v: Tensor, phase: Tensor) -> Tensor:
    """A random number in [0, 1) of the unit cell of (u, v)."""
    return hash01(u.floor().to(torch.int32), v.floor().to(torch.int32), phase.floor().to(torch.int32))


def cloudy(rgb: Tensor, setting: Setting, scale: float) -> Tensor:
    """(B, 1, H, W) smooth noise in [0, 1] with about `scale` bumps over the height."""
    x, y = pixel_grid(rgb)
    phase = setting.uniform(0, 500)
    x, y = x * scale, y * scale
    first = value_noise(Vec(x + phase, y, phase))
    return (first * 2 + value_noise(Vec(x * 2.1 + phase, y * 2.1 + math.pi, phase))) / 3
