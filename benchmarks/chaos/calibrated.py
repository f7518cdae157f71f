"""A calibration of the fakes, so that policies that ask for a confidence or a certificate can be rehearsed too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from visionrouter.confidence.calibrations import scope_of
from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.certificate import Certificate, Infeasible
from visionrouter.confidence.certify import certify
from visionrouter.confidence.documents import (
    CalibrationDocument,
    Provenance,
    Subject,
    calibrator_digest,
    rows_digest,
)
from visionrouter.confidence.scope import Digests, MadeWith
from visionrouter.schema.route import Route
from visionrouter.schema.task import Task

ITEMS = 900
ALPHA, DELTA = 0.01, 0.01
"""What is certified of them: at most a share `ALPHA` of the accepted is bad, with confidence 1 - `DELTA`."""
_GOOD_FROM = 0.4


def reads_calibration(route: Route) -> bool:
    """Whether a route judges by a confidence or by a certificate."""
    accepts = (route.accept, *(choice.accept for choice in route.try_ if choice.accept is not None))
    return any(accept.gate in ("confidence", "risk") for accept in accepts)


def calibrated(made_with: Mapping[str, MadeWith], task: Task) -> CalibrationDocument:
    """What would be measured of backends whose answers are good from a score of 0.4 on. The rows are made up, as the
    backends are."""
    score = np.linspace(0, 1, ITEMS)
    bad = score < _GOOD_FROM
    rows = [{"score": float(s)} for s in score]
    subjects, calibrators = [], []
    outcomes: list[Certificate | Infeasible] = []
    fitted = Calibrator.fit(rows, ~bad, scope=scope_of("fake", task))
    confidence = np.array([fitted.read(row).confidence for row in rows])
    for name, made in made_with.items():
        scope = scope_of(name, task)
        calibrator = replace(fitted, scope=scope)
        digests = Digests(
            made.weights, made.evidence, calibrator_digest(calibrator), rows_digest([scope.subject, ITEMS])
        )
        subjects.append(Subject(scope=scope, made_with=made, sample={"score": tuple(score[::10].tolist())}))
        calibrators.append(calibrator)
        outcomes += certify(
            confidence, bad.astype(np.float64), scope=scope, digests=digests, alpha=ALPHA, delta=DELTA
        )
    provenance = Provenance(made_by="visionrouter chaos", data=rows_digest(rows), items=ITEMS)
    return CalibrationDocument(
        provenance=provenance,
        subjects=tuple(subjects),
        calibrators=tuple(calibrators),
        outcomes=tuple(outcomes),
    ).signed()
