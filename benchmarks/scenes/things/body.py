"""The skeleton of a person: proportions, a pose, and where every joint is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.camera import matmul, rotate, rotation_x, rotation_y, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Number, stack
from visionrouter.benchmarks.scenes.vocabulary import KEYPOINTS

STANDING, WALKING, SITTING, REACHING, CROUCHING = range(5)
POSE_WEIGHTS = [0.35, 0.35, 0.12, 0.12, 0.06]
SIDES = {"left": -1.0, "right": 1.0}
"""The person faces +z, so its own left is at -x."""

Limb = tuple[Tensor, Tensor, Tensor]
"""Root, middle and end joint, each (n, 3)."""


@dataclass
class Body:
    """Joints in the object frame; lengths in metres."""

    tall: Tensor
    build: Tensor
    """1 is average, more is stouter"""
    folded: Tensor
    """(n,) bool: sits or crouches"""
    pelvis: Tensor
    """(n, 3)"""
    spine: Tensor
    """(n, 3, 3) turn of the trunk"""
    gaze: Tensor
    """(n, 3, 3) turn of the head"""
    legs: dict[str, Limb]
    arms: dict[str, Limb]

    @property
    def ankle_height(self) -> Tensor:
        """From the sole to the ankle."""
        return self.tall * 0.042

    @property
    def shoulder_half(self) -> Tensor:
        """From the spine to a shoulder joint."""
        return shoulder_half(self.tall, self.build)

    @property
    def head_half(self) -> Tensor:
        """Half the height of the head; a child's is larger for its size."""
        return self.tall * 0.036 + 0.062

    def trunk(self, x: Number, y: Number, z: Number) -> Tensor:
        """(n, 3): a point of the trunk's frame, whose origin is the pelvis."""
        return self.pelvis + rotate(self.spine, stack(len(self.tall), x, y, z))

    def face(self, x: float, y: float, z: float) -> Tensor:
        """(n, 3): a point of the head in units of its half height."""
        half = self.head_half
        centre = self.trunk(0.0, self.tall * 0.31 + half * 1.15, half * 0.1)
        return centre + rotate(self.gaze, stack(len(half), x * half, y * half, z * half))

    def keypoints(self) -> Tensor:
        """(n, 17, 3) in COCO's order."""
        named = {
            "nose": self.face(0, -0.1, 0.95),
            "left_eye": self.face(-0.3, 0.1, 0.8),
            "right_eye": self.face(0.3, 0.1, 0.8),
            "left_ear": self.face(-0.76, 0.0, 0.0),
            "right_ear": self.face(0.76, 0.0, 0.0),
        }
        for side in SIDES:
            for names, limb in (
                (("shoulder", "elbow", "wrist"), self.arms[side]),
                (("hip", "knee", "ankle"), self.legs[side]),
            ):
                named |= {f"{side}_{name}": joint for name, joint in zip(names, limb, strict=True)}
        return torch.stack([named[name] for name in KEYPOINTS], 1)


def shoulder_half(tall: Tensor, build: Tensor) -> Tensor:
    """Half the width between the shoulder joints."""
    return tall * 0.115 * (0.8 + 0.2 * build)


def bend_limb(
    root: Tensor, swing: Tensor, spread: Tensor, bend: Tensor, lengths: tuple[Tensor, Tensor]
) -> Limb:
    """A two-bone limb that hangs from `root`. Radians: `swing` forwards about x, `spread` sideways about z,
    `bend` of the second bone against the first, forwards."""
    first = matmul(rotation_z(spread), rotation_x(-swing))
    second = matmul(first, rotation_x(-bend))
    middle = root - first[:, :, 1] * lengths[0][:, None]
    return root, middle, middle - second[:, :, 1] * lengths[1][:, None]


def one(draw: Draw, low: float, high: float) -> Tensor:
    """(n,) uniform."""
    return draw.uniform(low, high, 1)[:, 0]


def draw_body(draw: Draw) -> Body:
    """A child or adult who stands, walks, sits, reaches or crouches, its feet on the ground."""
    tall = torch.where(draw.chance(0.15, 1), draw.uniform(1.05, 1.45, 1), draw.uniform(1.52, 1.95, 1))[:, 0]
    build = one(draw, 0.85, 1.25)
    pose = draw.choose(POSE_WEIGHTS, 1)[:, 0]
    walks, sits, crouches = pose == WALKING, pose == SITTING, pose == CROUCHING
    stride = torch.where(walks, one(draw, 0.25, 0.75) * draw.sign(1)[:, 0], one(draw, -0.08, 0.08))
    leg_lengths, arm_lengths = (tall * 0.245, tall * 0.235), (tall * 0.172, tall * 0.155)

    swings, bends = {}, {}
    for side, x in SIDES.items():
        knee = torch.where(walks, -one(draw, 0.05, 0.9) * (x * stride < 0), -one(draw, 0.0, 0.08))
        folded_swing = torch.where(sits, one(draw, 1.3, 1.6), one(draw, 1.5, 2.0))
        folded_knee = torch.where(sits, -one(draw, 1.2, 1.7), -one(draw, 2.0, 2.5))
        swings[side] = torch.where(sits | crouches, folded_swing, stride * x)
        bends[side] = torch.where(sits | crouches, folded_knee, knee)
    drop = [
        leg_lengths[0] * torch.cos(swings[s]) + leg_lengths[1] * torch.cos(swings[s] + bends[s])
        for s in SIDES
    ]
    zero = torch.zeros_like(tall)
    lean = torch.where(crouches, one(draw, 0.3, 0.7), one(draw, -0.06, 0.14))
    spine = matmul(rotation_y(one(draw, -0.25, 0.25)), rotation_x(lean))
    gaze = matmul(spine, matmul(rotation_y(one(draw, -0.6, 0.6)), rotation_x(one(draw, -0.25, 0.4))))
    body = Body(tall, build, sits | crouches, zero, spine, gaze, {}, {})
    height = torch.maximum(*drop) + body.ankle_height
    body.pelvis = torch.stack([zero, height, zero], -1)
    for side, x in SIDES.items():
        hip = torch.stack([x * tall * 0.052 * build, height, zero], -1)
        spread = x * one(draw, 0.0, 0.12)
        body.legs[side] = bend_limb(hip, swings[side], spread, bends[side], leg_lengths)
        raised = (pose == REACHING) | draw.chance(0.12, 1)[:, 0]
        hanging = torch.where(body.folded, one(draw, 0.2, 1.1), -stride * x * 0.8)
        swing = torch.where(raised, one(draw, 0.3, 2.9), hanging)
        spread = x * torch.where(raised, one(draw, 0.0, 1.3), one(draw, 0.05, 0.35))
        bend = torch.where(raised, one(draw, 0.0, 1.6), one(draw, 0.05, 1.1))
        shoulder = body.trunk(x * body.shoulder_half, tall * 0.288, 0.0)
        body.arms[side] = bend_limb(shoulder, swing + lean, spread, bend, arm_lengths)
    return body
