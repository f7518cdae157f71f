"""A backend that does what it is told: for tests of policies, pipelines and of the engine itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec, Kind
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
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

ALL_TASKS = frozenset(Task) - {Task.COMPOSITE}


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted answer.

    It takes `latency_ms`, then raises `error` if there is one, else gives `payload` (None: a plausible one for the
    task) with `signals`.
    """

    payload: Payload | None = None
    signals: dict[str, float] = field(default_factory=lambda: {"score": 0.9})
    latency_ms: float = 0.0
    error: Exception | None = None
    notes: tuple[str, ...] = ()


class FakeBackend(Backend):
    """Answers from a script.

    `script`: one `Answer` for every query, a sequence played in order with the last one repeated, or a function of the
    query. `calls` holds the queries seen, in order; with `remember` false none is held, for runs without end.
    """

    def __init__(
        self,
        name: str = "fake",
        *,
        kind: Kind = "specialist",
        tasks: frozenset[Task] = ALL_TASKS,
        script: Answer | Sequence[Answer] | Callable[[Query], Answer] = Answer(),
        licence: str = "Apache-2.0",
        labels: tuple[str, ...] | None = None,
        inline: bool = True,
        batch_limit: int = 8,
        load_error: Exception | None = None,
        remember: bool = True,
    ) -> None:
        self.spec = BackendSpec(
            name=name,
            kind=kind,
            tasks=frozenset(tasks),
            licence=licence,
            labels=labels,
            inline=inline,
            batch_limit=batch_limit,
            cost=0.0,
        )
        self.calls: list[Query] = []
        self._script = script
        self._load_error = load_error
        self._remember = remember
        self._answered = 0

    def load(self) -> None:
        if self._load_error is not None:
            raise self._load_error

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        answer = self._next(query)
        self._answered += 1
        if self._remember:
            self.calls.append(query)
        if answer.latency_ms:
            time.sleep(answer.latency_ms / 1000)
        if answer.error is not None:
            raise answer.error
        payload = plausible(query) if answer.payload is None else answer.payload
        return Prediction(payload, Evidence(answer.signals), notes=answer.notes)

    def _next(self, query: Query) -> Answer:
        if isinstance(self._script, Answer):
            return self._script
        if callable(self._script):
            return self._script(query)
        return self._script[min(self._answered, len(self._script) - 1)]


def plausible(query: Query) -> Payload:
    """A small valid payload for the query's task and image size."""
    width, height = query.image.size
    label = query.targets[0].noun if query.targets else "thing"
    box = np.array([[0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height]], np.float32)
    score = np.array([0.9], np.float32)
    match query.task:
        case Task.DETECT:
            return Detections(box, score, (label,))
        case Task.SEMANTIC | Task.INSTANCE | Task.REFERRING | Task.PROMPTABLE:
            mask = np.zeros((1, height, width), np.bool_)
            mask[0, height // 4 : max(1, height * 3 // 4), width // 4 : max(1, width * 3 // 4)] = True
            mode = query.task.value.partition(".")[2]
            return Segmentation(mask, score, (label,), mode)  # type: ignore[arg-type]
        case Task.DEPTH:
            rows = np.linspace(20, 2, height, dtype=np.float32)[:, None]
            return DepthMap(np.repeat(rows, width, axis=1), "m")
        case Task.NORMALS:
            normals = np.zeros((height, width, 3), np.float32)
            normals[..., 2] = 1
            return NormalMap(normals)
        case Task.INTRINSICS:
            return tile(height, width, box[0])
        case Task.POSE:
            return Poses(
                box.reshape(1, 2, 2),
                np.full((1, 2), 0.9, np.float32),
                box,
                score,
                ("head", "foot"),
                ((0, 1),),
            )
        case Task.CLASSIFY:
            return Classification((label,), score)
        case Task.COMPOSITE:
            raise ValueError("a composite is never asked of a backend; it is split into tasks first")


def tile(height: int, width: int, box: F32) -> Intrinsics:
    """All intrinsics of a dark wall, `height` x `width` pixels, with one bright tile on it at `box`, x1 y1 x2 y2 in pixels,
    in light that falls off downwards."""
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    albedo = np.full((height, width, 3), 0.05, np.float32)
    albedo[y1:y2, x1:x2] = (0.9, 0.8, 0.7)
    light = np.linspace(1, 0.25, height, dtype=np.float32)[:, None, None]
    matt = np.full((height, width), 0.8, np.float32)
    shading = np.ascontiguousarray(np.broadcast_to(light, albedo.shape))
    return Intrinsics(albedo, matt, np.zeros_like(matt), shading, np.zeros_like(shading))
