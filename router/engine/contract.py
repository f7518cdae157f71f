"""The output contract, checked on every prediction: the right kind, the right size, something in it."""

from __future__ import annotations

import math

import numpy as np

from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import Classification, DepthMap, Detections, NormalMap, Poses, Segmentation
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
    Task.POSE: Poses,
    Task.CLASSIFY: Classification,
}
_MIN_PIXELS_TO_VARY = 4096


def check_prediction(query: Query, prediction: Prediction) -> None:
    """Raise `SchemaError` where a prediction is not an answer to the query.

    Payloads check their own shapes, dtypes and ranges when they are made; here they are held against the query:
    kind and mode, the image's size, not wholly unknown, not one constant over a picture of some size.
    """
    payload = prediction.payload
    if not isinstance(payload, _KINDS[query.task]):
        raise SchemaError(f"asked for {query.task}, got {type(payload).__name__}")
    for name, value in prediction.evidence.signals.items():
        if not math.isfinite(value):
            raise SchemaError(f"signal {name} is {value}")
    size = (query.image.height, query.image.width)
    if isinstance(payload, Segmentation):
        if payload.masks.shape[1:] != size:
            raise SchemaError(f"masks are {payload.masks.shape[1:]}, the image is {size} (height, width)")
        if payload.mode != query.task.value.partition(".")[2]:
            raise SchemaError(f"asked for {query.task}, got {payload.mode} masks")
    elif isinstance(payload, DepthMap | NormalMap):
        _check_dense(payload.values, size)
    weights = prediction.evidence.confidence_map
    if weights is not None and (weights.shape != size or not np.isfinite(weights).all()):
        raise SchemaError(
            f"confidence_map is {weights.shape} or not finite, the image is {size} (height, width)"
        )


def _check_dense(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], size: tuple[int, int]) -> None:
    if values.shape[:2] != size:
        raise SchemaError(f"the map is {values.shape[:2]}, the image is {size} (height, width)")
    finite = values[np.isfinite(values)]
    if not finite.size and not np.isinf(values).any():
        raise SchemaError("every value of the map is NaN")
    if (
        values.ndim == 2
        and values.size >= _MIN_PIXELS_TO_VARY
        and finite.size == values.size
        and np.ptp(finite) == 0
    ):
        raise SchemaError(f"the map is one constant ({finite[0]:.4g}) over the whole image")
