"""Which answer is given where none passed: the one that there is most reason to believe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from visionrouter.schema.decision import Reason
from visionrouter.schema.result import Candidate
from visionrouter.schema.route import Limit, Limits

_ANSWERS_LESS = {Reason.NOTHING_FOUND: 2, Reason.UNRESOLVED: 1}
"""What says nothing comes last, what may be of something else before it."""


def best_effort(candidates: Sequence[Candidate], limits_of: Callable[[str], Limits | None]) -> Candidate:
    """Of what answers the question, the highest calibrated confidence; where there is none, the answer nearest to its
    limits; last, one of which nothing is known. Among equals the first that was tried."""

    def doubt(candidate: Candidate) -> tuple[int, int, float]:
        less = _ANSWERS_LESS.get(candidate.verdict.reason, 0)
        confidence = candidate.verdict.confidence
        if confidence is not None:
            return less, 0, -confidence
        limits = limits_of(candidate.backend)
        return (
            (less, 2, 0.0)
            if limits is None
            else (less, 1, -margin(candidate.prediction.evidence.signals, limits))
        )

    return min(candidates, key=doubt)


def margin(signals: Mapping[str, float], limits: Limits) -> float:
    """How far inside its limits the signal lies that is nearest to one, as a share of that limit; below 0 outside, and
    minus infinity where one is missing."""
    return min((_inside(signals.get(name), limit) for name, limit in limits.items()), default=0.0)


def _inside(value: float | None, limit: Limit) -> float:
    if value is None or math.isnan(value):
        return -math.inf
    sides = [(value - limit.min, limit.min)] if limit.min is not None else []
    sides += [(limit.max - value, limit.max)] if limit.max is not None else []
    return min(room / max(abs(bound), 1e-6) for room, bound in sides)
