"""Runs a route: its choices in order, until one is accepted, the route says stop, or time is up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from visionrouter.backends.base import Backend
from visionrouter.confidence.gate import is_empty
from visionrouter.engine.attempt import attempt
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.lane import Lane
from visionrouter.engine.options import EngineOptions, LaneState
from visionrouter.engine.waiting import Waiter
from visionrouter.policies.licences import Licences
from visionrouter.policies.resolve import resolve
from visionrouter.schema.decision import Attempt, Outcome, Reason
from visionrouter.schema.request import Query
from visionrouter.schema.result import Candidate
from visionrouter.schema.route import Accept, Limits, Route
from visionrouter.schema.task import Task


@dataclass(frozen=True, slots=True)
class Run:
    """How a route went. `chosen` is the candidate the answer is, None where there is none."""

    outcome: Outcome
    reason: Reason
    attempts: tuple[Attempt, ...]
    candidates: tuple[Candidate, ...]
    skipped: tuple[tuple[str, Reason], ...]
    chosen: Candidate | None


@dataclass(frozen=True, slots=True)
class ResolvedLanes:
    """A route written out for one task. Holds its `route`, so that the route's id is not given to another."""

    route: Route
    lanes: tuple[tuple[Lane, Accept], ...]
    skipped: tuple[tuple[str, Reason], ...]


class Engine:
    """Owns a lane a backend. Safe to use from several threads and event loops at once."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        limits: Mapping[str, Mapping[Task, Limits]],
        options: EngineOptions = EngineOptions(),
    ) -> None:
        self._lanes = {name: Lane.of(backend, options) for name, backend in backends.items()}
        self._limits = limits
        self._resolved: dict[tuple[int, Task, bool], ResolvedLanes] = {}

    def states(self) -> dict[str, LaneState]:
        return {name: lane.state() for name, lane in self._lanes.items()}

    def warm_up(self) -> None:
        for lane in self._lanes.values():
            lane.worker.warm_up()

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.worker.close()

    def resolve(self, route: Route, query: Query, licences: Licences) -> ResolvedLanes:
        """The lanes a route comes to for a query, each with how it is accepted; and those left out, with why."""
        key = id(route), query.task, bool(query.prompts)
        found = self._resolved.get(key)
        if found is None:
            specs = [lane.backend.spec for lane in self._lanes.values()]
            usable = [spec for spec in specs if query.prompts or not spec.needs_prompts]
            resolved = resolve(route, query.task, usable, licences)
            lanes = tuple(
                (self._lanes[choice.backend], choice.accept or route.accept) for choice in resolved.choices
            )
            found = self._resolved[key] = ResolvedLanes(route, lanes, resolved.skipped)
        return found

    async def run(
        self, route: Route, query: Query, licences: Licences, deadline: Deadline, waiter: Waiter
    ) -> Run:
        """Try the route's choices in order. Never raises for what backends do."""
        resolved = self.resolve(route, query, licences)
        attempts: list[Attempt] = []
        candidates: list[Candidate] = []
        for i, (lane, accept) in enumerate(resolved.lanes):
            reserve_ms = route.reserve_ms if i + 1 < len(resolved.lanes) else 0.0
            timeout_ms = deadline.cap_ms(route.attempt_timeout_ms, reserve_ms)
            limits = self._limits.get(lane.backend.spec.name, {}).get(query.task)
            record, prediction = await attempt(lane, query, accept, limits, deadline, timeout_ms, waiter)
            attempts.append(record)
            if prediction is not None:
                candidates.append(Candidate(lane.backend.spec.name, prediction, record.verdict.accepted))
            if record.verdict.accepted:
                outcome = Outcome.ACCEPTED if i == 0 else Outcome.FELL_BACK
                return _run(outcome, record.verdict.reason, attempts, candidates, resolved, candidates[-1])
            if prediction is None and route.on_error == "abstain":
                return _run(Outcome.ABSTAINED, record.verdict.reason, attempts, candidates, resolved)
        outcome, reason, best = _exhausted(route, attempts, candidates, resolved, deadline)
        return _run(outcome, reason, attempts, candidates, resolved, best)


def _run(
    outcome: Outcome,
    reason: Reason,
    attempts: list[Attempt],
    candidates: list[Candidate],
    resolved: ResolvedLanes,
    chosen: Candidate | None = None,
) -> Run:
    return Run(outcome, reason, tuple(attempts), tuple(candidates), resolved.skipped, chosen)


def _exhausted(
    route: Route,
    attempts: list[Attempt],
    candidates: list[Candidate],
    resolved: ResolvedLanes,
    deadline: Deadline,
) -> tuple[Outcome, Reason, Candidate | None]:
    """Nothing was accepted: the best effort (the first in the route's order that found something), or an abstention."""
    if not attempts:
        denied = any(reason is Reason.LICENCE_DENIED for _, reason in resolved.skipped)
        reason = Reason.LICENCE_DENIED if denied else Reason.NO_BACKEND
    elif len(attempts) == 1:
        reason = attempts[0].verdict.reason
    else:
        reason = Reason.DEADLINE_EXCEEDED if deadline.left_ms() == 0 else Reason.EXHAUSTED
    if route.otherwise == "best_effort" and candidates:
        found = (c for c in candidates if not is_empty(c.prediction.payload))
        return Outcome.DEGRADED, reason, next(found, candidates[0])
    return (Outcome.ABSTAINED if candidates or not attempts else Outcome.FAILED), reason, None
