"""Rooms: furniture along the walls, a table with things on it, people and pets."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import lighting
from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import rotation_y
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts
from visionrouter.benchmarks.scenes.shapes import Assembly
from visionrouter.benchmarks.scenes.textures import Pattern
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID, CLASSES
from visionrouter.benchmarks.scenes.worlds.common import (
    ANYWHERE, Regions, camera, classes, column, ground, odd_scale, scatter, sides, strangers, subject,
)  # fmt: skip
from visionrouter.benchmarks.scenes.worlds.furnish import Plan, stuff_parts

FURNITURE = {"cabinet": 3.0, "couch": 2.0, "bed": 1.3, "refrigerator": 0.7, "chair": 1.0, "potted plant": 0.8, "lamp": 0.6}
HALF_DEPTH_M = {"cabinet": 0.34, "couch": 0.52, "bed": 1.12, "refrigerator": 0.42, "chair": 0.35, "potted plant": 0.45, "lamp": 0.3}
ON_TABLE = {
    "bottle": 1.2, "cup": 1.4, "bowl": 1.2, "wine glass": 0.8, "book": 1.2, "laptop": 1.0, "vase": 1.0, "apple": 0.7,
    "orange": 0.7, "banana": 0.7, "potted plant": 0.6, "keyboard": 0.4, "clock": 0.4, "teddy bear": 0.2, "lamp": 0.3, "tv": 0.3,
}  # fmt: skip
ON_CABINET = {"tv": 2.0, "vase": 1.0, "clock": 1.0, "lamp": 1.2, "potted plant": 1.0, "book": 1.0, "teddy bear": 0.6, "bowl": 0.5}
ON_FLOOR = {
    "person": 3.5, "dog": 0.9, "cat": 1.0, "sports ball": 1.0, "suitcase": 1.0, "crate": 1.0, "potted plant": 1.2, "lamp": 1.0,
    "chair": 1.5, "teddy bear": 0.7, "book": 0.5, "bench": 0.3, "bicycle": 0.2, "dining table": 0.5, "vase": 0.4,
}  # fmt: skip


def walls(draw: Draw, ood: bool) -> tuple[Tensor, Tensor]:
    """Floor, four walls of one or two looks, and a ceiling."""
    n = len(draw)
    wall, other = ground(draw, "wall", ood), ground(draw, "wall", ood)
    accent = torch.where(draw.chance(0.25, 1), other, wall)
    floor, ceiling = ground(draw, "floor", ood), ground(draw, "ceiling")
    return sides(n, ("wall", "wall", "floor", "ceiling", "wall", "wall"), [wall, wall, floor, ceiling, wall, accent])


def fittings(draw: Draw, bounds: Tensor) -> Parts:
    """Pictures, windows and doors on the walls and a rug on the floor; they belong to wall and floor."""
    n = len(draw)
    a = Assembly(n)
    x0, x1, _, height, z0, z1 = bounds.unbind(-1)
    ids = []
    rug_there = draw.chance(0.45, 1)[:, 0]
    turn = any_turn(draw)
    a.box(
        (column(draw, -0.6, 0.6), 0.004, column(draw, -0.6, 0.6)), (column(draw, 0.6, 1.4), 0.006, column(draw, 0.5, 1.1)),
        mat.cloth(draw), turn=turn, where=rug_there,
    )  # fmt: skip
    ids.append("floor")
    for _ in range(7):
        picture = mat.material(
            draw.uniform(0.05, 0.95, 3), n, second=draw.uniform(0.05, 0.95, 3), frequency=draw.log_uniform(2, 15, 1)[:, 0],
            pattern=torch.tensor([Pattern.CAMOUFLAGE, Pattern.NOISE, Pattern.MARBLE, Pattern.CHECKS], dtype=torch.float32)[draw.integer(4, 1)[:, 0]],
            phase=column(draw, 0, 90),
        )  # fmt: skip
        daylight = mat.material(mat.between(draw, (0.6, 0.75, 0.95), (0.95, 0.96, 0.98)), n, emission=column(draw, 0.3, 1.4))
        door = mat.wood(draw)
        kind = draw.choose([0.6, 0.3, 0.1], 1)
        look = torch.where(kind == 0, picture, torch.where(kind == 1, daylight, door))
        is_door, is_window = kind[:, 0] == 2, kind[:, 0] == 1
        w = torch.where(is_door, 0.45, torch.where(is_window, column(draw, 0.4, 1.0), column(draw, 0.12, 0.5)))
        h = torch.where(is_door, 1.0, torch.where(is_window, column(draw, 0.4, 0.7), column(draw, 0.12, 0.4)))
        y = torch.where(is_door, 1.0, torch.minimum(column(draw, 1.3, 1.8), height - h - 0.1))
        there = draw.chance(0.5, 1)[:, 0]
        side = draw.integer(4, 1)[:, 0]
        on_x = side < 2
        place = column(draw, -0.8, 0.8)
        x = torch.where(side == 0, x0, torch.where(side == 1, x1, place * (x1 - w)))
        z = torch.where(on_x, place * (z1 - w), torch.where(side == 2, z0, z1))
        frame = mat.material(draw.uniform(0.05, 0.95, 1).expand(-1, 3), n)
        for grow, thick, material in ((0.04, 0.02, frame), (0.0, 0.025, look)):
            half = (torch.where(on_x, thick, w + grow), h + grow, torch.where(on_x, w + grow, thick))
            a.box((x, y, z), half, material, where=there)
            ids.append("wall")
    return stuff_parts([torch.full((n,), CLASS_ID[name]) for name in ids], a.stacked())


def any_turn(draw: Draw) -> Tensor:
    """A random turn about y, often none."""
    return rotation_y(column(draw, 0, ANYWHERE) * draw.chance(0.3, 1)[:, 0])


MOTIFS = {
    "person": 5.0, "cat": 1.5, "dog": 1.0, "chair": 1.0, "potted plant": 0.8, "suitcase": 0.6, "teddy bear": 0.6, "couch": 0.5,
    "sports ball": 0.4, "bicycle": 0.2,
}  # fmt: skip


def _bring_forward(plan: Plan) -> None:
    """Move the last slot to the front, where it wins collisions."""
    for name in ("class_id", "position", "heading", "scale", "velocity", "parent"):
        setattr(plan, name, getattr(plan, name).roll(1, 1))
    plan.parent = torch.where(plan.parent >= 0, plan.parent + 1, -1)


def room(draw: Draw, ood: bool) -> tuple[Plan, Environment, Camera, Parts | None]:
    """Plan, surroundings and camera of B rooms."""
    n = len(draw)
    plan = Plan.empty(n)
    half_x, half_z = column(draw, 1.6, 3.2), column(draw, 1.8, 3.8)
    height = column(draw, 2.25, 3.1)
    bounds = torch.stack([-half_x, half_x, torch.zeros(n), height, -half_z, half_z], -1)

    m = 7
    ids = classes(draw, FURNITURE, m)
    depth = torch.zeros(len(CLASSES))
    for name, value in HALF_DEPTH_M.items():
        depth[CLASS_ID[name]] = value
    side = draw.integer(4, m)
    away = depth[ids] * 1.02 + 0.03
    along = draw.uniform(-0.8, 0.8, m)
    on_x = side < 2
    sign = torch.where(side % 2 == 0, -1.0, 1.0)
    x = torch.where(on_x, sign * (half_x[:, None] - away), along * (half_x[:, None] - 0.6))
    z = torch.where(on_x, along * (half_z[:, None] - 0.6), sign * (half_z[:, None] - away))
    heading = torch.where(on_x, -sign * math.pi / 2, torch.where(sign > 0, math.pi, 0.0)) + draw.normal(m) * 0.03
    scatter(plan, slice(0, m), draw, ids, torch.stack([x, torch.zeros_like(x), z], -1), heading, draw.uniform(0.65, 1.0, 1))
    s = m
    table_x, table_z = column(draw, -0.5, 0.5) * half_x, column(draw, -0.3, 0.6) * half_z
    table_turn = column(draw, -0.3, 0.3) + math.pi / 2 * draw.integer(2, 1)[:, 0]
    table = torch.stack([table_x, torch.zeros(n), table_z], -1)
    scatter(
        plan, slice(s, s + 1), draw, torch.full((n, 1), CLASS_ID["dining table"]), table[:, None], table_turn[:, None], 0.7
    )
    table_slot = s
    s += 1
    m = 8
    reach = draw.uniform(-0.42, 0.42, m), draw.uniform(-0.3, 0.3, m)
    sin, cos = table_turn.sin()[:, None], table_turn.cos()[:, None]
    on = torch.stack([table_x[:, None] + cos * reach[0] + sin * reach[1], torch.zeros(n, m), table_z[:, None] - sin * reach[0] + cos * reach[1]], -1)
    ids = classes(draw, ON_TABLE, m)
    scatter(plan, slice(s, s + m), draw, ids, on, draw.uniform(0, ANYWHERE, m), draw.uniform(0.4, 1.0, 1))
    plan.parent[:, s : s + m] = table_slot
    s += m
    m = 4
    angle = table_turn[:, None] + math.pi / 2 * torch.arange(m) + draw.normal(m) * 0.15
    far = draw.uniform(0.75, 1.1, m)
    seat = torch.stack([table_x[:, None] + far * angle.sin(), torch.zeros(n, m), table_z[:, None] + far * angle.cos()], -1)
    scatter(plan, slice(s, s + m), draw, torch.full((n, m), CLASS_ID["chair"]), seat, angle + math.pi, 0.6)
    s += m
    m = 7  # one on each piece of furniture that is a cabinet
    ids = torch.where(plan.class_id[:, :m] == CLASS_ID["cabinet"], classes(draw, ON_CABINET, m), -1)
    scatter(plan, slice(s, s + m), draw, ids, plan.position[:, :m], plan.heading[:, :m] + draw.normal(m) * 0.2, 0.7)
    plan.parent[:, s : s + m] = torch.arange(m)
    s += m
    m = 10
    spot = draw.uniform(-0.85, 0.85, 2, m)
    floor = torch.stack([spot[:, 0] * (half_x[:, None] - 0.3), torch.zeros(n, m), spot[:, 1] * (half_z[:, None] - 0.3)], -1)
    ids = classes(draw, ON_FLOOR, m)
    if ood:
        ids = strangers(draw, ids, 0.5)
    scatter(plan, slice(s, s + m), draw, ids, floor, draw.uniform(0, ANYWHERE, m), draw.uniform(0.25, 0.95, 1))
    plan.scale[:] = odd_scale(draw, plan.scale.shape[1], ood).clamp(0.8, 1.2)
    big = torch.tensor([CLASS_ID[name] for name in ("elephant", "giraffe", "airplane", "windmill")])
    plan.scale[torch.isin(plan.class_id, big)] *= 0.12

    eye_x, eye_z = column(draw, -0.8, 0.8) * (half_x - 0.3), -column(draw, 0.55, 0.95) * (half_z - 0.2)
    eye_y = torch.minimum(column(draw, 0.9, 1.9), height - 0.3)
    yaw = torch.atan2(-eye_x + column(draw, -0.6, 0.6) * half_x, -eye_z + column(draw, -0.3, 0.8) * half_z)
    eye = torch.stack([eye_x, eye_y, eye_z], -1)
    close, look = subject(draw, plan, plan.class_id.shape[1] - 1, MOTIFS, eye, yaw, 0.35)
    _bring_forward(plan)
    view = camera(draw, eye, yaw, torch.where(close, look.clamp(-0.3, 0.8), column(draw, 0.02, 0.38)), (48, 95))
    face_class, face_material = walls(draw, ood)
    region, region_class, region_material = Regions(n).stacked()
    surroundings = Environment(
        bounds=bounds, face_class=face_class, face_material=face_material, region=region, region_class=region_class,
        region_material=region_material, **vars(lighting.indoors(draw, bounds)),
    )  # fmt: skip
    return plan, surroundings, view, fittings(draw, bounds)
