"""A person's skeleton as strokes: pixels that are surely the body's, and pixels that may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from visionrouter.backends.specialist.window import Window
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.payload import Poses

TRUSTED = 0.3
"""Raw keypoint score below which a joint is a guess and gives no stroke."""

_EARS = ("left_ear", "right_ear")
_FACE = ("nose", "left_eye", "right_eye")
_TRUNK = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
_SHINS = (("left_knee", "left_ankle"), ("right_knee", "right_ankle"))
_TRUNK_LENGTHS = (
    (1.0, "left_shoulder", "left_hip"),
    (1.0, "right_shoulder", "right_hip"),
    (1.3, "left_shoulder", "right_shoulder"),
    (3.0, "left_ear", "right_ear"),
    (3.5, "nose", "left_ear"),
    (3.5, "nose", "right_ear"),
)
"""Roughly what a distance between two joints says of the trunk's length; the largest is the least foreshortened."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """One person: `joints` found, by COCO name, float32 (2,) x y in image pixels, and `bones` that join two of them."""

    joints: Mapping[str, F32]
    bones: tuple[tuple[str, str], ...]

    @property
    def trunk(self) -> float:
        """Length of the trunk in image pixels, 0 where the joints do not tell."""
        lengths = (
            ratio * float(np.linalg.norm(self.joints[a] - self.joints[b]))
            for ratio, a, b in _TRUNK_LENGTHS
            if a in self.joints and b in self.joints
        )
        return max(lengths, default=0.0)

    def widened(self, box: F32) -> F32:
        """The xyxy `box`, float32 (4,), grown to hold every joint."""
        joints = np.stack([*self.joints.values(), box[:2], box[2:]])
        return np.concatenate([joints.min(0), joints.max(0)]).astype(np.float32)

    def strokes(self, window: Window, breadth: float) -> Bool:
        """bool (height, width) of the window's canvas: trunk, face, and limbs `breadth` trunk lengths broad."""
        import cv2

        canvas: U8 = np.zeros((window.height, window.width), np.uint8)
        unit = self.trunk / window.step[1]
        at = {name: np.rint(window.to_canvas(xy) - 0.5).astype(int) for name, xy in self.joints.items()}
        thickness = max(1, round(breadth * unit))
        for a, b in self.bones:
            cv2.line(canvas, at[a].tolist(), at[b].tolist(), 1, thickness)
        for knee, ankle in _SHINS:
            if knee in at and ankle in at:
                heel = at[ankle] + np.rint(0.15 * (at[ankle] - at[knee])).astype(int)
                cv2.line(canvas, at[ankle].tolist(), heel.tolist(), 1, thickness)
        if all(name in at for name in _TRUNK):
            cv2.fillConvexPoly(
                canvas, cv2.convexHull(np.stack([at[name] for name in _TRUNK]).astype(np.int32)), 1
            )
        head = [at[name] for name in _EARS if name in at] or [at[name] for name in _FACE if name in at]
        if head:
            middle = np.rint(np.mean(head, axis=0)).astype(int).tolist()
            cv2.circle(canvas, middle, max(1, round((0.09 + 0.5 * breadth) * unit)), 1, -1)
        return canvas.astype(np.bool_)


def skeletons(poses: Poses) -> tuple[Skeleton, ...]:
    """The skeletons of `poses`, joints with a raw score under `TRUSTED` left out."""
    found = []
    for points, scores in zip(poses.keypoints, poses.keypoint_scores, strict=True):
        joints = {n: p for n, p, s in zip(poses.names, points, scores, strict=True) if s >= TRUSTED}
        bones = ((poses.names[a], poses.names[b]) for a, b in poses.edges)
        body = Skeleton(joints, tuple((a, b) for a, b in bones if a in joints and b in joints))
        found.append(_with_hips(body))
    return tuple(found)


def _with_hips(body: Skeleton) -> Skeleton:
    """A bust gets hips where they would be: a trunk's length from the shoulders, away from the head."""
    joints = dict(body.joints)
    head = [joints[name] for name in (*_EARS, *_FACE) if name in joints]
    if (
        not head
        or any(name not in joints for name in _TRUNK[:2])
        or any(name in joints for name in _TRUNK[2:])
    ):
        return body
    down = (joints["left_shoulder"] + joints["right_shoulder"]) / 2 - np.mean(head, axis=0)
    down = down / max(float(np.linalg.norm(down)), 1e-6) * body.trunk
    for side in ("left", "right"):
        joints[f"{side}_hip"] = (joints[f"{side}_shoulder"] + down).astype(np.float32)
    return Skeleton(joints, body.bones)
