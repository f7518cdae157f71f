"""Table tops: many small things near the camera, a room behind."""

from __future__ import annotations

import math

import torch

from visionrouter.benchmarks.scenes import lighting
from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts
from visionrouter.benchmarks.scenes.shapes import Assembly
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID
from visionrouter.benchmarks.scenes.worlds.common import (
    ANYWHERE, Regions, camera, classes, column, ground, odd_scale, scatter, strangers,
)  # fmt: skip
from visionrouter.benchmarks.scenes.worlds.furnish import Plan, stuff_parts
from visionrouter.benchmarks.scenes.worlds.room import walls

SMALL = {
    "bottle": 1.6, "cup": 1.8, "bowl": 1.3, "wine glass": 1.0, "book": 1.5, "laptop": 1.1, "keyboard": 0.9, "vase": 1.0,
    "apple": 1.3, "orange": 1.3, "banana": 1.1, "clock": 0.8, "potted plant": 0.7, "teddy bear": 0.7, "sports ball": 0.8,
    "lamp": 0.5, "crate": 0.5, "tv": 0.3, "cat": 0.3,
}  # fmt: skip
BEHIND = {"chair": 2.0, "person": 3.0, "couch": 1.5, "cabinet": 1.5, "potted plant": 1.0, "lamp": 0.7, "refrigerator": 0.6, "bed": 0.5}
FLOOR_M = -0.74


def table(draw: Draw, ood: bool) -> tuple[Plan, Environment, Camera, Parts | None]:
    """Plan, surroundings and camera of B table tops. The top of the table is the plane y = 0."""
    n = len(draw)
    plan = Plan.empty(n)
    half_x, half_z = column(draw, 0.45, 1.1), column(draw, 0.35, 0.75)
    m = 24
    crowd = draw.uniform(0.3, 1.0, 1)
    spread = draw.uniform(0.4, 0.85, 1)
    x = draw.uniform(-0.92, 0.92, m) * half_x[:, None] * spread
    z = draw.uniform(-0.92, 0.92, m) * half_z[:, None] * spread
    ids = classes(draw, SMALL, m)
    if ood:
        ids = strangers(draw, ids, 0.4)
    scatter(plan, slice(0, m), draw, ids, torch.stack([x, torch.zeros_like(x), z], -1), draw.uniform(0, ANYWHERE, m), crowd)
    plan.scale[:] = odd_scale(draw, plan.scale.shape[1], ood)
    indoors_only = {"teddy bear": 0.6, "sports ball": 0.45, "lamp": 0.55, "crate": 0.3, "potted plant": 0.6, "tv": 0.55, "cat": 0.9}
    toys = {"elephant": 0.07, "giraffe": 0.05, "airplane": 0.04, "umbrella": 0.25, "barrel": 0.2, "windmill": 0.05, "snowman": 0.25, "toy rocket": 0.35}
    for name, factor in (indoors_only | toys).items():
        plan.scale[:, :m] = torch.where(plan.class_id[:, :m] == CLASS_ID[name], plan.scale[:, :m] * factor, plan.scale[:, :m])
    s = m
    m = 7
    ahead = half_z[:, None] + draw.uniform(0.6, 2.6, m)
    x = draw.uniform(-1.0, 1.0, m) * (ahead + 0.6)
    place = torch.stack([x, torch.full_like(x, FLOOR_M), ahead], -1)
    heading = math.pi + draw.normal(m) * 0.6
    scatter(plan, slice(s, s + m), draw, classes(draw, BEHIND, m), place, heading, draw.uniform(0.0, 0.7, 1))

    distance = draw.log_uniform(0.5, 1.5, 1)[:, 0]
    slope = column(draw, 0.22, 1.15)
    slope = torch.where(draw.chance(0.12, 1)[:, 0], column(draw, 1.2, 1.5), slope)
    aim = torch.stack(
        [column(draw, -0.2, 0.2) * half_x, column(draw, 0.02, 0.1), column(draw, -0.2, 0.2) * half_z], -1
    )
    yaw = column(draw, -0.7, 0.7)
    back = torch.stack([yaw.sin() * slope.cos(), -slope.sin(), yaw.cos() * slope.cos()], -1)
    eye = aim - back * distance[:, None]
    view = camera(draw, eye, yaw + column(draw, -0.1, 0.1), slope + column(draw, -0.08, 0.08), (35, 75))
    size = torch.stack([column(draw, 1.9, 4.0), column(draw, 1.9, 4.0), column(draw, 1.9, 2.4), column(draw, 1.8, 4.0)], -1)
    bounds = torch.stack([-size[:, 0], size[:, 1], torch.full((n,), FLOOR_M), FLOOR_M + size[:, 2] + 0.4, torch.full((n,), -2.2), half_z + size[:, 3]], -1)
    face_class, face_material = walls(draw, ood)
    region, region_class, region_material = Regions(n).stacked()
    surroundings = Environment(
        bounds=bounds, face_class=face_class, face_material=face_material, region=region, region_class=region_class,
        region_material=region_material, **vars(lighting.indoors(draw, bounds)),
    )  # fmt: skip
    a = Assembly(n)
    look = torch.where(draw.chance(0.5, 1), mat.wood(draw), torch.where(draw.chance(0.5, 1), mat.cloth(draw, ood), ground(draw, "floor", ood)))
    round_top = draw.chance(0.2, 1)[:, 0]
    thick = column(draw, 0.012, 0.03)
    a.box((0, -thick, 0), (half_x, thick, half_z), look, where=~round_top)
    wide = torch.maximum(half_x, half_z)
    a.spindle((0, -thick, 0), (wide, thick, wide), look, where=round_top)
    a.spindle((0, (FLOOR_M - thick) / 2, 0), (0.06, -FLOOR_M / 2 - thick, 0.06), mat.wood(draw))
    cloth = draw.chance(0.3, 1)[:, 0]
    a.box((0, 0.0, 0), (column(draw, 0.2, 0.5) * half_x, 0.0012, half_z * 0.98), mat.cloth(draw), where=cloth & ~round_top)
    top = torch.full((n,), CLASS_ID["tabletop"])
    return plan, surroundings, view, stuff_parts([top] * 4, a.stacked())
