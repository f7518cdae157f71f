"""Placing things: classes by weight, slots, motifs, cameras."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.camera import matmul, rotation_x, rotation_y, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID, CLASSES, HELD_OUT
from visionrouter.benchmarks.scenes.worlds.plan import Plan

ANYWHERE = 2 * math.pi
SIZE_M = {
    "person": 1.7,
    "dog": 0.7,
    "cat": 0.35,
    "horse": 2.0,
    "cow": 1.9,
    "sheep": 1.0,
    "bird": 0.35,
    "car": 3.2,
    "bicycle": 1.3,
    "motorcycle": 1.5,
    "bus": 6.0,
    "truck": 5.0,
    "bench": 1.4,
    "chair": 0.9,
    "couch": 1.8,
    "suitcase": 0.7,
    "potted plant": 0.8,
    "sports ball": 0.4,
    "crate": 0.8,
    "fire hydrant": 0.8,
    "cone": 0.6,
    "boat": 4.0,
    "teddy bear": 0.4,
    "rock": 1.5,
    "bush": 1.6,
}
"""Usual heights, by which a motif is framed."""


def column(draw: Draw, low: float, high: float) -> Tensor:
    """(n,) uniform."""
    return draw.uniform(low, high, 1)[:, 0]


def classes(draw: Draw, weights: dict[str, float], count: int) -> Tensor:
    """(B, count) class ids drawn by weight."""
    ids = torch.tensor([CLASS_ID[name] for name in weights])
    return ids[draw.choose(list(weights.values()), count)]


def strangers(draw: Draw, class_id: Tensor, share: float) -> Tensor:
    """class_id (B, n) with a share replaced by held-out classes."""
    ids = torch.tensor([CLASS_ID[name] for name in HELD_OUT])
    n = class_id.shape[1]
    return torch.where(draw.chance(share, n), ids[draw.integer(len(ids), n)], class_id)


def forward(heading: Tensor) -> Tensor:
    """Unit vectors (..., 3) along headings."""
    return torch.stack([heading.sin(), torch.zeros_like(heading), heading.cos()], -1)


def odd_scale(draw: Draw, k: int, ood: bool) -> Tensor:
    """(B, k): mostly near 1; out of domain a fifth of the things are giant or tiny."""
    odd = draw.log_uniform(0.45, 2.2, k)
    return torch.where(draw.chance(0.2 if ood else 0.03, k), odd, draw.uniform(0.88, 1.14, k))


def lift(draw: Draw, plan: Plan) -> None:
    """Some birds and balls are in the air."""
    k = plan.class_id.shape[1]
    up = draw.uniform(0.4, 5.0, k)
    bird = (plan.class_id == CLASS_ID["bird"]) & draw.chance(0.6, k)
    ball = (plan.class_id == CLASS_ID["sports ball"]) & draw.chance(0.2, k)
    plan.position[..., 1] = torch.where(bird, up, torch.where(ball, up * 0.3, plan.position[..., 1]))


def scatter(
    plan: Plan,
    slots: slice,
    draw: Draw,
    ids: Tensor,
    position: Tensor,
    heading: Tensor,
    share: Tensor | float,
) -> None:
    """Fill slots with classes (B, m) at positions (B, m, 3), each with a probability."""
    m = slots.stop - slots.start
    plan.class_id[:, slots] = torch.where(draw.chance(share, m), ids, -1)
    plan.position[:, slots] = position
    plan.heading[:, slots] = heading


def subject(
    draw: Draw, plan: Plan, slot: int, weights: dict[str, float], eye: Tensor, yaw: Tensor, share: float
) -> tuple[Tensor, Tensor]:
    """Put a thing right before the camera in a share of the scenes, as the motif of the photo. Returns where
    that was done (B,) and the pitch that looks at it."""
    ids = classes(draw, weights, 1)
    size = torch.zeros(len(CLASSES))
    for name, value in SIZE_M.items():
        size[CLASS_ID[name]] = value
    tall = size[ids[:, 0]]
    away = tall * column(draw, 0.85, 2.4) + 0.35
    aside = away * column(draw, -0.25, 0.25)
    x = eye[:, 0] + away * yaw.sin() + aside * yaw.cos()
    z = eye[:, 2] + away * yaw.cos() - aside * yaw.sin()
    there = draw.chance(share, 1)[:, 0]
    plan.class_id[:, slot] = torch.where(there, ids[:, 0], plan.class_id[:, slot])
    place = torch.stack([x, torch.zeros_like(x), z], -1)
    plan.position[:, slot] = torch.where(there[:, None], place, plan.position[:, slot])
    towards = yaw + math.pi + draw.normal(1)[:, 0] * 0.9
    plan.heading[:, slot] = torch.where(there, towards, plan.heading[:, slot])
    pitch = torch.atan2(eye[:, 1] - tall * column(draw, 0.4, 0.75), away)
    return there, pitch


def camera(draw: Draw, position: Tensor, yaw: Tensor, pitch: Tensor, fov: tuple[float, float]) -> Camera:
    """A camera with random roll, lens and principal point. pitch: (B,) radians, positive looks down;
    fov: range of the field of view along the geometric mean of the sides, in degrees."""
    n = len(draw)
    half = torch.deg2rad(column(draw, *fov)) / 2
    roll = draw.normal(1)[:, 0] * 0.04 * draw.chance(0.7, 1)[:, 0]
    distorted = draw.chance(0.5, 1)[:, 0]
    k1 = column(draw, -0.12, 0.05) * distorted / (2 * torch.tan(half) ** 2)  # share lost at the corner
    return Camera(
        position=position,
        rotation=matmul(rotation_y(yaw), matmul(rotation_x(pitch), rotation_z(roll))),
        focal=0.5 / torch.tan(half),
        centre=0.5 + draw.uniform(-0.02, 0.02, 2),
        distortion=torch.stack([k1, torch.zeros(n)], -1),
    )
