"""From rows to a calibration document: half of the scenes fit, the other half certifies and is reported on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from visionrouter.benchmarks.calibration.collect import Row
from visionrouter.confidence.calibrations import pixel_scope_of, scope_of
from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.certificate import Certificate, Infeasible, Method
from visionrouter.confidence.certify import certify, one_per_unit
from visionrouter.confidence.documents import (
    CalibrationDocument,
    Provenance,
    Subject,
    calibrator_digest,
    rows_digest,
)
from visionrouter.confidence.losses import LOSSES
from visionrouter.confidence.metrics import Sparsification, sparsification
from visionrouter.confidence.pixels import PixelCalibrator
from visionrouter.confidence.report import CalibrationReport, make_report
from visionrouter.confidence.scope import Digests, MadeWith, Scope
from visionrouter.schema.errors import CalibrationError
from visionrouter.schema.task import Task

SAMPLE = 512
"""Values of each signal that a document keeps to tell drift by."""


USUAL = 0.95
"""Share of the rows that must have a signal for it to be read."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What is to be certified: at most a share `alpha` of the accepted is bad, with confidence 1 - `delta`; for each
    value of the tag `by` alone where one is named."""

    alpha: float
    delta: float
    method: Method = "ltt-binomial"
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A document, and one report for each subject in it. `skipped`: subjects that could not be fitted, with why."""

    document: CalibrationDocument
    reports: Mapping[str, CalibrationReport]
    skipped: Mapping[str, str]


def calibrate(
    rows: Sequence[Row],
    made_with: Mapping[str, MadeWith],
    levels: Levels,
    *,
    data: str,
    seed: int = 0,
) -> Calibrated:
    """Fit, certify and judge every subject of `rows`, which are of one task.

    `made_with`: what the subjects' answers were made with. `data`: what the rows are of, in words, for the provenance.
    Scenes are dealt to the two halves by a hash of their name, so that more data never moves one. Answers that no gate
    lets pass do not count. Raises `CalibrationError` where no subject can be fitted.
    """
    done, skipped = [], {}
    for subject in dict.fromkeys(row.subject for row in rows):
        own = [row for row in rows if row.subject == subject and row.judged]
        if subject not in made_with:
            skipped[subject] = "its rows were collected under another policy"
            continue
        try:
            done.append(_one(subject, own, made_with[subject], levels, seed))
        except CalibrationError as error:
            skipped[subject] = str(error)
    if not done:
        raise CalibrationError(
            "; ".join(f"{name}: {why}" for name, why in skipped.items()) or "there are no rows"
        )
    document = CalibrationDocument(
        provenance=Provenance(
            made_by=f"visionrouter {version('visionrouter')}",
            data=rows_digest([[row.item, row.subject, row.loss] for row in rows]),
            items=len({row.item for row in rows}),
            seed=seed,
            source=data,
            notes=tuple(f"{name}: {why}" for name, why in skipped.items()),
        ),
        subjects=tuple(one.subject for one in done),
        calibrators=tuple(one.calibrator for one in done),
        pixel_calibrators=tuple(one.pixels for one in done if one.pixels is not None),
        outcomes=tuple(outcome for one in done for outcome in one.outcomes),
    ).signed()
    return Calibrated(document, {one.subject.scope.subject: one.report for one in done}, skipped)


@dataclass(frozen=True, slots=True)
class _Fitted:
    subject: Subject
    calibrator: Calibrator
    pixels: PixelCalibrator | None
    outcomes: tuple[Certificate | Infeasible, ...]
    report: CalibrationReport


def _one(name: str, rows: Sequence[Row], made_with: MadeWith, levels: Levels, seed: int) -> _Fitted:
    task = Task(rows[0].task) if rows else Task.DEPTH
    scope = scope_of(name, task)
    fitting = [row for row in rows if _fits(row.scene)]
    certifying = [row for row in rows if not _fits(row.scene)]
    signals = _usual(fitting)
    whole = [row for row in fitting if set(signals) <= row.signals.keys()]
    calibrator = Calibrator.fit(
        [{signal: row.signals[signal] for signal in signals} for row in whole],
        np.array([not _is_bad(row) for row in whole], np.bool_),
        scope=scope,
        units=[row.scene for row in whole],
        seed=seed,
    )
    readable = [row for row in certifying if set(calibrator.signals) <= row.signals.keys()]
    independent = [readable[i] for i in one_per_unit([row.scene for row in readable], seed)]
    outcomes = _certified(calibrator, independent, made_with, levels, seed)
    report = make_report(
        calibrator,
        [row.signals for row in readable],
        np.array([_is_bad(row) for row in readable], np.bool_),
        outcomes=outcomes,
        groups=[row.tags.get("condition", "all") for row in readable],
        units=[row.scene for row in readable],
        sparsification=_sparsified(readable),
        seed=seed,
    )
    sample = {signal: tuple(row.signals[signal] for row in whole[:SAMPLE]) for signal in calibrator.signals}
    subject = Subject(scope=scope, made_with=made_with, sample=sample)
    return _Fitted(subject, calibrator, _pixels(name, task, fitting, seed), outcomes, report)


def _certified(
    calibrator: Calibrator, rows: Sequence[Row], made_with: MadeWith, levels: Levels, seed: int
) -> tuple[Certificate | Infeasible, ...]:
    digests = Digests(
        weights=made_with.weights,
        evidence=made_with.evidence,
        calibrator=calibrator_digest(calibrator),
        data=rows_digest([[row.item, row.loss] for row in rows]),
    )
    binary = levels.method == "ltt-binomial"
    return certify(
        np.array([calibrator.confidence(row.signals) for row in rows], np.float64),
        np.array([float(_is_bad(row)) if binary else row.loss for row in rows], np.float64),
        scope=calibrator.scope,
        digests=digests,
        alpha=levels.alpha,
        delta=levels.delta,
        method=levels.method,
        groups=None if levels.by is None else [row.tags.get(levels.by, "") for row in rows],
        tag=levels.by or "group",
        seed=seed,
    )


def _pixels(name: str, task: Task, rows: Sequence[Row], seed: int) -> PixelCalibrator | None:
    maps = [_map(row) for row in rows if len(row.raw)]
    scope: Scope = pixel_scope_of(name, task)
    return PixelCalibrator.fit(maps, scope=scope, seed=seed) if maps else None


def _sparsified(rows: Sequence[Row]) -> Sparsification | None:
    maps = [_map(row) for row in rows if len(row.raw)]
    return sparsification(maps) if maps else None


def _map(row: Row) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], ...]:
    return np.asarray(row.raw, np.float32), np.asarray(row.error, np.float32)


def _usual(rows: Sequence[Row]) -> list[str]:
    """Signals that nearly every row has, by name. A probe that failed once must not cost its signals: the row goes."""
    counted = Counter(signal for row in rows for signal in row.signals)
    return sorted(signal for signal, n in counted.items() if n >= USUAL * len(rows))


def _is_bad(row: Row) -> bool:
    return LOSSES[Task(row.task)].is_bad(row.loss)


def _fits(scene: str) -> bool:
    """Whether a scene is of the fitting half."""
    return hashlib.sha256(scene.encode()).digest()[0] % 2 == 0
