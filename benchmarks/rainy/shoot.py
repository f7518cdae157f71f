"""One case put to one system by the real router, and what came of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from visionrouter.benchmarks.labelled.occlusion import TAG as OCCLUDED
from visionrouter.benchmarks.labelled.size import object_share
from visionrouter.benchmarks.rainy.document import Shot
from visionrouter.benchmarks.rainy.matrix import Case
from visionrouter.benchmarks.rainy.recorded import Recorded, drain
from visionrouter.benchmarks.rainy.wording import is_nothing
from visionrouter.benchmarks.tuning.scores import Found, Tally, score
from visionrouter.confidence.losses import LOSSES
from visionrouter.engine.best_effort import best_effort, margin
from visionrouter.instruction import parse
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome
from visionrouter.schema.errors import InstructionError, SchemaError
from visionrouter.schema.payload import Classification, DepthMap, Payload
from visionrouter.schema.request import Request
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limits
from visionrouter.schema.task import Task

VOUCHED = frozenset({Outcome.ACCEPTED, Outcome.FELL_BACK, Outcome.MERGED})
NOT_UNDERSTOOD = "not_understood"
"""The outcome of words that the grammar refuses: an error that names what it does understand."""
Parts = Sequence[Tally | Found]


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A shot with the parts of the task's own figures; `result` is None where the words were not understood."""

    shot: Shot
    parts: Parts = ()
    result: Result | None = None


class Marksman:
    """Puts one case to systems in turn. Payloads that several of them give are measured once."""

    def __init__(
        self,
        case: Case,
        backends: Mapping[str, Recorded],
        limits: Mapping[str, Mapping[Task, Limits]],
    ) -> None:
        self.case = case
        self._backends = backends
        self._limits = limits
        self._loss = LOSSES[case.task]
        self._measured: dict[int, tuple[Payload, float, Parts]] = {}
        self._nothing = is_nothing(case.item.truth)
        self._judged = self._unjudged = 0
        self._request = _request(case)

    @property
    def foreign(self) -> bool:
        """Whether no answer so far could be held against the truth: poses without a joint that the truth names."""
        return self._unjudged > 0 and not self._judged

    @property
    def worst(self) -> float:
        """What no answer costs."""
        return 0.0 if self._nothing else self._loss.bad_above

    def shoot(self, system: str, router: Router) -> Taken:
        blank = self._blank(system)
        if self._request is None:
            return Taken(replace(blank, outcome=NOT_UNDERSTOOD, reason=NOT_UNDERSTOOD))
        drain(self._backends)
        result = router.answer(self._request)
        calls = drain(self._backends)
        loss, parts = (None, ()) if result.payload is None else self.measure(result.payload)
        vouched = result.outcome in VOUCHED
        score_of, score = self._score(result)
        shot = replace(
            blank,
            outcome=result.outcome.value,
            reason=result.decision.reason.value,
            loss=loss,
            utility=self.worst if loss is None else loss,
            vouched=vouched,
            sources=result.sources,
            would_be=None if vouched else self._would_be(result, loss),
            score=score,
            score_of=score_of,
            seconds=sum(call.seconds for call in calls),
            cost=sum(call.cost for call in calls),
            certificate_alpha=None if result.risk is None else result.risk.alpha,
        )
        return Taken(shot, parts, result)

    def measure(self, payload: Payload) -> tuple[float, Parts]:
        """Loss and parts of the task's own figures. What is of another kind than the truth (words misread as another
        task's), or has no joint of its, loses all there is to lose."""
        found = self._measured.get(id(payload))
        if found is None:
            found = payload, *self._held_against_truth(payload)
            self._measured[id(payload)] = found
        return found[1], found[2]

    def _held_against_truth(self, payload: Payload) -> tuple[float, Parts]:
        truth = self.case.item.truth
        if type(payload) is not type(truth):
            return 1.0, ()
        try:
            loss = self._loss.measure(payload, truth)
        except SchemaError:
            self._unjudged += 1
            return 1.0, ()
        self._judged += 1
        return loss, _parts(self.case, payload, loss)

    def is_bad(self, loss: float) -> bool:
        return self._loss.is_bad(loss)

    def _would_be(self, result: Result, loss: float | None) -> float | None:
        """Loss of the best effort, as a route that degrades would give it."""
        if loss is not None or not result.candidates:
            return loss
        return self.measure(best_effort(result.candidates, self._limits_of).prediction.payload)[0]

    def _score(self, result: Result) -> tuple[str | None, float | None]:
        """Confidence where it is calibrated; else how far inside its limits the answer is. Higher is safer."""
        if result.confidence is not None:
            return "confidence", result.confidence
        for attempt in result.decision.attempts:
            limits = self._limits_of(attempt.backend)
            if limits and (not result.sources or attempt.backend in result.sources):
                inside = margin(attempt.signals, limits)
                if math.isfinite(inside):
                    return "margin", inside
        return None, None

    def _limits_of(self, backend: str) -> Limits | None:
        return self._limits.get(backend, {}).get(self.case.task)

    def _blank(self, system: str) -> Shot:
        item = self.case.item
        hidden = item.tags.get(OCCLUDED)
        return Shot(
            item=self.case.id,
            scene=item.scene,
            task=self.case.task.value,
            condition=self.case.condition.name,
            system=system,
            outcome="",
            reason="",
            utility=self.worst,
            vouched=False,
            size=object_share(item),
            occluded=None if hidden is None else float(hidden),
        )


def _request(case: Case) -> Request | None:
    """The question as the router takes it, under an id of its own that is the same in every run."""
    request = case.item.request
    request_id = hashlib.sha256(case.id.encode()).hexdigest()[:16]
    if case.words is None:
        return replace(request, id=request_id)
    try:
        return replace(request, id=request_id, instruction=parse(case.words))
    except InstructionError:
        return None


def _parts(case: Case, payload: Payload, loss: float) -> Parts:
    if isinstance(payload, Classification):
        return [Tally("top-1", 1 - loss, 1)]
    if isinstance(payload, DepthMap) and not payload.is_metric:
        return []  # its loss is told after a fit; these figures are of metres
    return score(case.task, payload, case.item.truth, case.item.image.height)
