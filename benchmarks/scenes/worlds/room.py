"""Rooms: furniture along the walls, a table with things on it, people and pets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import lighting
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID, CLASSES
from visionrouter.benchmarks.scenes.worlds.ground import Regions
from visionrouter.benchmarks.scenes.worlds.interior import fittings, walls
from visionrouter.benchmarks.scenes.worlds.layout import (
    ANYWHERE,
    camera,
    classes,
    column,
    odd_scale,
    scatter,
    strangers,
    subject,
)
from visionrouter.benchmarks.scenes.worlds.plan import Plan

MOTIFS = {
    "person": 5.0,
    "cat": 1.5,
    "dog": 1.0,
    "chair": 1.0,
    "potted plant": 0.8,
    "suitcase": 0.6,
    "teddy bear": 0.6,
    "couch": 0.5,
    "sports ball": 0.4,
    "bicycle": 0.2,
}
FURNITURE = {
    "cabinet": 3.0,
    "couch": 2.0,
    "bed": 1.3,
    "refrigerator": 0.7,
    "chair": 1.0,
    "potted plant": 0.8,
    "lamp": 0.6,
}
HALF_DEPTH_M = {
    "cabinet": 0.34,
    "couch": 0.52,
    "bed": 1.12,
    "refrigerator": 0.42,
    "chair": 0.35,
    "potted plant": 0.45,
    "lamp": 0.3,
}
ON_TABLE = {
    "bottle": 1.2,
    "cup": 1.4,
    "bowl": 1.2,
    "wine glass": 0.8,
    "book": 1.2,
    "laptop": 1.0,
    "vase": 1.0,
    "apple": 0.7,
    "orange": 0.7,
    "banana": 0.7,
    "potted plant": 0.6,
    "keyboard": 0.4,
    "clock": 0.4,
    "teddy bear": 0.2,
    "lamp": 0.3,
    "tv": 0.3,
}
ON_CABINET = {
    "tv": 2.0,
    "vase": 1.0,
    "clock": 1.0,
    "lamp": 1.2,
    "potted plant": 1.0,
    "book": 1.0,
    "teddy bear": 0.6,
    "bowl": 0.5,
}
ON_FLOOR = {
    "person": 3.5,
    "dog": 0.9,
    "cat": 1.0,
    "sports ball": 1.0,
    "suitcase": 1.0,
    "crate": 1.0,
    "potted plant": 1.2,
    "lamp": 1.0,
    "chair": 1.5,
    "teddy bear": 0.7,
    "book": 0.5,
    "bench": 0.3,
    "bicycle": 0.2,
    "dining table": 0.5,
    "vase": 0.4,
}
HUGE = ("elephant", "giraffe", "airplane", "windmill")
"""Held-out classes that come indoors only as toys."""
MOTIF, WALL, TABLE = 0, slice(1, 8), 8
ON_TABLE_SLOTS, SEATS, ON_WALL_SLOTS, FREE = slice(9, 17), slice(17, 21), slice(21, 28), slice(28, 38)


@dataclass
class Space:
    """A room about the origin; (B,) metres."""

    half_x: Tensor
    half_z: Tensor
    height: Tensor

    @property
    def bounds(self) -> Tensor:
        """(B, 6) as in `Environment`."""
        floor = torch.zeros_like(self.height)
        return torch.stack([-self.half_x, self.half_x, floor, self.height, -self.half_z, self.half_z], -1)


def room(draw: Draw, ood: bool) -> tuple[Plan, Environment, Camera, Parts | None]:
    """Plan, surroundings and camera of B rooms."""
    plan = Plan.empty(len(draw))
    space = Space(column(draw, 1.6, 3.2), column(draw, 1.8, 3.8), column(draw, 2.25, 3.1))
    _along_walls(draw, plan, space)
    _table_with_seats(draw, plan, space)
    _anywhere(draw, plan, space, ood)
    plan.scale[:] = odd_scale(draw, plan.scale.shape[1], ood).clamp(0.8, 1.2)
    plan.scale[torch.isin(plan.class_id, torch.tensor([CLASS_ID[name] for name in HUGE]))] *= 0.12
    view = _view(draw, plan, space)
    face_class, face_material = walls(draw, ood)
    region, region_class, region_material = Regions(len(draw)).stacked()
    surroundings = Environment(
        bounds=space.bounds,
        face_class=face_class,
        face_material=face_material,
        region=region,
        region_class=region_class,
        region_material=region_material,
        **vars(lighting.indoors(draw, space.bounds)),
    )
    return plan, surroundings, view, fittings(draw, space.bounds)


def _along_walls(draw: Draw, plan: Plan, space: Space) -> None:
    """Furniture with its back to a wall, and small things on the cabinets among it."""
    m = WALL.stop - WALL.start
    ids = classes(draw, FURNITURE, m)
    depth = torch.zeros(len(CLASSES))
    for name, value in HALF_DEPTH_M.items():
        depth[CLASS_ID[name]] = value
    away = depth[ids] * 1.02 + 0.03
    along, side = draw.uniform(-0.8, 0.8, m), draw.integer(4, m)
    on_x, sign = side < 2, torch.where(side % 2 == 0, -1.0, 1.0)
    half_x, half_z = space.half_x[:, None], space.half_z[:, None]
    x = torch.where(on_x, sign * (half_x - away), along * (half_x - 0.6))
    z = torch.where(on_x, along * (half_z - 0.6), sign * (half_z - away))
    heading = torch.where(on_x, -sign * math.pi / 2, torch.where(sign > 0, math.pi, 0.0))
    heading = heading + draw.normal(m) * 0.03
    place = torch.stack([x, torch.zeros_like(x), z], -1)
    scatter(plan, WALL, draw, ids, place, heading, draw.uniform(0.65, 1.0, 1))
    top = torch.where(plan.class_id[:, WALL] == CLASS_ID["cabinet"], classes(draw, ON_CABINET, m), -1)
    scatter(plan, ON_WALL_SLOTS, draw, top, place, heading + draw.normal(m) * 0.2, 0.7)
    plan.parent[:, ON_WALL_SLOTS] = torch.arange(WALL.start, WALL.stop)


def _table_with_seats(draw: Draw, plan: Plan, space: Space) -> None:
    n = len(draw)
    x, z = column(draw, -0.5, 0.5) * space.half_x, column(draw, -0.3, 0.6) * space.half_z
    turn = (column(draw, -0.3, 0.3) + math.pi / 2 * draw.integer(2, 1)[:, 0])[:, None]
    middle = torch.stack([x, torch.zeros(n), z], -1)[:, None]
    table = torch.full((n, 1), CLASS_ID["dining table"])
    scatter(plan, slice(TABLE, TABLE + 1), draw, table, middle, turn, 0.7)

    m = ON_TABLE_SLOTS.stop - ON_TABLE_SLOTS.start
    across, along = draw.uniform(-0.42, 0.42, m), draw.uniform(-0.3, 0.3, m)
    sin, cos = turn.sin(), turn.cos()
    offset = torch.stack([cos * across + sin * along, torch.zeros(n, m), cos * along - sin * across], -1)
    share, heading = draw.uniform(0.4, 1.0, 1), draw.uniform(0, ANYWHERE, m)
    scatter(plan, ON_TABLE_SLOTS, draw, classes(draw, ON_TABLE, m), middle + offset, heading, share)
    plan.parent[:, ON_TABLE_SLOTS] = TABLE

    m = SEATS.stop - SEATS.start
    angle = turn + math.pi / 2 * torch.arange(m) + draw.normal(m) * 0.15
    far = draw.uniform(0.75, 1.1, m)
    offset = torch.stack([far * angle.sin(), torch.zeros(n, m), far * angle.cos()], -1)
    chair = torch.full((n, m), CLASS_ID["chair"])
    scatter(plan, SEATS, draw, chair, middle + offset, angle + math.pi, 0.6)


def _anywhere(draw: Draw, plan: Plan, space: Space, ood: bool) -> None:
    m = FREE.stop - FREE.start
    x = draw.uniform(-0.85, 0.85, m) * (space.half_x[:, None] - 0.3)
    z = draw.uniform(-0.85, 0.85, m) * (space.half_z[:, None] - 0.3)
    ids = classes(draw, ON_FLOOR, m)
    if ood:
        ids = strangers(draw, ids, 0.5)
    place, heading = torch.stack([x, torch.zeros_like(x), z], -1), draw.uniform(0, ANYWHERE, m)
    scatter(plan, FREE, draw, ids, place, heading, draw.uniform(0.25, 0.95, 1))


def _view(draw: Draw, plan: Plan, space: Space) -> Camera:
    """From near the back wall into the room."""
    x = column(draw, -0.8, 0.8) * (space.half_x - 0.3)
    z = -column(draw, 0.55, 0.95) * (space.half_z - 0.2)
    y = torch.minimum(column(draw, 0.9, 1.9), space.height - 0.3)
    aim_x, aim_z = column(draw, -0.6, 0.6) * space.half_x, column(draw, -0.3, 0.8) * space.half_z
    yaw = torch.atan2(aim_x - x, aim_z - z)
    eye = torch.stack([x, y, z], -1)
    close, look = subject(draw, plan, MOTIF, MOTIFS, eye, yaw, 0.35)
    pitch = torch.where(close, look.clamp(-0.3, 0.8), column(draw, 0.02, 0.38))
    return camera(draw, eye, yaw, pitch, (48, 95))
