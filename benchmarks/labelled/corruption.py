"""Weather and wear of a photo of which nothing but its pixels is known, by operators of kornia: five severities each.

Nothing here moves what is seen, so that labels stay true. Weather is drawn on a canvas whose shorter side has `CANVAS`
pixels and laid over the photo at its own size, so that a severity looks the same on a thumbnail and on a large photo. All
chance comes from a generator of its own: kornia's is handed what it would have drawn.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import numpy as np
import torch
from kornia.augmentation import (
    RandomPlanckianJitter,
    RandomPlasmaShadow,
    RandomRain,
    RandomSaltAndPepperNoise,
)
from kornia.contrib import diamond_square
from kornia.enhance import (
    adjust_contrast_with_mean_subtraction,
    adjust_gamma,
    adjust_saturation_with_gray_subtraction,
    equalize,
)
from kornia.filters import gaussian_blur2d, motion_blur
from torch import Tensor
from torch.nn.functional import interpolate

from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import RequestError

Levels = tuple[float, float, float, float, float]
CANVAS = 256
LONGEST = 4
"""Of a canvas: its longer side, in shorter ones. What is longer has its weather stretched."""

STREAKS: Levels = (150, 300, 500, 800, 1200)
"""Streaks of rain on a square canvas; more on a longer one."""
STREAK_PX: Levels = (12, 15, 19, 24, 30)
"""Their length, in pixels of the canvas."""
FLAKE_SHARE: Levels = (0.004, 0.009, 0.018, 0.032, 0.055)
"""Share of the canvas' points from which a flake falls."""
HAZE: Levels = (0.25, 0.4, 0.55, 0.7, 0.82)
"""Share of the light that comes from the haze, in the middle; a fifth more or less where it is thick or thin."""
OVERCAST_CONTRAST: Levels = (0.85, 0.7, 0.56, 0.43, 0.32)
"""Factor of the contrast about the mean."""
OVERCAST_SATURATION: Levels = (0.75, 0.55, 0.38, 0.24, 0.12)
DUSK_LIGHT: Levels = (0.85, 0.7, 0.56, 0.44, 0.34)
"""Gain: how bright white is left."""
DUSK_GAMMA: Levels = (1.1, 1.2, 1.3, 1.4, 1.5)
DUSK_KELVIN: Levels = (7000, 7500, 8000, 9000, 10000)
SHADOW_DEPTH: Levels = (0.25, 0.35, 0.45, 0.54, 0.62)
"""Share of the light that a shadow takes."""
SHADOW_SHARE: Levels = (0.3, 0.38, 0.46, 0.54, 0.62)
"""Share of the photo that lies in shadow."""
MIST_SHARE: Levels = (0.2, 0.38, 0.56, 0.74, 0.92)
"""Share of the lens that is misted over."""
MIST_BLUR: Levels = (0.008, 0.012, 0.017, 0.023, 0.03)
"""Standard deviation of the blur behind mist, as a share of the photo's shorter side."""
SOFT_BLUR: Levels = (0.004, 0.007, 0.011, 0.016, 0.024)
"""Standard deviation of the blur, as a share of the photo's shorter side."""
SALT_PEPPER: Levels = (0.005, 0.015, 0.04, 0.08, 0.15)
"""Share of the pixels that read white or black."""

_FIRST_KELVIN, _KELVIN_STEP = 3000, 500
"""Of kornia's table of black bodies."""
_CERTAIN = {"batch_prob": torch.tensor([True])}
"""kornia's word for an augmentation that is done to every picture."""


class Chance:
    """Random numbers of one corruption of one photo, the same for all severities."""

    def __init__(self, kind: str, seed: int) -> None:
        digest = hashlib.sha256(f"{kind} {seed}".encode()).digest()
        self._generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))

    def draw(self, *shape: int, dtype: torch.dtype = torch.float32, device: object = None) -> Tensor:
        """Uniform in [0, 1), float32 on the CPU."""
        del device
        return torch.rand(*shape, generator=self._generator, dtype=dtype)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.draw(1))

    def plasma(self, height: int, width: int, roughness: float) -> Tensor:
        """(1, 1, H, W) clouds, as many of each value in [0, 1]."""

        def drawn(shape: tuple[int, ...], **_: object) -> Tensor:
            return self.draw(*shape)

        clouds = diamond_square((1, 1, height, width), roughness, random_fn=drawn, normalize_range=(0.0, 1.0))
        return equalize(clouds)


