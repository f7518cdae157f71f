"""Night, glare of a low sun, wrong exposure."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.damage.setting import Levels, Setting, pixel_grid, to_linear, to_srgb

NIGHT_STOPS: Levels = (1.5, 2.5, 3.5, 4.5, 5.5)
"""How many stops less light reaches the scene; the camera makes up for most of it by its ISO gain."""
NIGHT_ISO: Levels = (800.0, 1600.0, 3200.0, 6400.0, 12800.0)
FULL_WELL_ISO100 = 20000.0
"""Electrons at saturation at ISO 100; shot noise follows from it."""
READ_NOISE_ELECTRONS = 4.0
GLARE_GAIN: Levels = (0.35, 0.6, 0.9, 1.3, 1.8)
"""Peak of the veiling light in units of white."""
OVER_STOPS: Levels = (0.7, 1.2, 1.8, 2.5, 3.2)
UNDER_STOPS: Levels = (1.0, 1.8, 2.6, 3.4, 4.2)


def electrons_noise(light: Tensor, iso: Tensor, setting: Setting) -> Tensor:
    """Shot and read noise of linear light (1 is saturation) at an ISO value."""
    well = FULL_WELL_ISO100 * 100 / iso
    h, w = light.shape[2:]
    sigma = (light.clamp_min(0) / well + (READ_NOISE_ELECTRONS / well) ** 2).sqrt()
    return light + sigma * setting.gaussian(h, w)


def night(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Darkness of `NIGHT_STOPS`, bluish moonlight and a warm lamp, photographed at `NIGHT_ISO`."""
    light = to_linear(rgb)
    stops, iso = setting.pick(NIGHT_STOPS), setting.pick(NIGHT_ISO)
    sky = depth > 1e4
    dark = light * torch.exp2(-0.62 * stops)
    dark = torch.where(sky, dark * torch.exp2(-0.5 * stops), dark)
    moon = torch.tensor([0.75, 0.9, 1.25], device=rgb.device).view(1, 3, 1, 1)
    x, y = pixel_grid(rgb)
    aspect = rgb.shape[3] / rgb.shape[2]
    spot = torch.exp(-((x - setting.uniform(0, aspect)) ** 2 + (y - setting.uniform(0.2, 0.9)) ** 2) / 0.12)
    lamp = torch.tensor([1.4, 0.95, 0.5], device=rgb.device).view(1, 3, 1, 1)
    near = torch.exp(-depth / 12)
    lit = dark * moon * (1 + 1.5 * lamp * spot * near * setting.uniform(0, 1))
    return to_srgb(electrons_noise(lit, iso, setting))


def glare(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """A low sun in or near the frame: disc, halo, rays and a veil over everything, of `GLARE_GAIN`."""
    del depth
    light, gain = to_linear(rgb), setting.pick(GLARE_GAIN)
    x, y = pixel_grid(rgb)
    aspect = rgb.shape[3] / rgb.shape[2]
    dx, dy = x - setting.uniform(0.1, 0.9) * aspect, y - setting.uniform(-0.05, 0.45)
    r2 = dx * dx + dy * dy
    angle = torch.atan2(dy, dx)
    rays = 1 + 0.35 * torch.cos(angle * 7 + setting.uniform(0, 2 * math.pi)) * torch.exp(-r2 * 6)
    halo = torch.exp(-r2 / 0.01) * 3 + torch.exp(-r2.sqrt() / 0.22) * rays + 0.18
    warm = torch.tensor([1.0, 0.86, 0.62], device=rgb.device).view(1, 3, 1, 1)
    return to_srgb(light * (1 - 0.12 * gain).clamp_min(0.3) + gain * halo * warm)


def overexposure(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """`OVER_STOPS` too much light, clipped at white."""
    del depth
    return to_srgb(to_linear(rgb) * torch.exp2(setting.pick(OVER_STOPS)))


def underexposure(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """`UNDER_STOPS` too little light, quantised to 8 bits."""
    del depth
    dark = to_srgb(to_linear(rgb) * torch.exp2(-setting.pick(UNDER_STOPS)))
    return (dark * 255).round() / 255
