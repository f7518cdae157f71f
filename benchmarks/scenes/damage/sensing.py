"""Sensor noise, compression, dead rows."""

from __future__ import annotations

import io

import numpy as np
import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.damage.light import electrons_noise
from visionrouter.benchmarks.scenes.damage.setting import Levels, Setting, to_linear, to_srgb

NOISE_ISO: Levels = (3200.0, 8000.0, 20000.0, 50000.0, 100000.0)
"""ISO values of a well exposed picture; see `light.electrons_noise`."""
JPEG_QUALITY: Levels = (25.0, 18.0, 13.0, 9.0, 6.0)
DEAD_SHARE: Levels = (0.02, 0.05, 0.10, 0.18, 0.30)
"""Share of rows lost."""


def noise(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Shot and read noise at `NOISE_ISO`."""
    del depth
    return to_srgb(electrons_noise(to_linear(rgb), setting.pick(NOISE_ISO), setting))


def jpeg(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """Encoded and decoded by Pillow at `JPEG_QUALITY`; runs on the CPU whatever the device."""
    from PIL import Image

    del depth
    quality = setting.pick(JPEG_QUALITY).flatten().tolist()
    pixels = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    out = []
    for picture, q in zip(pixels, quality, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=int(q))
        out.append(np.asarray(Image.open(buffer)))
    decoded = torch.from_numpy(np.stack(out)).to(rgb.device)
    return decoded.permute(0, 3, 1, 2).to(rgb.dtype) / 255


def dead_rows(rgb: Tensor, depth: Tensor, setting: Setting) -> Tensor:
    """`DEAD_SHARE` of the rows read nothing, some of them stuck at white; they come in runs."""
    del depth
    h = rgb.shape[2]
    share = setting.pick(DEAD_SHARE)[:, 0, :, 0]
    run = max(1, h // 96)
    key = setting.draw.unit(-(-h // run)).repeat_interleave(run, 1)[:, :h]
    rank = key.argsort(1).argsort(1)
    dead = (rank < (share * h).round())[:, None, :, None]
    white = (setting.draw.unit(-(-h // run)).repeat_interleave(run, 1)[:, :h] < 0.15)[:, None, :, None]
    return torch.where(dead, white.to(rgb.dtype), rgb)
