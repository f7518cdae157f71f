"""Streets: a road with pavements, traffic, people, houses and clutter."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import lighting
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID
from visionrouter.benchmarks.scenes.worlds.common import (
    ANYWHERE, Regions, camera, classes, column, ground, lift, odd_scale, open_bounds, sides, strangers, subject,
)  # fmt: skip
from visionrouter.benchmarks.scenes.worlds.furnish import Plan

TRAFFIC = {"car": 6.0, "truck": 1.0, "bus": 1.2, "motorcycle": 1.0, "bicycle": 0.6}
WALKERS = {"person": 6.0, "dog": 0.7, "bicycle": 0.5}
KERB = {
    "tree": 3.0, "street light": 1.2, "traffic light": 1.0, "stop sign": 0.8, "bench": 1.0, "fire hydrant": 0.8, "bush": 0.8,
    "fence": 0.7, "car": 1.0, "bicycle": 0.8, "motorcycle": 0.5,
}  # fmt: skip
CLUTTER = {
    "cone": 2.0, "crate": 2.0, "sports ball": 1.5, "dog": 1.0, "cat": 0.6, "bird": 0.6, "potted plant": 0.8, "suitcase": 0.8,
    "person": 2.5, "rock": 0.4, "chair": 0.4, "bicycle": 0.5, "fire hydrant": 0.5, "teddy bear": 0.15,
}  # fmt: skip


MOTIFS = {
    "person": 6.0, "dog": 1.0, "car": 2.0, "bicycle": 1.0, "motorcycle": 0.8, "bus": 0.5, "truck": 0.5, "bench": 0.6, "cat": 0.5,
    "suitcase": 0.5, "fire hydrant": 0.5, "cone": 0.3, "sports ball": 0.3, "bird": 0.3,
}  # fmt: skip


def street(draw: Draw, ood: bool) -> tuple[Plan, Environment, Camera, Parts | None]:
    """Plan, surroundings and camera of B streets."""
    n = len(draw)
    plan = Plan.empty(n)
    angle, road = column(draw, -0.35, 0.35), column(draw, 2.6, 6.0)
    angle = torch.where(draw.chance(0.2, 1)[:, 0], column(draw, -1.5, 1.5), angle)
    middle = column(draw, -1, 1) * (road + 1.5)
    walk = column(draw, 1.5, 4.0)
    along = torch.stack([angle.sin(), angle.cos()], -1)
    across = torch.stack([angle.cos(), -angle.sin()], -1)

    def place(sideways: Tensor, ahead: Tensor) -> Tensor:
        """(B, m, 3) on the ground, from distances (B, m) across from the middle line and along it."""
        x = (middle + 0 * road)[:, None] + sideways * across[:, :1] + ahead * along[:, :1]
        z = sideways * across[:, 1:] + ahead * along[:, 1:]
        return torch.stack([x, torch.zeros_like(x), z], -1)

    def ahead(m: int, low: float, high: float) -> Tensor:
        return draw.log_uniform(low, high, m)

    busy = draw.uniform(0.15, 1.0, 1)
    edge = road[:, None]

    def fill(slots: slice, ids: Tensor, position: Tensor, heading: Tensor, share: Tensor | float, speed: Tensor) -> None:
        m = slots.stop - slots.start
        there = draw.chance(share, m)
        plan.class_id[:, slots] = torch.where(there, ids, -1)
        plan.position[:, slots] = position
        plan.heading[:, slots] = heading
        forward = torch.stack([heading.sin(), torch.zeros_like(heading), heading.cos()], -1)
        plan.velocity[:, slots] = forward * speed[..., None]

    def road_heading(m: int, sideways: Tensor) -> Tensor:
        oncoming = torch.where(sideways < 0, math.pi, 0.0)
        return angle[:, None] + oncoming + draw.normal(m) * 0.05

    m = 8
    lane = draw.sign(m) * edge * draw.uniform(0.3, 0.7, m)
    crossing = draw.chance(0.12, m)
    heading = road_heading(m, lane) + torch.where(crossing, draw.uniform(0, ANYWHERE, m), 0.0)
    fill(slice(0, m), classes(draw, TRAFFIC, m), place(lane, ahead(m, 5, 60)), heading, (busy * 1.1).clamp_max(0.95), draw.uniform(0, 12, m) * draw.chance(0.6, m))
    s = m
    m = 10
    side = draw.sign(m)
    crowd = torch.where(draw.chance(0.25, 1), draw.uniform(0.7, 1.0, 1), draw.uniform(0.15, 0.7, 1))
    spread = torch.where(draw.chance(0.25, m), draw.uniform(-1, 1, m) * edge, side * (edge + draw.uniform(0.2, 1.0, m) * walk[:, None]))
    heading = angle[:, None] + draw.choose([0.4, 0.4, 0.2], m) * math.pi / 1.0 + draw.normal(m) * 0.5
    fill(slice(s, s + m), classes(draw, WALKERS, m), place(spread, ahead(m, 2.0, 28)), heading, crowd, draw.uniform(0, 1.8, m))
    s += m
    m = 8
    side = draw.sign(m)
    kerb = side * (edge + draw.uniform(0.3, 0.7, m) + draw.chance(0.35, m) * walk[:, None])
    heading = angle[:, None] + math.pi / 2 * (draw.integer(4, m)) + draw.normal(m) * 0.12
    fill(slice(s, s + m), classes(draw, KERB, m), place(kerb, ahead(m, 3.5, 45)), heading, draw.uniform(0.35, 1.0, 1), torch.zeros(n, m))
    s += m
    m = 6
    side = draw.sign(m)
    set_back = edge + walk[:, None] + draw.uniform(5.5, 9.0, m)
    heading = angle[:, None] + torch.where(side > 0, math.pi / 2, -math.pi / 2) + draw.normal(m) * 0.02
    built = classes(draw, {"building": 5.0, "tree": 1.0}, m)
    fill(slice(s, s + m), built, place(side * set_back, draw.uniform(4, 60, m)), heading, draw.uniform(0.4, 1.0, 1), torch.zeros(n, m))
    s += m
    m = 8
    near = ahead(m, 1.6, 14)
    x = near * draw.uniform(-0.7, 0.7, m)
    free = torch.stack([x, torch.zeros_like(x), near], -1)
    odd = classes(draw, CLUTTER, m)
    if ood:
        odd = strangers(draw, odd, 0.6)
    fill(slice(s, s + m), odd, free, draw.uniform(0, ANYWHERE, m), draw.uniform(0.2, 0.95, 1), draw.uniform(0, 1, m) * draw.chance(0.3, m))
    plan.scale[:] = odd_scale(draw, plan.scale.shape[1], ood)
    lift(draw, plan)

    height = torch.where(draw.chance(0.2, 1)[:, 0], column(draw, 2.5, 7.0), column(draw, 0.9, 2.1))
    eye = torch.stack([torch.zeros(n), height, torch.zeros(n)], -1)
    pitch = column(draw, -0.06, 0.16) + (height - 1.6).clamp_min(0) * 0.06
    yaw = column(draw, -0.3, 0.3)
    close, look = subject(draw, plan, 0, MOTIFS, eye, yaw, 0.4)
    view = camera(draw, eye, yaw, torch.where(close, look.clamp(-0.4, 0.6), pitch), (35, 85))
    regions = Regions(n)
    verge = draw.chance(0.3, 1)[:, 0]
    at = (middle, torch.zeros(n))
    paved = torch.where(verge[:, None], ground(draw, "grass"), ground(draw, "pavement"))
    regions.add("pavement", ground(draw, "pavement"), at, angle, road + walk, where=~verge)
    crossing_road = draw.chance(0.3, 1)[:, 0]
    tarmac = ground(draw, "road")
    where = column(draw, 8, 30)
    side_point = (middle + where * angle.sin(), where * angle.cos())
    regions.add("road", tarmac, side_point, angle + math.pi / 2, road * 0.8, where=crossing_road)
    regions.add("road", tarmac, at, angle, road)
    grass = draw.chance(0.5, 1)[:, 0]
    base = torch.where(grass[:, None], paved * 0 + ground(draw, "grass"), ground(draw, "pavement"))
    face_class, face_material = sides(n, (None,) * 6, [base] * 6)
    face_class = face_class.clone()
    face_class[:, 2] = torch.where(grass, CLASS_ID["grass"], CLASS_ID["pavement"])
    region, region_class, region_material = regions.stacked()
    light = lighting.outdoors(draw)
    surroundings = Environment(
        bounds=open_bounds(n), face_class=face_class, face_material=face_material, region=region,
        region_class=region_class, region_material=region_material, **vars(light),
    )  # fmt: skip
    return plan, surroundings, view, None
