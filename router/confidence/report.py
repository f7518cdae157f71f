"""What a calibration is worth: which signals carry, how honest the confidence is, what could be certified.

Judge on rows that nothing was fitted on. Intervals are 95 % bootstrap intervals over units (scenes, clips), since rows
of one unit hang together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visionrouter.confidence.bounds import F64
from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.certificate import Certificate, Infeasible
from visionrouter.confidence.metrics import (
    ReliabilityBin,
    RiskCoverage,
    Sparsification,
    auroc,
    brier,
    ece,
    excess_aurc,
    reliability,
    risk_coverage,
)
from visionrouter.schema.arrays import Bool

COMBINED = "all together"
_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "not defined"
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class SignalRow:
    """How well one signal, or all together, tells bad from good. `weight` as in the calibrator, None if it is not in it."""

    name: str
    auroc: Estimate
    excess_aurc: Estimate
    weight: float | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The same of one group; where `confidence` and `good` part, the confidence is not honest there."""

    name: str
    n: int
    bad: int
    confidence: float
    good: float
    auroc: float


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """Figures of one scope; `visionrouter.confidence.report_text` and `.report_html` write them out."""

    title: str
    n: int
    units: int
    bad: int
    signals: tuple[SignalRow, ...]
    ece: Estimate
    brier: Estimate
    reliability: tuple[ReliabilityBin, ...]
    curve: RiskCoverage
    oracle: RiskCoverage
    outcomes: tuple[Certificate | Infeasible, ...]
    groups: tuple[GroupRow, ...] = ()
    sparsification: Sparsification | None = None
    dropped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def combined(self) -> SignalRow:
        """The row of the calibrated confidence."""
        return next(row for row in self.signals if row.name == COMBINED)


def make_report(
    calibrator: Calibrator,
    rows: Sequence[Mapping[str, float]],
    bad: Bool,
    *,
    outcomes: Sequence[Certificate | Infeasible] = (),
    groups: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    sparsification: Sparsification | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> CalibrationReport:
    """Judge a calibrator on rows (N,) with labels (N,) that it was not fitted on.

    Every signal that all rows have is judged alone, in the direction the calibrator gives it; one that it does not
    read, in the direction that looks better here. Signals come best first, after all together.
    Raises `EvidenceMissingError` where a row lacks a signal the calibrator reads.
    """
    bad = np.asarray(bad, np.bool_)
    confidence = np.array([calibrator.confidence(row) for row in rows], np.float64)
    own = np.arange(len(bad)) if units is None else np.unique(np.asarray(units, str), return_inverse=True)[1]
    resamples = _resamples(own, seed)

    def estimate(figure: Callable[[npt.NDArray[np.intp]], float]) -> Estimate:
        drawn = np.array([figure(sample) for sample in resamples])
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.quantile(drawn, (0.025, 0.975)) if drawn.size else (math.nan, math.nan)
        return Estimate(figure(np.arange(len(bad))), float(low), float(high))

    def judged(name: str, score: F64, weight: float | None) -> SignalRow:
        return SignalRow(
            name,
            estimate(lambda at: auroc(score[at], bad[at])),
            estimate(lambda at: excess_aurc(score[at], bad[at])),
            weight,
        )

    weights = {feature.name: feature.weight for feature in calibrator.features}
    alone = []
    for name in sorted(set.intersection(*(set(row) for row in rows)) if rows else ()):
        column = np.array([row[name] for row in rows], np.float64)
        if not np.isfinite(column).all():
            continue
        weight = weights.get(name)
        up = auroc(column, bad) >= 0.5 if weight is None else weight >= 0
        alone.append(judged(name, column if up else -column, weight))
    alone.sort(key=lambda row: (math.isnan(row.auroc.value), -row.auroc.value))
    return CalibrationReport(
        str(calibrator.scope),
        len(bad),
        int(own.max()) + 1 if len(own) else 0,
        int(bad.sum()),
        (judged(COMBINED, confidence, None), *alone),
        estimate(lambda at: ece(confidence[at], ~bad[at])),
        estimate(lambda at: brier(confidence[at], ~bad[at])),
        reliability(confidence, ~bad),
        risk_coverage(confidence, bad),
        risk_coverage((~bad).astype(np.float64), bad),
        tuple(outcomes),
        () if groups is None else _by_group(confidence, bad, groups),
        sparsification,
        calibrator.dropped,
        tuple(notes),
    )


def _resamples(own: npt.NDArray[np.intp], seed: int) -> list[npt.NDArray[np.intp]]:
    """Indices of rows, units drawn with replacement."""
    rng = np.random.default_rng(seed)
    members = np.split(np.argsort(own, kind="stable"), np.cumsum(np.bincount(own))[:-1])
    count = len(members)
    return [
        np.concatenate([members[u] for u in rng.integers(0, count, count).tolist()])
        for _ in range(_RESAMPLES)
    ]


def _by_group(confidence: F64, bad: Bool, groups: Sequence[str]) -> tuple[GroupRow, ...]:
    values = np.asarray(groups, str)
    table = []
    for value in np.unique(values):
        at = values == value
        table.append(
            GroupRow(
                str(value),
                int(at.sum()),
                int(bad[at].sum()),
                float(confidence[at].mean()),
                float((~bad[at]).mean()),
                auroc(confidence[at], bad[at]),
            )
        )
    return tuple(table)
