"""Streets: a road with pavements, traffic, people, houses and clutter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import lighting
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID
from visionrouter.benchmarks.scenes.worlds.ground import Regions, ground, open_bounds, sides
from visionrouter.benchmarks.scenes.worlds.layout import (
    ANYWHERE,
    camera,
    classes,
    column,
    forward,
    lift,
    odd_scale,
    scatter,
    strangers,
    subject,
)
from visionrouter.benchmarks.scenes.worlds.plan import Plan

MOTIFS = {
    "person": 6.0,
    "car": 2.0,
    "dog": 1.0,
    "bicycle": 1.0,
    "motorcycle": 0.8,
    "bench": 0.6,
    "bus": 0.5,
    "truck": 0.5,
    "cat": 0.5,
    "suitcase": 0.5,
    "fire hydrant": 0.5,
    "cone": 0.3,
    "sports ball": 0.3,
    "bird": 0.3,
}
TRAFFIC = {"car": 6.0, "truck": 1.0, "bus": 1.2, "motorcycle": 1.0, "bicycle": 0.6}
WALKERS = {"person": 6.0, "dog": 0.7, "bicycle": 0.5}
KERB = {
    "tree": 3.0,
    "street light": 1.2,
    "traffic light": 1.0,
    "bench": 1.0,
    "car": 1.0,
    "stop sign": 0.8,
    "fire hydrant": 0.8,
    "bush": 0.8,
    "bicycle": 0.8,
    "fence": 0.7,
    "motorcycle": 0.5,
}
HOUSES = {"building": 5.0, "tree": 1.0}
CLUTTER = {
    "person": 2.5,
    "cone": 2.0,
    "crate": 2.0,
    "sports ball": 1.5,
    "dog": 1.0,
    "potted plant": 0.8,
    "suitcase": 0.8,
    "cat": 0.6,
    "bird": 0.6,
    "bicycle": 0.5,
    "fire hydrant": 0.5,
    "rock": 0.4,
    "chair": 0.4,
    "teddy bear": 0.15,
}


@dataclass
class Road:
    """The road's middle line starts beside the camera; (B,) tensors in metres and radians."""

    start_x: Tensor
    heading: Tensor
    half_width: Tensor
    pavement: Tensor

    def place(self, sideways: Tensor, ahead: Tensor) -> Tensor:
        """(B, m, 3) on the ground, from metres (B, m) to the right of the middle line and along it."""
        sin, cos = self.heading.sin()[:, None], self.heading.cos()[:, None]
        x = self.start_x[:, None] + sideways * cos + ahead * sin
        return torch.stack([x, torch.zeros_like(x), ahead * cos - sideways * sin], -1)


def street(draw: Draw, ood: bool) -> tuple[Plan, Environment, Camera, Parts | None]:
    """Plan, surroundings and camera of B streets."""
    n = len(draw)
    plan = Plan.empty(n)
    road = _road(draw)
    _traffic(draw, plan, road, slice(0, 8))
    _walkers(draw, plan, road, slice(8, 18))
    _kerb(draw, plan, road, slice(18, 26))
    _houses(draw, plan, road, slice(26, 32))
    _clutter(draw, plan, slice(32, 40), ood)
    plan.scale[:] = odd_scale(draw, plan.scale.shape[1], ood)
    lift(draw, plan)

    height = torch.where(draw.chance(0.2, 1)[:, 0], column(draw, 2.5, 7.0), column(draw, 0.9, 2.1))
    eye = torch.stack([torch.zeros(n), height, torch.zeros(n)], -1)
    pitch = column(draw, -0.06, 0.16) + (height - 1.6).clamp_min(0) * 0.06
    yaw = column(draw, -0.3, 0.3)
    close, look = subject(draw, plan, 0, MOTIFS, eye, yaw, 0.4)
    view = camera(draw, eye, yaw, torch.where(close, look.clamp(-0.4, 0.6), pitch), (35, 85))
    return plan, _surroundings(draw, road), view, None


def _road(draw: Draw) -> Road:
    heading, half_width = column(draw, -0.35, 0.35), column(draw, 2.6, 6.0)
    heading = torch.where(draw.chance(0.2, 1)[:, 0], column(draw, -1.5, 1.5), heading)
    return Road(column(draw, -1, 1) * (half_width + 1.5), heading, half_width, column(draw, 1.5, 4.0))


def _traffic(draw: Draw, plan: Plan, road: Road, slots: slice) -> None:
    m = slots.stop - slots.start
    lane = draw.sign(m) * road.half_width[:, None] * draw.uniform(0.3, 0.7, m)
    heading = road.heading[:, None] + torch.where(lane < 0, math.pi, 0.0) + draw.normal(m) * 0.05
    crossing = draw.chance(0.12, m)
    heading = heading + torch.where(crossing, draw.uniform(0, ANYWHERE, m), 0.0)
    place = road.place(lane, draw.log_uniform(5, 60, m))
    scatter(plan, slots, draw, classes(draw, TRAFFIC, m), place, heading, draw.uniform(0.15, 1.0, 1))
    plan.velocity[:, slots] = forward(heading) * (draw.uniform(0, 12, m) * draw.chance(0.6, m))[..., None]


