"""The worst answers that were vouched for, kept as pictures: what a router must answer for first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from visionrouter.benchmarks.rainy.document import Failure
from visionrouter.benchmarks.rainy.matrix import Case
from visionrouter.benchmarks.rainy.shoot import Taken
from visionrouter.confidence.losses import LOSSES, PIXEL_ERRORS
from visionrouter.describe import verdict_line
from visionrouter.render import overlay, side_by_side
from visionrouter.render.viridis import VIRIDIS
from visionrouter.schema.arrays import U8
from visionrouter.schema.payload import Payload
from visionrouter.schema.result import Result
from visionrouter.schema.task import Task

FOLDER = "failures"
A_TASK = 4
_MOST_ERRORS = 3.0
"""Of the line between a good and a bad pixel: what an error map shows as the worst."""


@dataclass(slots=True, eq=False)
class Gallery:
    """Up to `limit` bad answers a task, the worst first; of one kind of condition only the worst, and an answer that
    several policies gave once."""

    limit: int = A_TASK
    _kept: dict[Task, dict[str, tuple[float, Case, Taken]]] = field(default_factory=dict)

    def offer(self, case: Case, taken: Taken) -> None:
        loss = taken.shot.loss
        if loss is None or taken.result is None or not taken.shot.vouched:
            return
        if not LOSSES[case.task].is_bad(loss):
            return
        kept = self._kept.setdefault(case.task, {})
        before = kept.get(case.condition.kind)
        if before is None or loss > before[0]:
            kept[case.condition.kind] = loss, case, taken
        if len(kept) > self.limit:
            del kept[min(kept, key=lambda kind: kept[kind][0])]

    def save(self, out: Path) -> tuple[Failure, ...]:
        """Pictures and results into folders under `out`."""
        return tuple(
            _saved(out, case, taken, loss)
            for kept in self._kept.values()
            for loss, case, taken in sorted(kept.values(), key=lambda k: -k[0])
        )


def _saved(out: Path, case: Case, taken: Taken, loss: float) -> Failure:
    result = taken.result
    assert result is not None
    assert result.payload is not None
    name = re.sub(r"[^a-z0-9]+", "-", f"{case.id}-{taken.shot.system}".lower())
    folder = out / FOLDER / name
    result.save(folder)
    pixels = case.item.image.pixels
    pictures = {
        "picture": pixels,
        "side_by_side": side_by_side(case.item.image, result),
        "truth": overlay(case.item.truth, case.item.image),
        "drawing": _drawing(result),
        "error": _error_map(case.task, result.payload, case.item.truth),
    }
    for stem, picture in pictures.items():
        if picture is not None:
            _write(folder / f"{stem}.png", picture)
    return Failure(
        case.id,
        case.task.value,
        case.condition.name,
        taken.shot.system,
        round(loss, 5),
        case.item.instruction.text if case.words is None else case.words,
        verdict_line(result.decision),
        f"{FOLDER}/{name}",
    )


def _drawing(result: Result) -> U8 | None:
    drawn = (c.prediction.drawing for c in result.candidates if c.backend in result.sources)
    return next((drawing for drawing in drawn if drawing is not None), None)


def _error_map(task: Task, payload: Payload, truth: Payload) -> U8 | None:
    """The error of every pixel in viridis, up to three times the line between good and bad; grey where none is known."""
    measure = PIXEL_ERRORS.get(task)
    if measure is None:
        return None
    error, known = measure.measure(payload, truth)
    share = np.nan_to_num(error / (_MOST_ERRORS * measure.bad_above), nan=1.0).clip(0, 1)
    colours: U8 = VIRIDIS[(share * (len(VIRIDIS) - 1)).round().astype(int)]
    colours[~known] = 128
    return colours


def _write(path: Path, picture: U8) -> None:
    import PIL.Image

    PIL.Image.fromarray(np.ascontiguousarray(picture)).save(path)
