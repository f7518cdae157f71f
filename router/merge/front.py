"""The front door: several answers to one task become one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from visionrouter.merge.boxes import merge_boxes
from visionrouter.merge.classes import merge_classes
from visionrouter.merge.depth import merge_depth
from visionrouter.merge.intrinsics import merge_intrinsics
from visionrouter.merge.masks import merge_masks
from visionrouter.merge.normals import merge_normals
from visionrouter.merge.part import MOST_PARTS, Merged, Part
from visionrouter.merge.poses import merge_poses
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Poses,
    Segmentation,
)

_MERGERS: Mapping[type, Callable[[Sequence[Any], Sequence[Part]], Merged]] = {
    Detections: merge_boxes,
    Segmentation: merge_masks,
    DepthMap: merge_depth,
    NormalMap: merge_normals,
    Intrinsics: merge_intrinsics,
    Poses: merge_poses,
    Classification: merge_classes,
}


def merge(parts: Sequence[Part]) -> Merged:
    """One answer out of `parts`, which answer the same question about the same image.

    The order of the parts changes nothing but the numbers that name them; equal parts give their answer back; nothing
    is in the answer that no part had. Raises `SchemaError` where there is no part, more than `MOST_PARTS`, parts of
    different kinds or sizes, or a kind that does not merge (a composite: merge the answers it is joined from).
    """
    if not 0 < len(parts) <= MOST_PARTS:
        raise SchemaError(f"merge: {len(parts)} parts; give 1 to {MOST_PARTS}")
    kinds = {type(part.payload) for part in parts}
    if len(kinds) != 1:
        raise SchemaError(
            f"merge: {', '.join(sorted(k.__name__ for k in kinds))} are answers to different tasks"
        )
    kind = kinds.pop()
    if kind not in _MERGERS:
        known = ", ".join(k.__name__ for k in _MERGERS)
        raise SchemaError(f"merge: {kind.__name__} does not merge; these do: {known}")
    return _MERGERS[kind]([part.payload for part in parts], parts)
