"""Drawing the light: sun and sky outdoors, lamps and windows indoors; and drawing the sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Sensor


@dataclass
class Light:
    """The light fields of an `Environment`."""

    key_light: Tensor
    key_colour: Tensor
    fill_light: Tensor
    fill_colour: Tensor
    ambient_up: Tensor
    ambient_down: Tensor
    zenith: Tensor
    horizon: Tensor
    clouds: Tensor
    haze: Tensor
    shadow_blur: Tensor


def direction(elevation: Tensor, azimuth: Tensor) -> Tensor:
    """(n, 3) unit vectors; azimuth from +z towards +x."""
    flat = elevation.cos()
    return torch.stack([flat * azimuth.sin(), elevation.sin(), flat * azimuth.cos()], -1)


def outdoors(draw: Draw) -> Light:
    """Clear, hazy, overcast, or low golden sun."""
    n = len(draw)
    weather = draw.choose([0.5, 0.25, 0.25], 1)[:, 0]
    overcast, golden = weather == 1, weather == 2
    elevation = torch.where(golden, draw.uniform(0.08, 0.4, 1)[:, 0], draw.uniform(0.35, 1.4, 1)[:, 0])
    sun = direction(elevation, draw.uniform(0, 2 * math.pi, 1)[:, 0])
    warmth = torch.exp(-3.0 * elevation)[:, None]
    colour = torch.tensor([1.0, 0.95, 0.88]) * (1 - warmth) + torch.tensor([1.0, 0.68, 0.38]) * warmth
    strength = torch.where(overcast[:, None], draw.uniform(0.0, 0.25, 1), draw.uniform(0.7, 1.3, 1))
    zenith = torch.tensor([0.10, 0.22, 0.55]) * draw.uniform(0.7, 1.5, 1) + draw.uniform(-0.03, 0.05, 3)
    horizon = torch.tensor([0.52, 0.64, 0.78]) * draw.uniform(0.75, 1.25, 1) + draw.uniform(-0.04, 0.04, 3)
    horizon = horizon * (1 - warmth) + torch.tensor([0.85, 0.60, 0.42]) * warmth
    grey = draw.uniform(0.45, 0.85, 1) + draw.uniform(-0.02, 0.03, 3)
    zenith = torch.where(overcast[:, None], grey * 0.85, zenith).clamp(0.02, 1)
    horizon = torch.where(overcast[:, None], grey, horizon).clamp(0.05, 1.1)
    up = (zenith * 0.55 + horizon * 0.25) * draw.uniform(0.7, 1.3, 1)
    down = up * draw.uniform(0.25, 0.55, 1) + 0.08 * strength * colour
    clouds = torch.stack(
        [
            torch.where(overcast, draw.uniform(0.5, 1.0, 1)[:, 0], draw.uniform(0, 0.9, 1)[:, 0]),
            draw.log_uniform(0.8, 4.0, 1)[:, 0],
            draw.uniform(0, 500, 1)[:, 0],
        ],
        -1,
    )
    blur = torch.where(overcast, draw.uniform(0.012, 0.03, 1)[:, 0], draw.uniform(0, 0.005, 1)[:, 0])
    return Light(
        key_light=torch.cat([sun, torch.zeros(n, 1)], 1),
        key_colour=colour * strength,
        fill_light=direction(draw.uniform(0.2, 1.0, 1)[:, 0], draw.uniform(0, 2 * math.pi, 1)[:, 0]),
        fill_colour=horizon * draw.uniform(0.0, 0.25, 1),
        ambient_up=up,
        ambient_down=down,
        zenith=zenith,
        horizon=horizon,
        clouds=clouds,
        haze=draw.log_uniform(0.0002, 0.006, 1)[:, 0],
        shadow_blur=blur,
    )


def indoors(draw: Draw, bounds: Tensor) -> Light:
    """A ceiling lamp, or daylight through an imagined opening, with a soft second light. bounds: (B, 6)."""
    n = len(draw)
    low, high = bounds[:, 0::2], bounds[:, 1::2]
    share = torch.cat([draw.uniform(0.2, 0.8, 1), draw.uniform(0.82, 0.97, 1), draw.uniform(0.2, 0.8, 1)], 1)
    lamp = low + (high - low) * share
    side = direction(draw.uniform(0.35, 1.1, 1)[:, 0], draw.uniform(0, 2 * math.pi, 1)[:, 0])
    by_day = draw.chance(0.3, 1)
    key = torch.where(by_day, torch.cat([side, torch.zeros(n, 1)], 1), torch.cat([lamp, torch.ones(n, 1)], 1))
    warm = draw.uniform(0, 1, 1)
    colour = torch.tensor([1.0, 0.74, 0.46]) * warm + torch.tensor([0.86, 0.94, 1.0]) * (1 - warm)
    reach = (high - low).norm(dim=-1, keepdim=True) * 0.35
    strength = torch.where(by_day, draw.uniform(0.4, 0.9, 1), draw.uniform(0.5, 1.2, 1) * reach * reach)
    ambient = draw.uniform(0.15, 0.5, 1) * (0.6 * colour + 0.4 + draw.uniform(-0.05, 0.05, 3))
    return Light(
        key_light=key,
        key_colour=colour * strength,
        fill_light=direction(draw.uniform(-0.1, 0.9, 1)[:, 0], draw.uniform(0, 2 * math.pi, 1)[:, 0]),
        fill_colour=draw.uniform(0.0, 0.4, 1) * (0.7 + draw.uniform(0, 0.3, 3)),
        ambient_up=ambient,
        ambient_down=ambient * draw.uniform(0.4, 0.8, 1),
        zenith=ambient,
        horizon=ambient * 1.2,
        clouds=torch.zeros(n, 3),
        haze=torch.zeros(n),
        shadow_blur=draw.uniform(0.002, 0.02, 1)[:, 0],
    )


def sensor(draw: Draw) -> Sensor:
    """Exposure, white balance, tone, vignetting, sharpness and noise of an ordinary camera."""
    temperature = draw.normal(1) * 0.08
    tint = draw.normal(1) * 0.03
    gains = torch.cat([1 + temperature, 1 + tint, 1 - temperature], 1).clamp(0.7, 1.4)
    return Sensor(
        exposure=draw.log_uniform(0.16, 0.42, 1)[:, 0],
        white_balance=gains,
        contrast=draw.uniform(0.0, 0.7, 1)[:, 0],
        saturation=draw.uniform(0.75, 1.25, 1)[:, 0],
        vignette=draw.uniform(0.0, 0.45, 1)[:, 0] * draw.chance(0.6, 1)[:, 0],
        blur=draw.uniform(0.1, 0.9, 1)[:, 0],
        noise=draw.uniform(0.0, 0.02, 1)[:, 0],
    )
