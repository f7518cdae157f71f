"""Damage to training pictures, so that answers hold on pictures that are not clean: one colour change for all, and
one of the kinds below for a share of them. Labels never change. The rainy-day conditions, by which models are judged,
are other code with other formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

GRAY = (0.299, 0.587, 0.114)


def recolour(rgb: Tensor, rng: np.random.Generator, strength: float) -> Tensor:
    """Brightness, contrast, saturation, white balance and gamma of (B, 3, H, W) in [0, 1], a draw a picture; 6 % are
    made gray. One 3x3 matrix and one offset a picture."""
    count = len(rgb)
    gray = np.broadcast_to(np.array(GRAY), (count, 3, 3))
    identity = np.broadcast_to(np.eye(3), (count, 3, 3))
    saturation = rng.uniform(1 - strength, 1 + strength, (count, 1, 1))
    saturation[rng.random(count) < 0.06] = 0
    gain = rng.uniform(1 - 0.6 * strength, 1 + 0.6 * strength, (count, 1, 1))
    balance = rng.uniform(1 - 0.35 * strength, 1 + 0.35 * strength, (count, 3, 1))
    matrix = (gray + saturation * (identity - gray)) * gain * balance
    offset = (
        0.5 * (1 - gain[:, :, 0]) * rng.random((count, 1)) + rng.uniform(-0.1, 0.1, (count, 1)) * strength
    )
    gamma = np.exp(rng.uniform(-0.5, 0.5, (count, 1, 1, 1)) * strength)
    m, b, g = (torch.as_tensor(v, dtype=rgb.dtype, device=rgb.device) for v in (matrix, offset, gamma))
    mixed = torch.baddbmm(b[:, :, None].expand(-1, 3, 1), m, rgb.flatten(2)).view_as(rgb)
    return mixed.clamp(1e-4, 1) ** g


def _fog(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:  # noqa: ARG001
    extinction = 0.004 * 25**amount
    through = torch.exp(-extinction * depth_m.float().clamp_max(400)[:, None].nan_to_num(400))
    air = 0.45 + 0.5 * (amount * 7.3 % 1)
    return rgb * through + air * (1 - through)


def _grain(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:  # noqa: ARG001
    return rgb + torch.randn(rgb.shape, generator=noise, device=rgb.device) * (0.02 + 0.16 * amount)


def _dark(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:
    return _grain((rgb * (0.5 - 0.42 * amount)) ** 1.1, depth_m, 0.2 * amount, noise)


def _bright(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:  # noqa: ARG001
    return rgb * (1.2 + 1.3 * amount)


def _soft(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:  # noqa: ARG001
    reach = max(1, round(rgb.shape[2] / 128))
    once = avg_pool2d(pad(rgb, [reach] * 4, mode="reflect"), 2 * reach + 1, 1)
    twice = avg_pool2d(pad(once, [reach] * 4, mode="reflect"), 2 * reach + 1, 1)
    return torch.lerp(torch.lerp(rgb, once, (2 * amount).clamp_max(1)), twice, (2 * amount - 1).clamp_min(0))


def _moved(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:  # noqa: ARG001
    reach = max(1, round(rgb.shape[2] / 60))
    across = avg_pool2d(pad(rgb, [reach, reach, 0, 0], mode="reflect"), (1, 2 * reach + 1), 1)
    down = avg_pool2d(pad(rgb, [0, 0, reach, reach], mode="reflect"), (2 * reach + 1, 1), 1)
    return torch.lerp(rgb, torch.where(amount * 13.7 % 1 < 0.7, across, down), 0.4 + 0.6 * amount)


def _coarse(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:  # noqa: ARG001
    small = interpolate(rgb, scale_factor=0.4, mode="bilinear", antialias=True)
    back = interpolate(small, size=rgb.shape[2:], mode="bilinear")
    return torch.lerp(rgb, back, 0.4 + 0.6 * amount)


def _streaks(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:  # noqa: ARG001
    count, _, height, width = rgb.shape
    seeds = torch.rand(count, 1, height, width, generator=noise, device=rgb.device)
    drops = (seeds < 0.004 + 0.02 * amount).float()
    long = avg_pool2d(pad(drops, [0, 0, height // 20, height // 20]), (height // 20 * 2 + 1, 1), 1) * 6
    return torch.lerp(rgb, torch.full_like(rgb, 0.85), long.clamp_max(1) * (0.25 + 0.45 * amount))


def _patched(rgb: Tensor, depth_m: Tensor, amount: Tensor, noise: torch.Generator) -> Tensor:  # noqa: ARG001
    count, _, height, width = rgb.shape
    blobs = torch.rand(count, 1, 6, 6, generator=noise, device=rgb.device)
    mask = interpolate(blobs, size=(height, width), mode="bicubic") > 0.93 - 0.13 * amount
    return torch.where(mask, rgb * 0.3 + 0.1, rgb)


Kind = Callable[[Tensor, Tensor, Tensor, torch.Generator], Tensor]
KINDS: Mapping[str, Kind] = {
    "fog": _fog, "grain": _grain, "dark": _dark, "bright": _bright, "soft": _soft, "moved": _moved, "coarse": _coarse,
    "streaks": _streaks, "patched": _patched,
}  # fmt: skip


def damage(
    rgb: Tensor, depth_m: Tensor, share: float, rng: np.random.Generator, noise: torch.Generator
) -> Tensor:
    """`share` of the pictures (B, 3, H, W) damaged, as many of each kind; every picture at most once."""
    count = len(rgb)
    chosen = rng.permutation(count)[: round(share * count)]
    out = rgb.clone()
    for kind, members in zip(KINDS.values(), np.array_split(chosen, len(KINDS)), strict=True):
        if len(members):
            index = torch.as_tensor(members, device=rgb.device)
            amount = torch.as_tensor(rng.random((len(members), 1, 1, 1)), dtype=rgb.dtype, device=rgb.device)
            out[index] = kind(rgb[index], depth_m[index], amount, noise)
    return out.clamp(0, 1)
