"""A question and an answer seen in a mirror: left and right exchanged in pixels, places and words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from visionrouter.schema.arrays import F32
from visionrouter.schema.payload import (
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
)
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Relation, RelationKind, Target

_TURNED = {
    RelationKind.LEFTMOST: RelationKind.RIGHTMOST,
    RelationKind.RIGHTMOST: RelationKind.LEFTMOST,
    RelationKind.LEFT_OF: RelationKind.RIGHT_OF,
    RelationKind.RIGHT_OF: RelationKind.LEFT_OF,
}


def mirrored_query(query: Query) -> Query:
    """The same question about the mirrored image."""
    pixels = np.ascontiguousarray(query.image.pixels[:, ::-1])
    width = query.image.width
    points = query.prompts.points.copy()
    points[:, 0] = width - points[:, 0]
    prompts = Prompts(_mirrored_boxes(query.prompts.boxes, width), points, query.prompts.point_labels)
    targets = tuple(_mirrored_target(target) for target in query.targets)
    image = replace(query.image, pixels=pixels)
    return replace(query, image=image, targets=targets, prompts=prompts)


def mirrored_payload(payload: Payload, width: int) -> Payload:
    """An answer about the mirrored image as one about the image, `width` pixels wide."""
    match payload:
        case DepthMap():
            return replace(payload, values=np.ascontiguousarray(payload.values[:, ::-1]))
        case NormalMap():
            return replace(payload, values=payload.values[:, ::-1] * np.array([-1, 1, 1], np.float32))
        case Intrinsics():
            turned: dict[str, Any] = {n: np.ascontiguousarray(v[:, ::-1]) for n, v in payload.maps.items()}
            return Intrinsics(**turned)
        case Segmentation():
            return replace(payload, masks=np.ascontiguousarray(payload.masks[:, :, ::-1]))
        case Detections():
            return replace(payload, boxes=_mirrored_boxes(payload.boxes, width))
        case Poses():
            return _mirrored_poses(payload, width)
        case _:
            return payload


def _mirrored_target(target: Target) -> Target:
    relations = tuple(
        Relation(_TURNED.get(r.kind, r.kind), r.anchor and _mirrored_target(r.anchor), r.rank)
        for r in target.relations
    )
    return replace(target, relations=relations)


def _mirrored_boxes(boxes: F32, width: int) -> F32:
    turned = boxes.copy()
    turned[:, [0, 2]] = width - boxes[:, [2, 0]]
    return turned


def _mirrored_poses(poses: Poses, width: int) -> Poses:
    """Places turned back, and each joint of a left and a right given to the other side."""
    place = {name: i for i, name in enumerate(poses.names)}
    order = [place.get(_other_side(name), i) for i, name in enumerate(poses.names)]
    keypoints = poses.keypoints[:, order].copy()
    keypoints[..., 0] = width - keypoints[..., 0]
    return replace(
        poses,
        keypoints=keypoints,
        keypoint_scores=np.ascontiguousarray(poses.keypoint_scores[:, order]),
        boxes=_mirrored_boxes(poses.boxes, width),
    )


def _other_side(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")
