"""Blur, and what sits on or before the lens."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.damage.setting import Levels, Setting, pixel_grid, to_linear, to_srgb
from visionrouter.benchmarks.scenes.damage.weather import cloudy

MOTION_SHARE: Levels = (0.015, 0.03, 0.05, 0.08, 0.12)
"""Length of the smear as a share of the picture's height."""
DEFOCUS_SHARE: Levels = (0.006, 0.011, 0.017, 0.025, 0.036)
"""Radius of the circle of confusion at infinity as a share of the height, when focused very near."""
FOCUS_M = 0.6
DIRT_SHARE: Levels = (0.08, 0.16, 0.26, 0.38, 0.52)
"""Share of the lens that is dirty."""
DROPS: Levels = (6.0, 12.0, 20.0, 32.0, 48.0)
"""Drops on the lens."""
OCCLUDER_SHARE: Levels = (0.08, 0.15, 0.24, 0.35, 0.5)
"""Share of the picture hidden by a thing close to the lens."""


def sample_at(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear (B, C, H, W) at pixel coordinates (B, H, W), edges repeated."""
    h, w = image.shape[2:]
    grid = torch.stack([2 * x / w - 1, 2 * y / h - 1], -1)
    return torch.nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=False)


def _pixels(rgb: Tensor) -> tuple[Tensor, Tensor]:
    h, w = rgb.shape[2:]
    x, y = pixel_grid(rgb)
    shape = (len(rgb), h, w)
    return (x * h)[:, 0].expand(shape), (y * h)[:, 0].expand(shape)


def motion_blur(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Camera shake in one direction by `MOTION_SHARE`, averaged in linear light."""
    del depth
    angle = setting.uniform(0, math.pi)[:, 0]
    length = setting.pick(MOTION_SHARE)[:, 0] * rgb.shape[2]
    x, y = _pixels(rgb)
    light = to_linear(rgb)
    taps = 15
    total = torch.zeros_like(rgb)
    for i in range(taps):
        step = length * (i / (taps - 1) - 0.5)
        total = total + sample_at(light, x + step * angle.cos(), y + step * angle.sin())
    return to_srgb(total / taps)


def defocus(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """A lens focused at `FOCUS_M`: the circle of confusion grows as |1 - focus / depth| (thin lens) to
    `DEFOCUS_SHARE`; each pixel averages a disc of its own size."""
    radius = (
        setting.pick(DEFOCUS_SHARE) * rgb.shape[2] * (1 - FOCUS_M / depth.clamp_min(0.05)).abs().clamp_max(1)
    )
    x, y = _pixels(rgb)
    light = to_linear(rgb)
    total = torch.zeros_like(rgb)
    taps = 24
    for i in range(taps):
        r, a = math.sqrt((i + 0.5) / taps), i * 2.39996
        total = total + sample_at(
            light, x + radius[:, 0] * r * math.cos(a), y + radius[:, 0] * r * math.sin(a)
        )
    return to_srgb(total / taps)


def dirt(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Blurred brown-grey smudges over `DIRT_SHARE` of the lens."""
    del depth
    share = setting.pick(DIRT_SHARE)
    field = 0.65 * cloudy(rgb, setting, 4.0) + 0.35 * cloudy(rgb, setting, 14.0)
    edge = quantile(field, 1 - share)
    cover = ((field - edge) * 9).clamp(0, 1) * setting.uniform(0.6, 0.95)
    tint = torch.cat(
        [setting.uniform(0.18, 0.4), setting.uniform(0.16, 0.34), setting.uniform(0.12, 0.28)], 1
    )
    return rgb + (tint - rgb) * cover


def drops(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Water drops: each shows the scene upside down and blurred, brighter at its rim."""
    del depth
    x, y = pixel_grid(rgb)
    h, w = rgb.shape[2:]
    aspect = w / h
    count = setting.pick(DROPS)
    px, py = _pixels(rgb)
    out = rgb
    blurred = torch.nn.functional.avg_pool2d(
        torch.nn.functional.pad(rgb, (3, 3, 3, 3), mode="replicate"), 7, stride=1
    )
    for i in range(int(max(DROPS))):
        radius = setting.uniform(0.012, 0.055)
        cx, cy = setting.uniform(0, 1) * aspect, setting.uniform(0, 1)
        dx, dy = (x - cx) / radius, (y - cy) / (radius * setting.uniform(1.0, 1.4))
        r2 = dx * dx + dy * dy
        inside = ((1.1 - r2) * 6).clamp(0, 1) * (count > i)
        bend = (2.4 * radius * h * (1 + 2 * r2.clamp_max(1)))[:, 0]
        seen = sample_at(blurred, px - dx[:, 0] * bend, py - dy[:, 0] * bend)
        shade = 1 + 0.18 * (dy - 0.3) * r2.clamp_max(1)
        out = out + ((seen * shade).clamp(0, 1) - out) * inside
    return out


def occluder(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """A dark, defocused thing (finger, strap, leaf) that enters from one side over `OCCLUDER_SHARE`."""
    del depth
    share = setting.pick(OCCLUDER_SHARE)
    x, y = pixel_grid(rgb)
    aspect = rgb.shape[3] / rgb.shape[2]
    angle = setting.uniform(0, 2 * math.pi)
    reach = (x - aspect / 2) * angle.cos() + (y - 0.5) * angle.sin()
    field = reach + 0.22 * cloudy(rgb, setting, 2.5)
    edge = quantile(field, 1 - share)
    cover = ((field - edge) * 30 + 0.5).clamp(0, 1)
    colour = torch.cat(
        [setting.uniform(0.02, 0.6), setting.uniform(0.02, 0.45), setting.uniform(0.02, 0.4)], 1
    )
    return rgb + (colour * (0.8 + 0.4 * cloudy(rgb, setting, 3.0)) - rgb) * cover


def quantile(field: Tensor, share: Tensor) -> Tensor:
    """(B, 1, 1, 1): the value below which a share (B, 1, 1, 1) of each (B, 1, H, W) field lies."""
    flat = field.flatten(1).sort(-1).values
    place = (share.flatten() * (flat.shape[1] - 1)).round().long()
    return flat.gather(1, place[:, None]).view(-1, 1, 1, 1)