def _walkers(draw: Draw, plan: Plan, road: Road, slots: slice) -> None:
    m = slots.stop - slots.start
    edge = road.half_width[:, None]
    on_pavement = draw.sign(m) * (edge + draw.uniform(0.2, 1.0, m) * road.pavement[:, None])
    sideways = torch.where(draw.chance(0.25, m), draw.uniform(-1, 1, m) * edge, on_pavement)
    heading = road.heading[:, None] + draw.choose([0.5, 0.5], m) * math.pi + draw.normal(m) * 0.5
    crowd = torch.where(draw.chance(0.25, 1), draw.uniform(0.7, 1.0, 1), draw.uniform(0.15, 0.7, 1))
    place = road.place(sideways, draw.log_uniform(2.0, 28, m))
    scatter(plan, slots, draw, classes(draw, WALKERS, m), place, heading, crowd)
    plan.velocity[:, slots] = forward(heading) * draw.uniform(0, 1.8, m)[..., None]


def _kerb(draw: Draw, plan: Plan, road: Road, slots: slice) -> None:
    m = slots.stop - slots.start
    behind = draw.chance(0.35, m) * road.pavement[:, None]
    sideways = draw.sign(m) * (road.half_width[:, None] + draw.uniform(0.3, 0.7, m) + behind)
    heading = road.heading[:, None] + math.pi / 2 * draw.integer(4, m) + draw.normal(m) * 0.12
    place = road.place(sideways, draw.log_uniform(3.5, 45, m))
    scatter(plan, slots, draw, classes(draw, KERB, m), place, heading, draw.uniform(0.35, 1.0, 1))


def _houses(draw: Draw, plan: Plan, road: Road, slots: slice) -> None:
    m = slots.stop - slots.start
    side = draw.sign(m)
    set_back = road.half_width[:, None] + road.pavement[:, None] + draw.uniform(5.5, 9.0, m)
    heading = road.heading[:, None] + torch.where(side > 0, math.pi / 2, -math.pi / 2) + draw.normal(m) * 0.02
    place = road.place(side * set_back, draw.uniform(4, 60, m))
    scatter(plan, slots, draw, classes(draw, HOUSES, m), place, heading, draw.uniform(0.4, 1.0, 1))


def _clutter(draw: Draw, plan: Plan, slots: slice, ood: bool) -> None:
    m = slots.stop - slots.start
    z = draw.log_uniform(1.6, 14, m)
    x = z * draw.uniform(-0.7, 0.7, m)
    ids = classes(draw, CLUTTER, m)
    if ood:
        ids = strangers(draw, ids, 0.6)
    heading = draw.uniform(0, ANYWHERE, m)
    place = torch.stack([x, torch.zeros_like(x), z], -1)
    scatter(plan, slots, draw, ids, place, heading, draw.uniform(0.2, 0.95, 1))
    plan.velocity[:, slots] = forward(heading) * (draw.uniform(0, 1, m) * draw.chance(0.3, m))[..., None]


def _surroundings(draw: Draw, road: Road) -> Environment:
    n = len(draw)
    regions = Regions(n)
    at = (road.start_x, torch.zeros(n))
    regions.add(
        "pavement",
        ground(draw, "pavement"),
        at,
        road.heading,
        road.half_width + road.pavement,
        where=draw.chance(0.7, 1)[:, 0],
    )
    tarmac, where = ground(draw, "road"), column(draw, 8, 30)
    junction = (road.start_x + where * road.heading.sin(), where * road.heading.cos())
    regions.add(
        "road",
        tarmac,
        junction,
        road.heading + math.pi / 2,
        road.half_width * 0.8,
        where=draw.chance(0.3, 1)[:, 0],
    )
    regions.add("road", tarmac, at, road.heading, road.half_width)
    region, region_class, region_material = regions.stacked()
    grass = draw.chance(0.5, 1)
    base = torch.where(grass, ground(draw, "grass"), ground(draw, "pavement"))
    face_class, face_material = sides(n, (None,) * 6, [base] * 6)
    face_class[:, 2] = torch.where(grass[:, 0], CLASS_ID["grass"], CLASS_ID["pavement"])
    return Environment(
        bounds=open_bounds(n),
        face_class=face_class,
        face_material=face_material,
        region=region,
        region_class=region_class,
        region_material=region_material,
        **vars(lighting.outdoors(draw)),
    )
