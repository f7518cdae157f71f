"""From linear light to sRGB as a camera would: exposure, vignetting, blur, colour, tone, noise."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.draw import mix
from visionrouter.benchmarks.scenes.scene import Sensor

LUMA = (0.2126, 0.7152, 0.0722)


def pixel_noise(seed: Tensor, height: int, width: int, channels: int) -> Tensor:
    """(B, channels, height, width) about standard normal, from a hash of seed and pixel."""
    index = torch.arange(channels * height * width, dtype=torch.int64, device=seed.device)
    bits = mix(mix(seed)[:, None] ^ (index + (1 << 40)))
    total = torch.stack([((bits >> shift) & 0xFFFF).to(torch.float32) for shift in (0, 16, 32, 47)]).sum(0)
    return ((total * (1 / 65536) - 2.0) * 1.732).view(-1, channels, height, width)


def develop(light: Tensor, sensor: Sensor, seed: Tensor) -> Tensor:
    """(B, 3, H, W) linear light to sRGB in [0, 1]."""
    h, w = light.shape[2:]
    red, green, blue = light.unbind(1)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    level = torch.exp(torch.log(luma.clamp(1e-3, 4.0)).flatten(1).mean(-1))
    stops = torch.log2(sensor.exposure / level)
    gain = torch.exp2((stops * 16).round() / 16)  # in sixteenths of a stop, so that rounding cannot show
    y = torch.linspace(-1, 1, h, device=light.device)[:, None]
    x = torch.linspace(-1, 1, w, device=light.device)[None]
    corner = (x * x + y * y) / 2
    shade = 1 - sensor.vignette[:, None, None] * corner
    out = light * (gain[:, None, None] * shade)[:, None] * sensor.white_balance[:, :, None, None]
    out = spread(out, sensor.blur)
    out = (1 - torch.exp(-1.35 * out.clamp_min(0))) / (1 - torch.exp(torch.tensor(-1.35 * 2.2)))
    out = out.clamp(1e-5, 1) ** (1 / 2.2)
    grey = out.mean(1, keepdim=True)
    out = (grey + (out - grey) * sensor.saturation[:, None, None, None]).clamp(0, 1)
    curve = out * out * (3 - 2 * out)
    out = out + (curve - out) * sensor.contrast[:, None, None, None]
    return (out + pixel_noise(seed, h, w, 3) * sensor.noise[:, None, None, None]).clamp(0, 1)


def spread(image: Tensor, weight: Tensor) -> Tensor:
    """Mix (B, C, H, W) with its 3x3 binomial blur by a weight (B,)."""
    padded = torch.nn.functional.pad(image, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]) / 4
    blurred = (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]) / 4
    return image + (blurred - image) * weight[:, None, None, None]
