"""Mountains and hills on the horizon."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Parts
from visionrouter.benchmarks.scenes.shapes import Assembly
from visionrouter.benchmarks.scenes.textures import Pattern
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID
from visionrouter.benchmarks.scenes.worlds.furnish import stuff_parts
from visionrouter.benchmarks.scenes.worlds.layout import column


def hills(draw: Draw, base_class: Tensor, base: Tensor) -> Parts:
    """Far mountains, and nearer hills of the ground's own class (B,) and material."""
    n = len(draw)
    a = Assembly(n)
    ids = []
    rugged = draw.chance(0.55, 1)[:, 0]
    stone = mat.between(draw, (0.22, 0.22, 0.24), (0.5, 0.47, 0.44))
    mountain = mat.material(
        stone,
        n,
        second=torch.where(draw.chance(0.4, 1), torch.tensor([0.9, 0.91, 0.93]), stone * 0.6),
        pattern=Pattern.NOISE,
        frequency=column(draw, 0.008, 0.03),
        mottle=0.5,
        bump=1.2,
    )
    for _ in range(9):
        angle, far = column(draw, -0.95, 0.95), column(draw, 260, 900)
        tall, wide = far * column(draw, 0.04, 0.17), far * column(draw, 0.15, 0.5)
        x, z = far * angle.sin(), far * angle.cos()
        peaked = draw.chance(0.7, 1)[:, 0]
        there = rugged & draw.chance(0.8, 1)[:, 0]
        a.spindle(
            (x, tall * 0.9, z),
            (wide, tall, wide * column(draw, 0.5, 1.0)),
            mountain,
            top=column(draw, 0.02, 0.12),
            bulge=column(draw, -0.16, 0.02),
            where=there & peaked,
        )
        a.ball((x, 0, z), (wide * 1.3, tall * 0.8, wide), mountain, where=there & ~peaked)
        ids += [torch.full((n,), CLASS_ID["mountain"])] * 2
    hilly = draw.chance(0.45, 1)[:, 0]
    for _ in range(4):
        angle, far = column(draw, -0.9, 0.9), column(draw, 90, 260)
        wide = far * column(draw, 0.2, 0.7)
        a.ball(
            (far * angle.sin(), 0, far * angle.cos()),
            (wide, far * column(draw, 0.02, 0.1), wide * 0.6),
            base,
            where=hilly,
        )
        ids.append(base_class)
    return stuff_parts(ids, a.stacked())
