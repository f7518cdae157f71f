"""The town's look: flat colours under value noise, one sun with hard shadows, a soft tone curve, grey haze."""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.intersect import Vec, dot
from visionrouter.benchmarks.scenes.render import Sight
from visionrouter.benchmarks.scenes.scene import Environment, Scenes
from visionrouter.benchmarks.scenes.surface import Surface
from visionrouter.benchmarks.scenes.textures import Slot, value_noise

FARTHEST_M = 400.0
"""Ground beyond this is sky."""
IN_SHADOW = 0.12
"""Share of the sunlight that reaches a shadow."""
GLOSS = 40
HAZE_GREY = 0.8
GAMMA = 1.3


class Mark(IntEnum):
    """Pattern of the second colour. `Slot.FREQUENCY` holds the inverse of the part's half height, of the road's half
    width for its lanes."""

    PLAIN, WINDOWS, STRIPES, BAND, LANES = range(5)


def paint(scenes: Scenes, sight: Sight) -> Tensor:
    """(B, 3, height, width) in [0, 1] of what the camera sees."""
    environment, surface, ray = scenes.environment, sight.surface, sight.ray
    normal = surface.normal
    sun = Vec(*_per_scene(environment.key_light[:, :3]))
    lambert = dot(normal, sun).clamp_min(0) * (IN_SHADOW + (1 - IN_SHADOW) * sight.lit)
    length = dot(ray, ray).sqrt()
    direction = Vec(*(c / length for c in ray))
    half = Vec(*(s - d for s, d in zip(sun, direction, strict=True)))
    facing = (dot(normal, half) / dot(half, half).clamp_min(1e-8).sqrt()).clamp_min(0)
    highlight = surface.material[Slot.SPECULAR] * facing**GLOSS * (lambert > 0)
    upward = 0.5 + 0.5 * normal.y
    haze = 1 - torch.exp(-_per_scene(environment.haze[:, None])[0] * surface.distance.clamp_max(FARTHEST_M))
    layers = []
    for albedo, above, key, up, down in zip(
        _albedo(surface),
        _sky(environment, direction),
        _per_scene(environment.key_colour),
        _per_scene(environment.ambient_up),
        _per_scene(environment.ambient_down),
        strict=True,
    ):
        light = albedo * (down + (up - down) * upward + key * lambert) + highlight
        tone = torch.where(surface.sky, above, light).clamp(0, 1) ** (1 / GAMMA)
        layers.append(torch.where(surface.sky, tone, tone + (HAZE_GREY - tone) * haze))
    return torch.stack(layers, 1)[:, :, : sight.height, : sight.width].clamp(0, 1)


def _per_scene(values: Tensor) -> tuple[Tensor, ...]:
    """(B, n) to n tensors (B, 1, 1)."""
    return tuple(v[:, None, None] for v in values.unbind(-1))


def _fraction(x: Tensor) -> Tensor:
    return x - x.floor()


def _albedo(surface: Surface) -> list[Tensor]:
    material, p = surface.material, surface.local
    size = 1 / material[Slot.FREQUENCY].clamp_min(1e-6)
    across = surface.u.abs()
    patterns = {
        Mark.WINDOWS: (_fraction(p.y * 0.9) > 0.45) & (_fraction((p.x + p.z) * 0.8) > 0.45),
        Mark.STRIPES: _fraction((p.y + p.x) * 5) > 0.6,
        Mark.BAND: p.y.abs() < 0.25 * size,
        Mark.LANES: (across < 0.10) & (_fraction(p.z * 0.33) > 0.5) | ((across - size + 0.3).abs() < 0.07),
    }
    marked = torch.zeros_like(surface.sky)
    for mark, where in patterns.items():
        marked |= where & (material[Slot.PATTERN] == int(mark))
    phase = material[Slot.PHASE]
    coarse, fine = (value_noise(Vec(*(c * scale + phase for c in p))) for scale in (2.3, 9.0))
    mottle = 0.72 + 0.34 * coarse + 0.18 * fine
    pairs = zip(material[Slot.RED : Slot.BLUE + 1], material[Slot.RED2 : Slot.BLUE2 + 1], strict=True)
    return [(torch.where(marked, b, a) * mottle).clamp(0, 1) for a, b in pairs]


def _sky(environment: Environment, direction: Vec) -> list[Tensor]:
    up, phase = direction.y.clamp_min(0), _per_scene(environment.clouds)[2]
    x = direction.x / (direction.y.clamp_min(0.02) + 0.15) * 2.5
    cloud = value_noise(Vec(x + phase, direction.y * 6 + phase, direction.z + phase))
    white = (cloud - 0.45).clamp_min(0) * 0.6
    ends = zip(_per_scene(environment.horizon), _per_scene(environment.zenith), strict=True)
    return [low + (high - low) * up + white for low, high in ends]
