"""Ways to use two backends, scored on rows that were collected once: no model runs again for another gate.

A system gives every item an answer or none. What is accepted is judged by its loss; what it costs is the time of all it
had to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visionrouter.benchmarks.calibration.collect import Row
from visionrouter.confidence.calibrator import EvidenceMissingError
from visionrouter.confidence.certificate import Certificate, certificate_for
from visionrouter.confidence.documents import CalibrationDocument
from visionrouter.confidence.losses import LOSSES
from visionrouter.schema.task import Task

Item = Mapping[str, Row]
"""The rows of one item, by subject."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`loss` is None where nothing was answered."""

    loss: float | None
    seconds: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """`coverage`: share answered. `risk`: share of the answered that is bad, `loss`: their mean loss (NaN where none is
    answered). `seconds`: mean time an item, answered or not."""

    n: int
    coverage: float
    risk: float
    loss: float
    seconds: float


System = Callable[[Item], Outcome]


def alone(subject: str) -> System:
    """One backend, whatever it says."""

    def answer(item: Item) -> Outcome:
        row = item.get(subject)
        return Outcome(None, 0.0) if row is None else Outcome(row.loss, _answered_s(row), subject)

    return answer


def gated(subjects: Sequence[str], document: CalibrationDocument) -> System:
    """The first of `subjects` that its certificate lets pass, in order; else nothing.

    A mended subject "a+b" costs the time of b beyond a's, and b itself is then there already.
    """

    def answer(item: Item) -> Outcome:
        paid: dict[str, float] = {}
        for subject in subjects:
            row = item.get(subject)
            if row is None:
                continue
            for maker in subject.split("+"):
                own = item.get(maker)
                paid.setdefault(maker, row.seconds if own is None else own.seconds)
            if row.judged and _passes(row, document):
                return Outcome(row.loss, sum(paid.values()), subject)
        return Outcome(None, sum(paid.values()))

    return answer


def score(items: Sequence[Item], system: System, task: Task) -> Score:
    """A system over items."""
    outcomes = [system(item) for item in items]
    losses = np.array([o.loss for o in outcomes if o.loss is not None], np.float64)
    bad = np.array([LOSSES[task].is_bad(loss) for loss in losses], np.bool_)
    return Score(
        len(outcomes),
        len(losses) / max(1, len(outcomes)),
        float(bad.mean()) if len(losses) else float("nan"),
        float(losses.mean()) if len(losses) else float("nan"),
        float(np.mean([o.seconds for o in outcomes])) if outcomes else float("nan"),
    )


def by_item(rows: Sequence[Row]) -> list[Item]:
    """Rows grouped by item, in the order of the first of each."""
    grouped: dict[str, dict[str, Row]] = {}
    for row in rows:
        grouped.setdefault(row.item, {})[row.subject] = row
    return list(grouped.values())


def _passes(row: Row, document: CalibrationDocument) -> bool:
    scope = next((s.scope for s in document.subjects if s.scope.subject == row.subject), None)
    if scope is None:
        return False
    certificate = certificate_for(document.outcomes_of(scope), row.tags)
    calibrator = document.calibrator(scope)
    if not isinstance(certificate, Certificate) or calibrator is None:
        return False
    try:
        reading = calibrator.read(row.signals)
    except EvidenceMissingError:
        return False
    return not reading.outside and certificate.accepts(reading.confidence)


def _answered_s(row: Row) -> float:
    return row.seconds - row.evidence_seconds
