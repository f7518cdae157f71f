"""Open landscapes: meadow, beach, lake, desert or snow, with hills, animals, people and boats."""

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
from visionrouter.benchmarks.scenes.worlds.hills import hills
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

BASES = ("grass", "sand", "dirt", "snow")
GROWTH = {"tree": 5.0, "bush": 2.5, "rock": 2.5, "fence": 0.6, "building": 0.8}
CREATURES = {
    "person": 4.0,
    "dog": 1.5,
    "horse": 1.5,
    "cow": 1.5,
    "sheep": 2.0,
    "bird": 1.5,
    "cat": 0.3,
    "sports ball": 1.0,
    "bench": 0.7,
    "car": 0.8,
    "bicycle": 0.8,
    "crate": 0.5,
    "motorcycle": 0.4,
    "suitcase": 0.3,
    "truck": 0.3,
    "cone": 0.4,
    "chair": 0.5,
}
MOTIFS = {
    "person": 6.0,
    "dog": 1.5,
    "horse": 1.5,
    "cow": 1.0,
    "sheep": 1.0,
    "bird": 0.8,
    "cat": 0.6,
    "bicycle": 0.6,
    "car": 0.8,
    "bench": 0.5,
    "rock": 0.5,
    "bush": 0.3,
    "sports ball": 0.4,
    "motorcycle": 0.4,
}
HERDS = ("sheep", "cow", "horse")
STILL = (*GROWTH, "bench", "crate", "cone", "chair", "suitcase")
CREATURE_SLOTS, GROWTH_SLOTS, BOAT_SLOTS = slice(0, 14), slice(14, 30), slice(30, 36)


@dataclass
class Shore:
    """A lake or sea as a wide strip; (B,) tensors."""

    there: Tensor
    near_m: Tensor
    """distance of the near bank"""
    half_width: Tensor
    heading: Tensor
    normal: Tensor
    """(B, 2) x, z of the unit vector from the near bank over the water"""

    def offshore(self, position: Tensor) -> Tensor:
        """(B, m) metres beyond the near bank of positions (B, m, 3), negative on land."""
        x, z = self.normal[:, :1], self.normal[:, 1:]
        return position[..., 0] * x + position[..., 2] * z - self.near_m[:, None]


def landscape(draw: Draw, ood: bool) -> tuple[Plan, Environment, Camera, Parts | None]:
    """Plan, surroundings and camera of B landscapes."""
    n = len(draw)
    plan = Plan.empty(n)
    shore = _shore(draw)
    _creatures(draw, plan, ood)
    _growth_and_boats(draw, plan)
    _keep_dry(plan, shore)
    plan.scale[:] = odd_scale(draw, plan.scale.shape[1], ood)
    lift(draw, plan)
    still = torch.isin(plan.class_id, torch.tensor([CLASS_ID[name] for name in STILL]))
    speed = draw.uniform(0, 2.0, plan.heading.shape[1]) * ~still
    plan.velocity[:] = forward(plan.heading) * speed[..., None]

    height = torch.where(draw.chance(0.25, 1)[:, 0], column(draw, 2.5, 9.0), column(draw, 0.6, 2.0))
    eye = torch.stack([torch.zeros(n), height, torch.zeros(n)], -1)
    pitch = column(draw, -0.08, 0.12) + (height - 1.6).clamp_min(0) * 0.04
    yaw = column(draw, -0.2, 0.2)
    close, look = subject(draw, plan, 0, MOTIFS, eye, yaw, 0.4)
    view = camera(draw, eye, yaw, torch.where(close, look.clamp(-0.4, 0.6), pitch), (32, 80))
    surroundings = _surroundings(draw, shore)
    base_class, base = surroundings.face_class[:, 2], surroundings.face_material[:, 2]
    return plan, surroundings, view, hills(draw, base_class, base)


def _shore(draw: Draw) -> Shore:
    there = draw.chance(0.45, 1)[:, 0]
    across = draw.chance(0.7, 1)[:, 0]
    heading = torch.where(across, column(draw, -0.5, 0.5) + math.pi / 2, column(draw, -0.6, 0.6))
    half_width = torch.where(draw.chance(0.5, 1)[:, 0], 700.0, column(draw, 8, 120))
    normal = torch.stack([heading.cos(), -heading.sin()], -1)
    ahead, side = normal[:, 1].sign(), draw.sign(1)[:, 0]
    normal = normal * torch.where(normal[:, 1].abs() > 0.5, ahead, side)[:, None]
    return Shore(there, column(draw, 7, 28), half_width, heading, normal)


