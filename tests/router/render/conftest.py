from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from visionrouter.schema.decision import Attempt, Decision, Outcome, Reason, Verdict, VerdictKind
from visionrouter.schema.payload import (
    Classification,
    Composite,
    DepthMap,
    Detections,
    Entity,
    Intrinsics,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
)
from visionrouter.schema.result import Result
from visionrouter.schema.task import Operation, Task

NAMES = ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
EDGES = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 4))


@pytest.fixture
def picture() -> Callable[[int, int], np.ndarray]:
    """A smooth, coloured picture of a width and a height."""

    def make(width: int, height: int) -> np.ndarray:
        y, x = np.mgrid[:height, :width]
        red, green = 60 + 120 * x / max(width, 2), 70 + 100 * y / max(height, 2)
        return np.stack([red, green, np.full_like(red, 110)], -1).astype(np.uint8)

    return make


def _depth(width: int, height: int, unit: str) -> DepthMap:
    values = np.geomspace(0.5, 60, width * height, dtype=np.float32).reshape(height, width)
    values[: height // 8] = np.inf
    values[height // 8 : height // 4] = np.nan
    return DepthMap(values, unit)


def _normals(width: int, height: int) -> NormalMap:
    values = np.zeros((height, width, 3), np.float32)
    values[..., 2] = 1
    values[: height // 4] = np.nan
    return NormalMap(values)


def _intrinsics(width: int, height: int) -> Intrinsics:
    albedo = np.full((height, width, 3), (0.6, 0.3, 0.1), np.float32)
    albedo[: height // 4] = np.nan
    return Intrinsics(albedo, albedo[..., 0], np.zeros((height, width), np.float32), 9 * albedo, 0 * albedo)


def _masks(width: int, height: int) -> np.ndarray:
    masks = np.zeros((3, height, width), np.bool_)
    masks[0, :, : width // 3] = True
    masks[1, height // 3 : 2 * height // 3, width // 2 :] = True
    return masks


def _poses(width: int, height: int) -> Poses:
    shape = np.array([[0.5, 0.2], [0.7, 0.4], [0.3, 0.4], [0.65, 0.8], [0.35, 0.8]])
    points = np.stack([shape * [width, height], shape * [width / 2, height / 2]]).astype(np.float32)
    scores = np.full((2, 5), 0.8, np.float32)
    scores[1, 3] = 0
    boxes = np.array([[0, 0, width, height], [0, 0, width / 2, height / 2]], np.float32)
    return Poses(points, scores, boxes, np.array([0.9, 0.4], np.float32), NAMES, EDGES)


def payloads(width: int, height: int) -> dict[str, Payload]:
    """Every kind of answer for one size, with what is awkward in each, and the empty ones."""
    none, boxes = np.zeros(0, np.float32), np.zeros((0, 4), np.float32)
    three = np.array([0.9, 0.5, 0.2], np.float32)
    w, h = float(width), float(height)
    entities = (
        Entity("person", (0, 0, w / 2, h), 0.9, 4.25, (3.9, 4.6), "m"),
        Entity("person", (w / 3, h / 4, w, h), 0.6),
    )
    edited = np.zeros((height, width, 3), np.uint8)
    return {
        "detections": Detections(
            np.array([[0, 0, w, h], [-50, h / 2, w / 2, 3 * h], [w / 2, h / 2, w / 2, h / 2]], np.float32),
            three,
            ("person", "wörd " * 80, ""),
        ),
        "no detections": Detections(boxes, none, ()),
        "semantic": Segmentation(_masks(width, height), three, ("sky", "road", "nothing"), "semantic"),
        "instances": Segmentation(_masks(width, height), three, ("car",) * 3, "instance"),
        "no masks": Segmentation(np.zeros((0, height, width), np.bool_), none, (), "referring"),
        "metres": _depth(width, height, "m"),
        "relative": _depth(width, height, "relative"),
        "disparity": _depth(width, height, "disparity"),
        "only sky": DepthMap(np.full((height, width), np.inf, np.float32), "m"),
        "unknown depth": DepthMap(np.full((height, width), np.nan, np.float32), "relative"),
        "no distance": DepthMap(np.zeros((height, width), np.float32), "m"),
        "normals": _normals(width, height),
        "intrinsics": _intrinsics(width, height),
        "albedo": Intrinsics(_intrinsics(width, height).albedo),
        "unknown albedo": Intrinsics(np.full((height, width, 3), np.nan, np.float32)),
        "poses": _poses(width, height),
        "no poses": Poses(
            np.zeros((0, 0, 2), np.float32), np.zeros((0, 0), np.float32), boxes, none, NAMES, EDGES
        ),
        "classes": Classification(("tabby", "lynx " * 60, "dog"), three),
        "no classes": Classification((), none),
        "distance": Composite(Operation.DISTANCE, "The nearest person is 4.2 m away. " * 9, entities),
        "count": Composite(
            Operation.COUNT,
            "2 persons",
            entities,
            {"instances": Segmentation(_masks(width, height), three, ("person",) * 3, "instance")},
        ),
        "redaction": Composite(Operation.REDACT, "2 faces", entities, image=edited),
        "nothing to redact": Composite(Operation.REDACT, ""),
    }


@pytest.fixture
def every_payload() -> Callable[[int, int], dict[str, Payload]]:
    return payloads


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    def make(
        backend: str, accepted: bool, reason: Reason = Reason.WITHIN_LIMITS, latency_ms: float = 40.0
    ) -> Attempt:
        kind = VerdictKind.ACCEPT if accepted else VerdictKind.FALL_BACK
        return Attempt(backend, Task.DETECT, Verdict(kind, reason), 0.0, latency_ms)

    return make


@pytest.fixture
def result() -> Callable[..., Result]:
    """A result of a size: `result(image, payload, outcome, reason, attempts, **fields)`."""

    def make(
        image: np.ndarray,
        payload: Payload | None,
        outcome: Outcome = Outcome.ACCEPTED,
        reason: Reason = Reason.WITHIN_LIMITS,
        attempts: tuple[Attempt, ...] = (),
        **fields: Any,
    ) -> Result:
        decision = Decision(
            "id",
            Task.DETECT,
            "find the people",
            outcome,
            reason,
            "default",
            "0",
            "rule",
            attempts=attempts,
            elapsed_ms=87,
        )
        size = image.shape[1], image.shape[0]
        return Result("id", Task.DETECT, outcome, decision, size, payload, **fields)

    return make
