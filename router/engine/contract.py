"""The output contract, checked on every prediction: the right kind, the right size, something in it."""

from __future__ import annotations

import math

import numpy as np

from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import SchemaError, UnsupportedTargetError
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Poses,
    Segmentation,
)
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

_KINDS: dict[Task, type] = {
    Task.DETECT: Detections,
    Task.SEMANTIC: Segmentation,
    Task.INSTANCE: Segmentation,
    Task.REFERRING: Segmentation,
    Task.PROMPTABLE: Segmentation,
    Task.DEPTH: DepthMap,
    Task.NORMALS: NormalMap,
    Task.INTRINSICS: Intrinsics,
    Task.POSE: Poses,
    Task.CLASSIFY: Classification,
}
_MIN_PIXELS_TO_VARY = 4096
_STICKS_OUT = 0.25
"""How far a box may reach out of the image, in image sides: an honest one by a little, one of another size by far."""


def check_prediction(query: Query, prediction: Prediction) -> None:
    """Raise `SchemaError` where a prediction is not an answer to the query.

    Payloads check their own shapes, dtypes and ranges when they are made; here they are held against the query:
    kind and mode, the image's size, boxes inside it, not wholly unknown, not one constant over a picture of some size. Raise
    `UnsupportedTargetError` where intrinsics lack the map that was asked for: that is no fault of the backend's.
    """
    payload = prediction.payload
    if not isinstance(payload, _KINDS[query.task]):
        raise SchemaError(f"asked for {query.task}, got {type(payload).__name__}")
    for name, value in prediction.evidence.signals.items():
        if not math.isfinite(value):
            raise SchemaError(f"signal {name} is {value}")
    size = query.image.pixels.shape[:2]
    if isinstance(payload, Segmentation):
        if payload.masks.shape[1:] != size:
            raise SchemaError(f"masks are {payload.masks.shape[1:]}, the image is {size} (height, width)")
        if payload.mode != query.task.value.partition(".")[2]:
            raise SchemaError(f"asked for {query.task}, got {payload.mode} masks")
    elif isinstance(payload, (Detections, Poses)) and len(payload):
        _check_boxes(payload.boxes, size)
    elif isinstance(payload, (DepthMap, NormalMap)):
        _check_dense(payload.values, size)
    elif isinstance(payload, Intrinsics):
        _check_intrinsics(payload, query.style, size)
    weights = prediction.evidence.confidence_map
    if weights is not None and (weights.shape != size or not _is_finite(weights)):
        raise SchemaError(
            f"confidence_map is {weights.shape} or not finite, the image is {size} (height, width)"
        )


def _is_finite(values: F32) -> bool:
    return math.isfinite(values.min()) and math.isfinite(values.max())


def _check_boxes(boxes: F32, size: tuple[int, int]) -> None:
    """The bounds of lists: of as few boxes as a picture has, reductions by numpy take longer."""
    height, width = size
    lefts, tops, rights, bottoms = boxes.T.tolist()
    left, top, right, bottom = min(lefts), min(tops), max(rights), max(bottoms)
    if max(-left, right - width) > _STICKS_OUT * width or max(-top, bottom - height) > _STICKS_OUT * height:
        raise SchemaError(
            f"boxes reach from ({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f}), the image is {size} (height, "
            "width); give pixels of the image"
        )


def _check_dense(values: F32, size: tuple[int, int]) -> None:
    if values.shape[:2] != size:
        raise SchemaError(f"the map is {values.shape[:2]}, the image is {size} (height, width)")
    low, high = float(values.min()), float(values.max())
    if math.isnan(low):
        if np.isnan(values).all():
            raise SchemaError("every value of the map is NaN")
    elif low == high and math.isfinite(low) and values.ndim == 2 and values.size >= _MIN_PIXELS_TO_VARY:
        raise SchemaError(f"the map is one constant ({low:.4g}) over the whole image")


def _check_intrinsics(payload: Intrinsics, asked: str | None, size: tuple[int, int]) -> None:
    """Light may be the same everywhere, and what is not metal is 0 everywhere; no picture of some size has one albedo."""
    if asked is not None and asked not in payload.maps:
        raise UnsupportedTargetError(f"asked for {asked}, got {', '.join(payload.maps)}")
    for name, values in payload.maps.items():
        if values.shape[:2] != size:
            raise SchemaError(f"{name} is {values.shape[:2]}, the image is {size} (height, width)")
        if np.isnan(values).all():
            raise SchemaError(f"every value of {name} is NaN")
    first = payload.albedo[0, 0]
    if size[0] * size[1] >= _MIN_PIXELS_TO_VARY and (payload.albedo == first).all():
        raise SchemaError(f"albedo is one constant ({first[0]:.4g} in red) over the whole image")