def _ahead(draw: Draw, m: int, near: float, far: float, slope: float) -> Tensor:
    """(B, m, 3) on the ground within x = +- slope z."""
    z = draw.log_uniform(near, far, m)
    x = z * draw.uniform(-slope, slope, m)
    return torch.stack([x, torch.zeros_like(x), z], -1)


def _creatures(draw: Draw, plan: Plan, ood: bool) -> None:
    m = CREATURE_SLOTS.stop - CREATURE_SLOTS.start
    ids = classes(draw, CREATURES, m)
    kin = torch.tensor([CLASS_ID[name] for name in HERDS])[draw.choose([0.4, 0.3, 0.3], 1)]
    ids = torch.where(draw.chance(0.35, 1) & draw.chance(0.6, m), kin, ids)
    if ood:
        ids = strangers(draw, ids, 0.55)
    place, heading = _ahead(draw, m, 2.2, 35, 0.75), draw.uniform(0, ANYWHERE, m)
    scatter(plan, CREATURE_SLOTS, draw, ids, place, heading, draw.uniform(0.3, 1.0, 1))


def _growth_and_boats(draw: Draw, plan: Plan) -> None:
    m = GROWTH_SLOTS.stop - GROWTH_SLOTS.start
    place, heading = _ahead(draw, m, 4, 90, 0.9), draw.uniform(0, ANYWHERE, m)
    scatter(plan, GROWTH_SLOTS, draw, classes(draw, GROWTH, m), place, heading, draw.uniform(0.25, 1.0, 1))
    m = BOAT_SLOTS.stop - BOAT_SLOTS.start
    boats = torch.full((len(draw), m), CLASS_ID["boat"])
    place, heading = _ahead(draw, m, 10, 120, 0.8), draw.uniform(0, ANYWHERE, m)
    scatter(plan, BOAT_SLOTS, draw, boats, place, heading, 0.6)


def _keep_dry(plan: Plan, shore: Shore) -> None:
    """Drop boats on land, and in the water all but boats and birds."""
    offshore = torch.where(shore.there[:, None], shore.offshore(plan.position), -torch.inf)
    boat, bird = plan.class_id == CLASS_ID["boat"], plan.class_id == CLASS_ID["bird"]
    misplaced = torch.where(boat, offshore < 3.0, (offshore > -1.0) & ~bird)
    plan.class_id = torch.where(misplaced, -1, plan.class_id)


def _surroundings(draw: Draw, shore: Shore) -> Environment:
    n = len(draw)
    choice = draw.choose([0.5, 0.2, 0.18, 0.12], 1)[:, 0]
    base = torch.stack([ground(draw, name) for name in BASES], 1)[torch.arange(n), choice]
    face_class, face_material = sides(n, (None,) * 6, [base] * 6)
    face_class[:, 2] = torch.tensor([CLASS_ID[name] for name in BASES])[choice]
    regions = Regions(n)
    regions.add(
        "grass",
        ground(draw, "grass"),
        (column(draw, -20, 20), column(draw, 5, 40)),
        column(draw, 0, 3),
        column(draw, 3, 12),
        wobble=2.0,
        frequency=0.02,
        where=draw.chance(0.3, 1)[:, 0],
    )
    regions.add(
        "dirt",
        ground(draw, "dirt"),
        (column(draw, -4, 4), 0.0),
        column(draw, -0.7, 0.7),
        column(draw, 0.5, 1.8),
        wobble=column(draw, 0.2, 1.2),
        frequency=0.03,
        where=draw.chance(0.35, 1)[:, 0],
    )
    x, z = (shore.normal * (shore.near_m + shore.half_width)[:, None]).unbind(-1)
    wobble = column(draw, 0.3, 2.5)
    beach = shore.there & draw.chance(0.7, 1)[:, 0]
    for name, margin, where in (("sand", column(draw, 1.5, 6), beach), ("water", 0.0, shore.there)):
        half_width = shore.half_width + margin
        regions.add(
            name, ground(draw, name), (x, z), shore.heading, half_width, wobble, frequency=0.012, where=where
        )
    region, region_class, region_material = regions.stacked()
    return Environment(
        bounds=open_bounds(n),
        face_class=face_class,
        face_material=face_material,
        region=region,
        region_class=region_class,
        region_material=region_material,
        **vars(lighting.outdoors(draw)),
    )
