"""Where everything is at a given time."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.camera import matmul, rotate, rotation_x, rotation_y, rotation_z
from visionrouter.benchmarks.scenes.scene import Camera, Parts, Scenes


def posed(scenes: Scenes, time_s: float = 0.0) -> Parts:
    """All parts in world coordinates. Objects move with constant velocity and turn rate."""
    parts = scenes.parts
    owned = parts.owner >= 0
    slot = parts.owner.clamp_min(0)
    angle = torch.where(owned, take(scenes.heading + time_s * scenes.turn_rate, slot), 0.0)
    place = take(scenes.position + time_s * scenes.velocity, slot)
    place = torch.where(owned[..., None], place, 0.0)
    turn = rotation_y(angle)
    return replace(parts, centre=place + rotate(turn, parts.centre), rotation=matmul(turn, parts.rotation))


def posed_keypoints(scenes: Scenes, time_s: float = 0.0) -> Tensor:
    """(B, K, 17, 3) keypoints in the world; NaN where the object is not a person."""
    turn = rotation_y(scenes.heading + time_s * scenes.turn_rate)
    place = scenes.position + time_s * scenes.velocity
    return place[:, :, None] + rotate(turn[:, :, None], scenes.keypoints)


def camera_at(scenes: Scenes, time_s: float) -> Camera:
    """The camera after moving and turning at constant rates."""
    if time_s == 0:
        return scenes.camera
    rx, ry, rz = (time_s * scenes.camera_turn).unbind(-1)
    turn = matmul(rotation_y(ry), matmul(scenes.camera.rotation, matmul(rotation_x(rx), rotation_z(rz))))
    return replace(
        scenes.camera, position=scenes.camera.position + time_s * scenes.camera_velocity, rotation=turn
    )


def take(values: Tensor, slot: Tensor) -> Tensor:
    """values (B, K, ...) at slot (B, ...) int64, batch by batch."""
    scene = torch.arange(len(values), device=values.device).view(-1, *[1] * (slot.dim() - 1))
    return values[scene, slot]
