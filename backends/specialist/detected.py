"""From a detector's rows to a prediction: one box a thing, those asked for, with the usual signals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.specialist.asked import narrow
from visionrouter.backends.specialist.boxes import suppress
from visionrouter.schema.payload import Detections
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query


def distinct(
    boxes: npt.ArrayLike,
    scores: npt.ArrayLike,
    labels: Sequence[str],
    size: tuple[int, int],
    duplicate_iou: float,
) -> tuple[Detections, npt.NDArray[np.intp]]:
    """Boxes best first, and their places in the input.

    They are clipped to an image of `size`; those that lie outside it go, and those that overlap a better one by more
    than `duplicate_iou`, of whatever class.
    """
    xyxy = np.asarray(boxes, np.float32).reshape(-1, 4)
    corners = xyxy.reshape(-1, 2, 2).clip(0, size).astype(np.float32).reshape(-1, 4)
    raw = np.asarray(scores, np.float32).reshape(-1).clip(0, 1)
    inside = np.flatnonzero((corners[:, 2:] > corners[:, :2]).all(1))
    kept = inside[suppress(corners[inside], raw[inside], duplicate_iou)]
    return Detections(corners[kept], raw[kept], tuple(labels[i] for i in kept)), kept


def as_prediction(
    found: Detections, query: Query, spec: BackendSpec, notes: tuple[str, ...] = ()
) -> Prediction:
    """The detections that a query's words mean. Signals: `count`, and `score`, the least score given."""
    chosen, more = narrow(found, query, spec)
    kept = Detections(found.boxes[chosen], found.scores[chosen], tuple(found.labels[i] for i in chosen))
    return Prediction(kept, Evidence(signals_of(kept.scores)), notes=(*notes, *more))


def signals_of(scores: npt.NDArray[np.float32]) -> dict[str, float]:
    """`count`, and the least `score` where there is one."""
    signals = {"count": float(len(scores))}
    if len(scores):
        signals["score"] = float(scores.min())
    return signals
