"""The shell of a room: walls, floor and ceiling, and what hangs on them."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import rotation_y
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Parts
from visionrouter.benchmarks.scenes.shapes import Assembly
from visionrouter.benchmarks.scenes.textures import Pattern
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID
from visionrouter.benchmarks.scenes.worlds.furnish import stuff_parts
from visionrouter.benchmarks.scenes.worlds.ground import ground, sides
from visionrouter.benchmarks.scenes.worlds.layout import ANYWHERE, column

PICTURE, WINDOW, DOOR = range(3)
HANGINGS = 7
PAINTINGS = (Pattern.CAMOUFLAGE, Pattern.NOISE, Pattern.MARBLE, Pattern.CHECKS)


def walls(draw: Draw, ood: bool) -> tuple[Tensor, Tensor]:
    """Floor, four walls of one or two looks, and a ceiling."""
    n = len(draw)
    wall, other = ground(draw, "wall", ood), ground(draw, "wall", ood)
    accent = torch.where(draw.chance(0.25, 1), other, wall)
    floor, ceiling = ground(draw, "floor", ood), ground(draw, "ceiling")
    return sides(
        n, ("wall", "wall", "floor", "ceiling", "wall", "wall"), [wall, wall, floor, ceiling, wall, accent]
    )


def fittings(draw: Draw, bounds: Tensor) -> Parts:
    """Pictures, windows and doors on the walls and a rug on the floor; they belong to wall and floor."""
    n = len(draw)
    a = Assembly(n)
    place = (column(draw, -0.6, 0.6), 0.004, column(draw, -0.6, 0.6))
    extent = (column(draw, 0.6, 1.4), 0.006, column(draw, 0.5, 1.1))
    turn = rotation_y(column(draw, 0, ANYWHERE) * draw.chance(0.3, 1)[:, 0])
    a.box(place, extent, mat.cloth(draw), turn=turn, where=draw.chance(0.45, 1)[:, 0])
    for _ in range(HANGINGS):
        _hang(a, draw, bounds)
    names = ["floor"] + ["wall"] * (2 * HANGINGS)
    return stuff_parts([torch.full((n,), CLASS_ID[name]) for name in names], a.stacked())


def _hang(a: Assembly, draw: Draw, bounds: Tensor) -> None:
    """One picture, window or door in its frame, on any wall, in half of the rooms."""
    x0, x1, _, height, z0, z1 = bounds.unbind(-1)
    kind = draw.choose([0.6, 0.3, 0.1], 1)
    patterns = torch.tensor([int(p) for p in PAINTINGS], dtype=torch.float32)
    painting = mat.material(
        draw.uniform(0.05, 0.95, 3),
        a.n,
        second=draw.uniform(0.05, 0.95, 3),
        frequency=draw.log_uniform(2, 15, 1)[:, 0],
        pattern=patterns[draw.integer(len(PAINTINGS), 1)[:, 0]],
        phase=column(draw, 0, 90),
    )
    sky = mat.between(draw, (0.6, 0.75, 0.95), (0.95, 0.96, 0.98))
    daylight = mat.material(sky, a.n, emission=column(draw, 0.3, 1.4))
    look = torch.where(kind == PICTURE, painting, torch.where(kind == WINDOW, daylight, mat.wood(draw)))
    frame = mat.material(draw.uniform(0.05, 0.95, 1).expand(-1, 3), a.n)
    is_window, is_door = kind[:, 0] == WINDOW, kind[:, 0] == DOOR
    wide = torch.where(is_window, column(draw, 0.4, 1.0), column(draw, 0.12, 0.5)).masked_fill(is_door, 0.45)
    tall = torch.where(is_window, column(draw, 0.4, 0.7), column(draw, 0.12, 0.4)).masked_fill(is_door, 1.0)
    y = torch.minimum(column(draw, 1.3, 1.8), height - tall - 0.1).masked_fill(is_door, 1.0)
    there, side, along = draw.chance(0.5, 1)[:, 0], draw.integer(4, 1)[:, 0], column(draw, -0.8, 0.8)
    on_x = side < 2
    x = torch.where(side == 0, x0, torch.where(side == 1, x1, along * (x1 - wide)))
    z = torch.where(on_x, along * (z1 - wide), torch.where(side == 2, z0, z1))
    for border, thick, material in ((0.04, 0.02, frame), (0.0, 0.025, look)):
        across = torch.where(on_x, thick, wide + border), torch.where(on_x, wide + border, thick)
        a.box((x, y, z), (across[0], tall + border, across[1]), material, where=there)
