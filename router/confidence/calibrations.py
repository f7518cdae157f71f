"""The calibration files at hand, and which of them speak of what really runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from visionrouter.confidence.gate import Standing
from visionrouter.confidence.losses import LOSSES, PIXEL_ERRORS
from visionrouter.confidence.scope import MadeWith, Scope
from visionrouter.schema.route import Limits, Opinion, Regions
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from visionrouter.confidence.documents import CalibrationDocument
    from visionrouter.confidence.drift import Suspension
    from visionrouter.confidence.watch import ScopeWatch


@dataclass(frozen=True, slots=True)
class Drift:
    """How live traffic is watched: a false alarm is raised with probability at most `delta` over a router's life, for each
    scope and watch. `least_audited`: the least probability with which an accepted answer is drawn for an audit."""

    delta: float = 0.01
    least_audited: float = 1.0


class Calibrations:
    """Limits and opinions of a profile, and calibrations of what is asked through it.

    With `drift`, every calibrated scope is watched: while an alarm stands, its certificates count for nothing.
    """

    def __init__(
        self,
        limits: Mapping[str, Mapping[Task, Limits]],
        documents: Sequence[CalibrationDocument] = (),
        drift: Drift | None = None,
        opinions: Mapping[str, Mapping[Task, Opinion]] = MappingProxyType({}),
    ) -> None:
        self._limits = limits
        self._opinions = opinions
        self._documents = tuple(documents)
        self._watches: Mapping[tuple[Scope, MadeWith], ScopeWatch] = (
            {} if drift is None else {key: watch for d in documents for key, watch in _watches(d, drift)}
        )

    def limits(self, subject: str, task: Task) -> Limits | None:
        """What the profile says an answer must keep, None where nobody measured it."""
        return self._limits.get(subject, {}).get(task)

    def opinion(self, subject: str, task: Task) -> Opinion | None:
        """What makes an answer a second opinion: what the profile says of that, else that it keeps its limits; None where
        nobody measured either."""
        said = self._opinions.get(subject, {}).get(task)
        limits = self.limits(subject, task)
        return said or (None if limits is None else Opinion(limits))

    def watches(self, scope: Scope) -> list[ScopeWatch]:
        """The drift watches of a scope: one for each way in which its answers are made and were calibrated."""
        return [watch for (watched, _), watch in self._watches.items() if watched == scope]

    def suspensions(self) -> dict[Scope, Suspension]:
        """The alarms that stand, by scope."""
        alarms = ((scope, watch.suspension) for (scope, _), watch in self._watches.items())
        return {scope: alarm for scope, alarm in alarms if alarm is not None}

    def standing(self, subject: str, task: Task, made_with: MadeWith) -> Standing:
        """What answers of `subject` to `task` are judged by, where they are made like this.

        A calibration of answers that were made otherwise is left out, and the standing says what differs.
        """
        limits = self.limits(subject, task)
        scope = scope_of(subject, task)
        why_not = f"nothing was calibrated for {scope}"
        for document in self._documents:
            calibrated, calibrator = document.subject(scope), document.calibrator(scope)
            if calibrated is None or calibrator is None:
                continue
            differs = calibrated.made_with.differences(made_with)
            if differs:
                why_not = (
                    f"the calibration of {scope} was made with other {' and '.join(differs)}; calibrate again"
                )
                continue
            pixels = document.pixel_calibrator(pixel_scope_of(subject, task))
            watch = self._watches.get((scope, made_with))
            return Standing(limits, calibrator, pixels, document.outcomes_of(scope), watch=watch)
        return Standing(limits, why_not=why_not)


def _watches(
    document: CalibrationDocument, drift: Drift
) -> Iterator[tuple[tuple[Scope, MadeWith], ScopeWatch]]:
    from visionrouter.confidence.drift import AuditWatch, EvidenceWatch
    from visionrouter.confidence.watch import ScopeWatch

    for subject in document.subjects:
        calibrator = document.calibrator(subject.scope)
        if calibrator is None:
            continue
        sample = {name: subject.sample[name] for name in calibrator.signals}
        alphas = [o.alpha for o in document.outcomes_of(subject.scope)]
        audit = AuditWatch(max(alphas), drift.delta, drift.least_audited) if alphas else None
        yield (subject.scope, subject.made_with), ScopeWatch(EvidenceWatch(sample, drift.delta), audit)


def scope_of(subject: str, task: Task) -> Scope:
    """What a calibration of `subject` speaks of: the task's loss, and from where on an answer is bad."""
    loss = LOSSES[task]
    return Scope(subject, task, loss.name, loss.bad_above)


def pixel_scope_of(subject: str, task: Task) -> Scope:
    """The same of its pixels, for dense tasks; of the answer as a whole for others."""
    error = PIXEL_ERRORS.get(task)
    return scope_of(subject, task) if error is None else Scope(subject, task, error.name, error.bad_above)


def mended_subject(base: str, patch: str) -> str:
    """The name that answers of `base` mended with `patch`'s go by: a subject of its own."""
    return f"{base}+{patch}"


def evidence_digest(
    probes: Sequence[str], versions: Sequence[str], checker: tuple[str, str] | None, regions: Regions | None
) -> str:
    """SHA-256 over what made the signals: the probes, the backends' versions, the second opinion (name and weights)
    and, of mended answers, where they are mended. The order in which a policy names its probes makes no difference."""
    made_of = [
        sorted(probes),
        list(versions),
        checker,
        None if regions is None else [regions.below, regions.max_share, regions.max_count, regions.min_share],
    ]
    return hashlib.sha256(json.dumps(made_of, separators=(",", ":")).encode()).hexdigest()
