"""Open landscapes: meadow, beach, lake, desert or snow, with hills, animals, people and boats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import lighting
from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts
from visionrouter.benchmarks.scenes.shapes import Assembly
from visionrouter.benchmarks.scenes.textures import Pattern
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID
from visionrouter.benchmarks.scenes.worlds.common import (
    ANYWHERE, Regions, camera, classes, column, ground, lift, odd_scale, open_bounds, scatter, sides, strangers, subject,
)  # fmt: skip
from visionrouter.benchmarks.scenes.worlds.furnish import Plan, stuff_parts

BASES = ("grass", "sand", "dirt", "snow")
GROWTH = {"tree": 5.0, "bush": 2.5, "rock": 2.5, "fence": 0.6, "building": 0.8}
CREATURES = {
    "person": 4.0, "dog": 1.5, "horse": 1.5, "cow": 1.5, "sheep": 2.0, "bird": 1.5, "cat": 0.3, "sports ball": 1.0, "bench": 0.7,
    "car": 0.8, "bicycle": 0.8, "crate": 0.5, "motorcycle": 0.4, "suitcase": 0.3, "truck": 0.3, "cone": 0.4, "chair": 0.5,
}  # fmt: skip


MOTIFS = {
    "person": 6.0, "dog": 1.5, "horse": 1.5, "cow": 1.0, "sheep": 1.0, "bird": 0.8, "cat": 0.6, "bicycle": 0.6, "car": 0.8,
    "bench": 0.5, "rock": 0.5, "bush": 0.3, "sports ball": 0.4, "motorcycle": 0.4,
}  # fmt: skip


def landscape(draw: Draw, ood: bool) -> tuple[Plan, Environment, Camera, Parts | None]:
    """Plan, surroundings and camera of B landscapes."""
    n = len(draw)
    plan = Plan.empty(n)
    shore = draw.chance(0.45, 1)[:, 0]
    shore_turn = column(draw, -0.5, 0.5) + math.pi / 2
    shore_turn = torch.where(draw.chance(0.3, 1)[:, 0], column(draw, -0.6, 0.6), shore_turn)
    water_from, water_wide = column(draw, 7, 28), column(draw, 8, 120)
    water_wide = torch.where(draw.chance(0.5, 1)[:, 0], 700.0, water_wide)
    sideways = draw.sign(1)[:, 0]
    # the middle line of the water, so far off that its near bank lies `water_from` away
    normal = torch.stack([shore_turn.cos(), -shore_turn.sin()], -1)
    normal = normal * torch.where(normal[:, 1].abs() > 0.5, normal[:, 1].sign(), sideways)[:, None]
    middle = normal * (water_from + water_wide)[:, None]

    def offshore(position: Tensor) -> Tensor:
        """(B, m) metres beyond the near bank, negative on land."""
        return position[..., 0] * normal[:, :1] + position[..., 2] * normal[:, 1:] - water_from[:, None]

    def view_cone(m: int, low: float, high: float, wide: float) -> Tensor:
        z = draw.log_uniform(low, high, m)
        x = z * draw.uniform(-wide, wide, m)
        return torch.stack([x, torch.zeros_like(x), z], -1)

    herd = torch.where(draw.chance(0.35, 1), draw.choose([0.4, 0.3, 0.3], 1), torch.full((n, 1), -1))
    m = 14
    ids = classes(draw, CREATURES, m)
    grazing = torch.tensor([CLASS_ID[c] for c in ("sheep", "cow", "horse")])[herd.clamp_min(0)]
    ids = torch.where((herd >= 0) & draw.chance(0.6, m), grazing, ids)
    if ood:
        ids = strangers(draw, ids, 0.55)
    scatter(plan, slice(0, m), draw, ids, view_cone(m, 2.2, 35, 0.75), draw.uniform(0, ANYWHERE, m), draw.uniform(0.3, 1.0, 1))
    s = m
    m = 16
    scatter(plan, slice(s, s + m), draw, classes(draw, GROWTH, m), view_cone(m, 4, 90, 0.9), draw.uniform(0, ANYWHERE, m), draw.uniform(0.25, 1.0, 1))
    s += m
    m = 6
    boats = view_cone(m, 10, 120, 0.8)
    scatter(plan, slice(s, s + m), draw, torch.full((n, m), CLASS_ID["boat"]), boats, draw.uniform(0, ANYWHERE, m), 0.6)
    wet = shore[:, None] & (offshore(plan.position) > -1.0)
    floats = (plan.class_id == CLASS_ID["boat"]) | (plan.class_id == CLASS_ID["bird"])
    deep = offshore(plan.position) > 3.0
    is_boat = plan.class_id == CLASS_ID["boat"]
    plan.class_id = torch.where((wet & ~floats) | (is_boat & ~(deep & shore[:, None])), -1, plan.class_id)
    plan.scale[:] = odd_scale(draw, plan.scale.shape[1], ood)
    lift(draw, plan)
    forward = torch.stack([plan.heading.sin(), torch.zeros_like(plan.heading), plan.heading.cos()], -1)
    still = torch.isin(plan.class_id, torch.tensor([CLASS_ID[c] for c in (*GROWTH, "bench", "crate", "cone", "chair", "suitcase")]))
    plan.velocity[:] = forward * (draw.uniform(0, 2.0, plan.heading.shape[1]) * ~still)[..., None]

    height = torch.where(draw.chance(0.25, 1)[:, 0], column(draw, 2.5, 9.0), column(draw, 0.6, 2.0))
    eye = torch.stack([torch.zeros(n), height, torch.zeros(n)], -1)
    pitch = column(draw, -0.08, 0.12) + (height - 1.6).clamp_min(0) * 0.04
    yaw = column(draw, -0.2, 0.2)
    close, look = subject(draw, plan, 0, MOTIFS, eye, yaw, 0.4)
    view = camera(draw, eye, yaw, torch.where(close, look.clamp(-0.4, 0.6), pitch), (32, 80))
    choice = draw.choose([0.5, 0.2, 0.18, 0.12], 1)
    base = torch.stack([ground(draw, name) for name in BASES], 1)[torch.arange(n), choice[:, 0]]
    face_class, face_material = sides(n, (None,) * 6, [base] * 6)
    face_class = face_class.clone()
    face_class[:, 2] = torch.tensor([CLASS_ID[name] for name in BASES])[choice[:, 0]]
    regions = Regions(n)
    wobble = column(draw, 0.3, 2.5)
    path = draw.chance(0.35, 1)[:, 0]
    regions.add("grass", ground(draw, "grass"), (column(draw, -20, 20), column(draw, 5, 40)), column(draw, 0, 3), column(draw, 3, 12), 2.0, 0.02, where=draw.chance(0.3, 1)[:, 0])
    regions.add("dirt", ground(draw, "dirt"), (column(draw, -4, 4), 0.0), column(draw, -0.7, 0.7), column(draw, 0.5, 1.8), column(draw, 0.2, 1.2), 0.03, where=path)
    at = (middle[:, 0], middle[:, 1])
    regions.add("sand", ground(draw, "sand"), at, shore_turn, water_wide + column(draw, 1.5, 6), wobble, 0.012, where=shore & draw.chance(0.7, 1)[:, 0])
    regions.add("water", ground(draw, "water"), at, shore_turn, water_wide, wobble, 0.012, where=shore)
    region, region_class, region_material = regions.stacked()
    surroundings = Environment(
        bounds=open_bounds(n), face_class=face_class, face_material=face_material, region=region,
        region_class=region_class, region_material=region_material, **vars(lighting.outdoors(draw)),
    )  # fmt: skip
    return plan, surroundings, view, _hills(draw, face_class[:, 2], base)


def _hills(draw: Draw, base_class: Tensor, base: Tensor) -> Parts:
    """Far mountains and nearer hills of the ground's own kind."""
    n = len(draw)
    a = Assembly(n)
    ids = []
    rugged = draw.chance(0.55, 1)[:, 0]
    stone = mat.between(draw, (0.22, 0.22, 0.24), (0.5, 0.47, 0.44))
    mountain = mat.material(
        stone, n, second=torch.where(draw.chance(0.4, 1), torch.tensor([0.9, 0.91, 0.93]), stone * 0.6), pattern=Pattern.NOISE,
        frequency=column(draw, 0.008, 0.03), mottle=0.5, bump=1.2,
    )  # fmt: skip
    for _ in range(9):
        angle, far = column(draw, -0.95, 0.95), column(draw, 260, 900)
        tall, wide = far * column(draw, 0.04, 0.17), far * column(draw, 0.15, 0.5)
        x, z = far * angle.sin(), far * angle.cos()
        peaked = draw.chance(0.7, 1)[:, 0]
        there = rugged & draw.chance(0.8, 1)[:, 0]
        a.spindle(
            (x, tall * 0.9, z), (wide, tall, wide * column(draw, 0.5, 1.0)), mountain, top=column(draw, 0.02, 0.12),
            bulge=column(draw, -0.16, 0.02), where=there & peaked,
        )  # fmt: skip
        a.ball((x, 0, z), (wide * 1.3, tall * 0.8, wide), mountain, where=there & ~peaked)
        ids += [torch.full((n,), CLASS_ID["mountain"])] * 2
    hilly = draw.chance(0.45, 1)[:, 0]
    for _ in range(4):
        angle, far = column(draw, -0.9, 0.9), column(draw, 90, 260)
        wide = far * column(draw, 0.2, 0.7)
        a.ball((far * angle.sin(), 0, far * angle.cos()), (wide, far * column(draw, 0.02, 0.1), wide * 0.6), base, where=hilly)
        ids.append(base_class)
    return stuff_parts(ids, a.stacked())
