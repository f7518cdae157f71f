"""Severity and randomness of a damage."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.develop import pixel_noise
from visionrouter.benchmarks.scenes.draw import Draw, mix

SEVERITIES = 5
Levels = tuple[float, float, float, float, float]


class Setting:
    """The severity of each picture, and random numbers that depend on its seed and the damage's name alone."""

    def __init__(self, level: Tensor, seed: Tensor, kind: str) -> None:
        self.level = level
        self.draw = Draw(seed).fork(zlib.crc32(kind.encode()))
        self.seed = self.draw.keys

    def __len__(self) -> int:
        return len(self.level)

    def pick(self, levels: Levels) -> Tensor:
        """(B, 1, 1, 1): the value of each picture's severity."""
        return torch.tensor(levels, device=self.level.device)[self.level - 1].view(-1, 1, 1, 1)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(B, *shape, 1, 1, 1) or, without a shape, (B, 1, 1, 1)."""
        value = self.draw.uniform(low, high, *(shape or (1,)))
        return value.view(len(self), *shape, 1, 1, 1) if shape else value.view(-1, 1, 1, 1)

    def gaussian(self, height: int, width: int, channels: int = 3, stream: int = 0) -> Tensor:
        """(B, channels, height, width) about standard normal."""
        return pixel_noise(mix(self.seed + stream), height, width, channels)


def pixel_grid(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of pixel centres as shares of the picture's height, (1, 1, 1, W) and (1, 1, H, 1)."""
    h, w = rgb.shape[2:]
    x = (torch.arange(w, device=rgb.device, dtype=torch.float32) + 0.5) / h
    y = (torch.arange(h, device=rgb.device, dtype=torch.float32) + 0.5) / h
    return x.view(1, 1, 1, w), y.view(1, 1, h, 1)


def to_linear(rgb: Tensor) -> Tensor:
    """sRGB to linear light (exponent 2.2)."""
    return rgb.clamp_min(1e-5) ** 2.2


def to_srgb(light: Tensor) -> Tensor:
    """Linear light to sRGB (exponent 1/2.2)."""
    return light.clamp(1e-5, 1.0) ** (1 / 2.2)