def streaks(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """Rain: streaks of `STREAK_PX`, all aslant alike, before a photo that they dull."""
    height, width = _canvas(rgb)
    drops = [round(count * height * width / CANVAS**2) for count in STREAKS]
    length, slant = round(STREAK_PX[level]), chance.between(-0.35, 0.35)
    rain = RandomRain(p=1.0)(
        torch.zeros(1, 1, height, width),
        params={
            **_CERTAIN,
            "number_of_drops_factor": torch.tensor([drops[level]]),
            "coordinates_factor": chance.draw(1, drops[-1], 2)[:, : drops[level]],
            "drop_height_factor": torch.tensor([length]),
            "drop_width_factor": torch.tensor([round(slant * length)]),
        },
    )
    layer = _laid_over(gaussian_blur2d((rain > 0).float(), (3, 3), (0.6, 0.6)), rgb)
    dull = adjust_contrast_with_mean_subtraction(rgb, 1 - 0.07 * (level + 1))
    return _blend(dull, 0.82, 0.75 * layer)


def flakes(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """Snow: flakes from `FLAKE_SHARE` of all points, near ones and far ones, smeared as they fall."""
    out = _blend(rgb, 0.9, torch.tensor(0.06 * (level + 1)))
    angle = chance.between(60, 120)
    for coarse in (4, 2):
        height, width = (side // coarse for side in _canvas(rgb))
        layer = _salted(torch.zeros(1, 1, height, width), FLAKE_SHARE[level], 1.0, chance)
        smeared = motion_blur(_resized(layer, 4 * height, 4 * width), 7, angle, 0.0, "replicate")
        out = _blend(out, 0.97, (1.3 * _laid_over(smeared, rgb)).clamp(0, 1))
    return out


def haze(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """Fog of unknown distance: `HAZE` of the light is its own, in drifts."""
    drifts = _laid_over(chance.plasma(*_canvas(rgb), roughness=0.35), rgb)
    return _blend(rgb, chance.between(0.75, 0.9), HAZE[level] * (0.8 + 0.4 * drifts))


def overcast(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """Flat light without shadows: less contrast and less colour."""
    del chance
    flat = adjust_contrast_with_mean_subtraction(rgb, OVERCAST_CONTRAST[level])
    return adjust_saturation_with_gray_subtraction(flat, OVERCAST_SATURATION[level])


def dusk(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """The blue hour: `DUSK_LIGHT` by `DUSK_GAMMA`, of `DUSK_KELVIN`."""
    del chance
    dark = adjust_gamma(rgb, DUSK_GAMMA[level], DUSK_LIGHT[level])
    place = torch.tensor([(DUSK_KELVIN[level] - _FIRST_KELVIN) // _KELVIN_STEP], dtype=torch.int64)
    shown: Tensor = RandomPlanckianJitter("blackbody", p=1.0)(dark, params={**_CERTAIN, "idx": place})
    return shown


def shadow(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """Shadows of clouds and trees on `SHADOW_SHARE` of the photo, which take `SHADOW_DEPTH` of its light."""
    height, width = _canvas(rgb)
    lit = RandomPlasmaShadow(p=1.0)(
        torch.ones(1, 1, height, width),
        params={
            **_CERTAIN,
            "plasma": chance.plasma(height, width, roughness=0.35),
            "shade_intensity": torch.tensor([-SHADOW_DEPTH[level]]),
            "shade_quantity": torch.tensor([SHADOW_SHARE[level]]),
        },
    )
    return rgb * _laid_over(gaussian_blur2d(lit, (37, 37), (6.0, 6.0), "replicate"), rgb)


def misted(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """A lens misted over on `MIST_SHARE` of it: blurred and pale there."""
    plasma = gaussian_blur2d(chance.plasma(*_canvas(rgb), roughness=0.3), (25, 25), (4.0, 4.0), "replicate")
    cover = ((_laid_over(plasma, rgb) - (1 - MIST_SHARE[level])) * 4 + 0.5).clamp(0, 1)
    return rgb + (_blend(_blurred(rgb, MIST_BLUR[level]), 0.8, torch.tensor(0.3)) - rgb) * cover


def soft_focus(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """Out of focus everywhere: a Gaussian blur of `SOFT_BLUR`."""
    del chance
    return _blurred(rgb, SOFT_BLUR[level])


def salt_pepper(rgb: Tensor, level: int, chance: Chance) -> Tensor:
    """`SALT_PEPPER` of the pixels white or black, as many of each."""
    return _salted(rgb, SALT_PEPPER[level], 0.5, chance)


_DONE: dict[str, Callable[[Tensor, int, Chance], Tensor]] = {
    "streaks": streaks,
    "flakes": flakes,
    "haze": haze,
    "overcast": overcast,
    "dusk": dusk,
    "shadow": shadow,
    "misted": misted,
    "soft_focus": soft_focus,
    "salt_pepper": salt_pepper,
}
"""By name, those of `condition.CORRUPTIONS`; the tables above give the five severities."""


def corrupt(pixels: U8, kind: str, severity: int, seed: int = 0) -> U8:
    """A corrupted copy of a photo, uint8 (H, W, 3) of any size. Equal arguments give equal pixels; torch's own random
    numbers are neither used nor moved on. Raises `RequestError` for an unknown kind or severity."""
    if kind not in _DONE:
        raise RequestError(f"unknown corruption {kind!r}: choose one of {', '.join(_DONE)}")
    if severity not in range(1, len(HAZE) + 1):
        raise RequestError(
            f"severity {severity!r} is out of range: corruptions come in severities 1 to {len(HAZE)}"
        )
    rgb = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
    with torch.no_grad():
        out = _DONE[kind](rgb, severity - 1, Chance(kind, seed)).clamp(0, 1)
    shown: U8 = (out[0].permute(1, 2, 0) * 255).round().to(torch.uint8).contiguous().numpy()
    return shown


def _canvas(rgb: Tensor) -> tuple[int, int]:
    """Height and width, as the photo's where that is not too long."""
    height, width = rgb.shape[-2:]
    short = min(height, width)
    return (
        min(round(CANVAS * height / short), LONGEST * CANVAS),
        min(round(CANVAS * width / short), LONGEST * CANVAS),
    )


def _resized(layer: Tensor, height: int, width: int) -> Tensor:
    return interpolate(layer, (height, width), mode="bilinear", antialias=True)


def _laid_over(layer: Tensor, rgb: Tensor) -> Tensor:
    return _resized(layer, *rgb.shape[-2:])


def _blend(rgb: Tensor, tint: float, cover: Tensor) -> Tensor:
    """`cover`, in [0, 1], of a grey over the photo."""
    return rgb + (tint - rgb) * cover


def _salted(rgb: Tensor, share: float, salt: float, chance: Chance) -> Tensor:
    hit = chance.draw(1, 1, *rgb.shape[-2:]) < share
    white = chance.draw(1, 1, *rgb.shape[-2:]) < salt
    masks = {"mask_salt": hit & white, "mask_pepper": hit & ~white}
    salted: Tensor = RandomSaltAndPepperNoise(p=1.0)(
        rgb,
        params={**_CERTAIN, **{name: m.expand_as(rgb) for name, m in masks.items()}},
    )
    return salted


def _blurred(rgb: Tensor, share: float) -> Tensor:
    """A Gaussian blur with a standard deviation of `share` of the shorter side; where it is wide, of a smaller copy."""
    height, width = rgb.shape[-2:]
    sigma = share * min(height, width)
    shrink = max(1.0, sigma / 4)
    small = (
        _resized(rgb, max(1, round(height / shrink)), max(1, round(width / shrink))) if shrink > 1 else rgb
    )
    sigma /= shrink
    size = 2 * math.ceil(3 * sigma) + 1
    blurred = gaussian_blur2d(small, (size, size), (sigma, sigma), "replicate")
    return _laid_over(blurred, rgb) if shrink > 1 else blurred
