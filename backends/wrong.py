"""Answers that are well formed and wrong: what a model gives that is well and does not know better."""

from __future__ import annotations

import numpy as np

from visionrouter.backends.fake import tile
from visionrouter.schema.arrays import F32
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
)
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

VARIANTS = 4
"""How many wrong answers there are to a question; any two of them contradict each other."""
_LABEL = "thing"
_SIDE = 0.4
_TILT = np.deg2rad(60)


def wrong(query: Query, variant: int) -> Payload:
    """A wrong answer to the query's task, at its image's size: things in another corner, depth that falls elsewhere.

    It contradicts what `fake.plausible` gives, and so does each `variant` (modulo four) every other.
    """
    variant %= VARIANTS
    width, height = query.image.size
    label = query.targets[0].noun if query.targets else _LABEL
    if query.task is Task.DEPTH:
        return DepthMap(_slope(height, width, variant), "m")
    if query.task is Task.NORMALS:
        angle = variant * np.pi / 2
        return _normals(height, width, (np.sin(_TILT) * np.cos(angle), np.sin(_TILT) * np.sin(angle)))
    if query.task is Task.CLASSIFY:
        return Classification((f"something else {variant}",), np.array([0.9], np.float32))
    right, bottom = variant % 2, variant // 2
    x, y = right * (1 - _SIDE) * width, bottom * (1 - _SIDE) * height
    box = np.array([[x, y, x + _SIDE * width, y + _SIDE * height]], np.float32)
    return _things(query.task, label, box, (height, width))


def constant(query: Query) -> Payload:
    """The same everywhere in the image: one depth, one direction, one mask or box over all of it, one word."""
    width, height = query.image.size
    label = query.targets[0].noun if query.targets else _LABEL
    if query.task is Task.DEPTH:
        return DepthMap(np.full((height, width), 3, np.float32), "m")
    if query.task is Task.NORMALS:
        return _normals(height, width, (0.0, 1.0))
    if query.task is Task.INTRINSICS:
        return Intrinsics(np.full((height, width, 3), 0.5, np.float32))
    if query.task is Task.CLASSIFY:
        return Classification(("constant",), np.array([0.9], np.float32))
    return _things(query.task, label, np.array([[0, 0, width, height]], np.float32), (height, width))


def _slope(height: int, width: int, variant: int) -> F32:
    """From 2 to 20 m: rising downwards, to the right, to the left, or away from the middle row."""
    down, across = np.linspace(0, 1, height, dtype=np.float32), np.linspace(0, 1, width, dtype=np.float32)
    rise = (down[:, None], across[None], across[None, ::-1], np.abs(2 * down[:, None] - 1))[variant]
    return np.ascontiguousarray(np.broadcast_to(2 + 18 * rise, (height, width)), np.float32)


def _normals(height: int, width: int, xy: tuple[float, float]) -> NormalMap:
    x, y = xy
    one = np.array([x, y, np.sqrt(max(0.0, 1 - x * x - y * y))], np.float32)
    return NormalMap(np.ascontiguousarray(np.broadcast_to(one, (height, width, 3))))


def _things(task: Task, label: str, box: F32, size: tuple[int, int]) -> Payload:
    score = np.array([0.9], np.float32)
    if task is Task.INTRINSICS:
        return tile(*size, box[0])
    if task is Task.DETECT:
        return Detections(box, score, (label,))
    if task is Task.POSE:
        joints = np.full((1, 2), 0.9, np.float32)
        return Poses(box.reshape(1, 2, 2), joints, box, score, ("head", "foot"), ((0, 1),))
    x1, y1, x2, y2 = (round(float(v)) for v in box[0])
    mask = np.zeros((1, *size), np.bool_)
    mask[0, y1:y2, x1:x2] = True
    return Segmentation(mask, score, (label,), task.value.partition(".")[2])  # type: ignore[arg-type]
