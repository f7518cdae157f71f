"""Table tops: many small things near the camera, a room behind."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import lighting
from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.lighting import direction
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts
from visionrouter.benchmarks.scenes.shapes import Assembly
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID
from visionrouter.benchmarks.scenes.worlds.furnish import stuff_parts
from visionrouter.benchmarks.scenes.worlds.ground import Regions, ground
from visionrouter.benchmarks.scenes.worlds.interior import walls
from visionrouter.benchmarks.scenes.worlds.layout import (
    ANYWHERE,
    camera,
    classes,
    column,
    odd_scale,
    scatter,
    strangers,
)
from visionrouter.benchmarks.scenes.worlds.plan import Plan

SMALL = {
    "bottle": 1.6,
    "cup": 1.8,
    "bowl": 1.3,
    "wine glass": 1.0,
    "book": 1.5,
    "laptop": 1.1,
    "keyboard": 0.9,
    "vase": 1.0,
    "apple": 1.3,
    "orange": 1.3,
    "banana": 1.1,
    "clock": 0.8,
    "potted plant": 0.7,
    "teddy bear": 0.7,
    "sports ball": 0.8,
    "lamp": 0.5,
    "crate": 0.5,
    "tv": 0.3,
    "cat": 0.3,
}
BEHIND = {
    "chair": 2.0,
    "person": 3.0,
    "couch": 1.5,
    "cabinet": 1.5,
    "potted plant": 1.0,
    "lamp": 0.7,
    "refrigerator": 0.6,
    "bed": 0.5,
}
TOY_SCALE = {
    "teddy bear": 0.6,
    "sports ball": 0.45,
    "lamp": 0.55,
    "crate": 0.3,
    "potted plant": 0.6,
    "tv": 0.55,
    "cat": 0.9,
    "elephant": 0.07,
    "giraffe": 0.05,
    "airplane": 0.04,
    "umbrella": 0.25,
    "barrel": 0.2,
    "windmill": 0.05,
    "snowman": 0.25,
    "toy rocket": 0.35,
}
"""Things that stand on a table only when small."""
FLOOR_M = -0.74
ON_TOP, BEYOND = slice(0, 24), slice(24, 31)


def table(draw: Draw, ood: bool) -> tuple[Plan, Environment, Camera, Parts | None]:
    """Plan, surroundings and camera of B table tops. The top of the table is the plane y = 0."""
    n = len(draw)
    plan = Plan.empty(n)
    half_x, half_z = column(draw, 0.45, 1.1), column(draw, 0.35, 0.75)
    _on_top(draw, plan, half_x, half_z, ood)
    _beyond(draw, plan, half_z)
    view = _view(draw, half_x, half_z)
    floor = torch.full((n,), FLOOR_M)
    left, right, deep = (column(draw, 1.8, 4.0) for _ in range(3))
    height = column(draw, 2.3, 2.8)
    bounds = torch.stack([-left, right, floor, floor + height, torch.full((n,), -2.2), half_z + deep], -1)
    face_class, face_material = walls(draw, ood)
    region, region_class, region_material = Regions(n).stacked()
    surroundings = Environment(
        bounds=bounds,
        face_class=face_class,
        face_material=face_material,
        region=region,
        region_class=region_class,
        region_material=region_material,
        **vars(lighting.indoors(draw, bounds)),
    )
    return plan, surroundings, view, _table_top(draw, half_x, half_z, ood)


def _on_top(draw: Draw, plan: Plan, half_x: Tensor, half_z: Tensor, ood: bool) -> None:
    m = ON_TOP.stop - ON_TOP.start
    crowd, spread = draw.uniform(0.3, 1.0, 1), draw.uniform(0.4, 0.85, 1)
    x = draw.uniform(-0.92, 0.92, m) * half_x[:, None] * spread
    z = draw.uniform(-0.92, 0.92, m) * half_z[:, None] * spread
    ids = classes(draw, SMALL, m)
    if ood:
        ids = strangers(draw, ids, 0.4)
    place, heading = torch.stack([x, torch.zeros_like(x), z], -1), draw.uniform(0, ANYWHERE, m)
    scatter(plan, ON_TOP, draw, ids, place, heading, crowd)
    plan.scale[:] = odd_scale(draw, plan.scale.shape[1], ood)
    for name, factor in TOY_SCALE.items():
        small = plan.class_id[:, ON_TOP] == CLASS_ID[name]
        plan.scale[:, ON_TOP] *= torch.where(small, factor, 1.0)


def _beyond(draw: Draw, plan: Plan, half_z: Tensor) -> None:
    """Furniture and people behind the table."""
    m = BEYOND.stop - BEYOND.start
    z = half_z[:, None] + draw.uniform(0.6, 2.6, m)
    x = draw.uniform(-1.0, 1.0, m) * (z + 0.6)
    place = torch.stack([x, torch.full_like(x, FLOOR_M), z], -1)
    heading = math.pi + draw.normal(m) * 0.6
    scatter(plan, BEYOND, draw, classes(draw, BEHIND, m), place, heading, draw.uniform(0.0, 0.7, 1))


def _view(draw: Draw, half_x: Tensor, half_z: Tensor) -> Camera:
    """Looks at the middle of the table from the front, sometimes from above."""
    distance = draw.log_uniform(0.5, 1.5, 1)
    above = draw.chance(0.12, 1)[:, 0]
    slope = torch.where(above, column(draw, 1.2, 1.5), column(draw, 0.22, 1.15))
    yaw = column(draw, -0.7, 0.7)
    aim = [column(draw, -0.2, 0.2) * half_x, column(draw, 0.02, 0.1), column(draw, -0.2, 0.2) * half_z]
    eye = torch.stack(aim, -1) - direction(-slope, yaw) * distance
    return camera(draw, eye, yaw + column(draw, -0.1, 0.1), slope + column(draw, -0.08, 0.08), (35, 75))


def _table_top(draw: Draw, half_x: Tensor, half_z: Tensor, ood: bool) -> Parts:
    """A round or rectangular top on a column, perhaps with a runner; all of it is stuff."""
    n = len(draw)
    a = Assembly(n)
    cover = torch.where(draw.chance(0.5, 1), mat.cloth(draw, ood), ground(draw, "floor", ood))
    look = torch.where(draw.chance(0.5, 1), mat.wood(draw), cover)
    round_top, runner = draw.chance(0.2, 1)[:, 0], draw.chance(0.3, 1)[:, 0]
    thick, wide = column(draw, 0.012, 0.03), torch.maximum(half_x, half_z)
    a.box((0, -thick, 0), (half_x, thick, half_z), look, where=~round_top)
    a.spindle((0, -thick, 0), (wide, thick, wide), look, where=round_top)
    a.spindle((0, (FLOOR_M - thick) / 2, 0), (0.06, -FLOOR_M / 2 - thick, 0.06), mat.wood(draw))
    strip = (column(draw, 0.2, 0.5) * half_x, 0.0012, half_z * 0.98)
    a.box((0, 0, 0), strip, mat.cloth(draw), where=runner & ~round_top)
    return stuff_parts([torch.full((n,), CLASS_ID["tabletop"])] * 4, a.stacked())
