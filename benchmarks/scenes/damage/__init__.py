"""Weather and damage: pure functions of (picture, true depth, severity, seed), five severities each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.damage import lens, light, sensing, weather
from visionrouter.benchmarks.scenes.damage.setting import SEVERITIES, Setting
from visionrouter.schema.errors import RequestError

Damage = Callable[[Tensor, Tensor, Setting], Tensor]

DAMAGES: dict[str, Damage] = {
    "fog": weather.fog,
    "rain": weather.rain,
    "snow": weather.snow,
    "night": light.night,
    "glare": light.glare,
    "overexposure": light.overexposure,
    "underexposure": light.underexposure,
    "motion_blur": lens.motion_blur,
    "defocus": lens.defocus,
    "dirt": lens.dirt,
    "drops": lens.drops,
    "occluder": lens.occluder,
    "noise": sensing.noise,
    "jpeg": sensing.jpeg,
    "dead_rows": sensing.dead_rows,
}
"""By name; the tables beside each function give the five severities in physical units."""


def damage(rgb: Tensor, depth_m: Tensor, kind: str, severity: int | Tensor, seed: int | Tensor = 0) -> Tensor:
    """Damage a batch of pictures. Pure: the inputs are not changed, and equal inputs give equal outputs.

    rgb: (B, 3, H, W) float in [0, 1]; depth_m: (B, H, W) true z-depth in metres, +inf at sky; kind: a key of
    DAMAGES; severity: 1 to 5, or (B,) int64; seed: a number (picture i then uses seed + i) or (B,) int64.
    Returns (B, 3, H, W) in [0, 1] on the same device. Raises RequestError for an unknown kind or severity.
    """
    if kind not in DAMAGES:
        raise RequestError(f"unknown damage {kind!r}: choose one of {', '.join(DAMAGES)}")
    b, device = len(rgb), rgb.device
    level = torch.as_tensor(severity, dtype=torch.int64, device=device).expand(b)
    if bool(((level < 1) | (level > SEVERITIES)).any()):
        raise RequestError(
            f"severity {severity!r} is out of range: damage comes in severities 1 to {SEVERITIES}"
        )
    if isinstance(seed, int):
        seeds = seed + torch.arange(b, dtype=torch.int64, device=device)
    else:
        seeds = seed.to(device)
    depth = torch.nan_to_num(depth_m, nan=1e5, posinf=1e5)[:, None]
    with torch.no_grad():
        return DAMAGES[kind](rgb, depth, Setting(level, seeds, kind)).clamp(0, 1)


__all__ = ["DAMAGES", "SEVERITIES", "damage"]
