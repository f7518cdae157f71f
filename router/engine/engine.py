"""Runs a route: its stops in order, until one is accepted, the route says stop, or time is up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from visionrouter.backends.base import Backend
from visionrouter.confidence.calibrations import Calibrations, mended_subject
from visionrouter.confidence.gate import decide
from visionrouter.confidence.scope import MadeWith
from visionrouter.engine.ask import abandon, failure
from visionrouter.engine.best_effort import best_effort
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.evidence import collect
from visionrouter.engine.hedging import outrun, withdraw
from visionrouter.engine.journey import Journey
from visionrouter.engine.lane import Lane
from visionrouter.engine.lateness import Lateness
from visionrouter.engine.mending import DENSE, NO_MAP, calibrated_map_of, mended
from visionrouter.engine.merging import merged
from visionrouter.engine.options import EngineOptions, LaneState
from visionrouter.engine.pace import NoTimeError, Pace
from visionrouter.engine.second_opinion import backed, second_opinion
from visionrouter.engine.stops import Itinerary, Stop, itinerary, mended_made_with
from visionrouter.engine.waiting import Waiter
from visionrouter.policies.licences import Licences
from visionrouter.schema.decision import Attempt, Outcome, Reason, Verdict, VerdictKind
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.quick import quick_init
from visionrouter.schema.request import Query
from visionrouter.schema.result import Candidate
from visionrouter.schema.route import Route
from visionrouter.schema.task import Task


@quick_init
@dataclass(frozen=True, slots=True)
class Run:
    """How a route went. `chosen` is the candidate the answer is, None where there is none. `waited_ms`: time spent
    waiting for backends. `notes` tell of hedging."""

    outcome: Outcome
    reason: Reason
    attempts: tuple[Attempt, ...]
    candidates: tuple[Candidate, ...]
    skipped: tuple[tuple[str, Reason], ...]
    chosen: Candidate | None
    waited_ms: float
    notes: tuple[str, ...] = ()


class Engine:
    """Owns a lane a backend. Safe to use from several threads and event loops at once. `lateness`: of the waits here."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        calibrations: Calibrations,
        options: EngineOptions = EngineOptions(),
    ) -> None:
        self._lanes = {name: Lane.of(backend, options) for name, backend in backends.items()}
        self._calibrations = calibrations
        self._pace = Pace()
        self.lateness = Lateness()
        self._itineraries: dict[tuple[int, Task, bool], Itinerary] = {}

    def states(self) -> dict[str, LaneState]:
        return {name: lane.state() for name, lane in self._lanes.items()}

    def warm_up(self) -> None:
        for lane in self._lanes.values():
            lane.worker.warm_up()

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.worker.close()
        self._pace.close()

    def itinerary(self, route: Route, query: Query, licences: Licences) -> Itinerary:
        """The stops a route comes to for a query, and the backends left out, with why."""
        key = id(route), query.task, bool(query.prompts)
        found = self._itineraries.get(key)
        if found is None:
            found = itinerary(route, query, self._lanes, licences, self._calibrations)
            self._itineraries[key] = found
        return found

    def made_with(self, route: Route, query: Query, licences: Licences) -> dict[str, MadeWith]:
        """What the answers along a route are made with, by who makes them; "a+b" for those of a mended with b's."""
        stops = self.itinerary(route, query, licences).stops
        made = {stop.lane.name: stop.made_with for stop in stops}
        if route.regions is not None and query.task in DENSE:
            for base, patch in pairwise(stops):
                subject = mended_subject(base.lane.name, patch.lane.name)
                made[subject] = mended_made_with(base, patch.lane, route.regions)
        return made

    async def run(
        self,
        route: Route,
        query: Query,
        licences: Licences,
        tags: Mapping[str, str],
        deadline: Deadline,
        waiter: Waiter,
    ) -> Run:
        """Try the route's stops in order. Never raises for what backends do."""
        plan = self.itinerary(route, query, licences)
        journey = Journey(query, tags, deadline, waiter, self._pace, route.attempt_timeout_ms)
        try:
            return await (self._all_merged(journey, plan) if route.merge else self._in_order(journey, plan))
        except BaseException:
            for question in journey.open.values():
                abandon(question)
            raise

    async def _in_order(self, journey: Journey, plan: Itinerary) -> Run:
        """Stop after stop, the next one also while one is late, where the route hedges."""
        route, stops = plan.route, plan.stops
        for i, stop in enumerate(stops):
            timeout_ms = _timeout_ms(journey, plan, i)
            if plan.hedging is not None and await _hedged(journey, plan, i, timeout_ms):
                verdict, _ = await _attempt(journey, stops[i + 1], plan, _timeout_ms(journey, plan, i + 1))
                if verdict.accepted:
                    return _finished(journey, plan, Outcome.FELL_BACK, verdict.reason, journey.candidates[-1])
            verdict, prediction = await _attempt(journey, stop, plan, timeout_ms)
            if verdict.accepted:
                outcome = Outcome.ACCEPTED if i == 0 else Outcome.FELL_BACK
                return _finished(journey, plan, outcome, verdict.reason, journey.candidates[-1])
            if verdict.kind is VerdictKind.ABSTAIN or (prediction is None and route.on_error == "abstain"):
                return _finished(journey, plan, Outcome.ABSTAINED, verdict.reason)
            if route.regions is not None and prediction is not None and i + 1 < len(stops):
                joined = await self._mended(journey, plan, stop, stops[i + 1].lane, prediction)
                if joined is not None and joined.accepted:
                    return _finished(journey, plan, Outcome.MERGED, joined.verdict.reason, joined)
        return self._exhausted(journey, plan)

    async def _mended(
        self, journey: Journey, plan: Itinerary, base: Stop, patch: Lane, prediction: Prediction
    ) -> Candidate | None:
        """What comes of mending an answer that was not accepted; written down among the candidates."""
        regions, task = plan.route.regions, journey.query.task
        if regions is None or task not in DENSE:
            return None
        timeout_ms = journey.deadline.cap_ms(plan.route.attempt_timeout_ms, journey.reserve_ms("mend"))
        subject = mended_subject(base.lane.name, patch.name)
        standing = self._calibrations.standing(subject, task, mended_made_with(base, patch, regions))
        joined = await mended(journey, plan.route, base, patch, prediction, standing, timeout_ms)
        if joined is not None:
            journey.candidates.append(joined)
        return joined

    async def _all_merged(self, journey: Journey, plan: Itinerary) -> Run:
        """Ask every stop at once; merge what is accepted."""
        timeout_ms = journey.deadline.cap_ms(plan.route.attempt_timeout_ms, journey.reserve_ms("merge"))
        await journey.ask_all([stop.lane for stop in plan.stops], timeout_ms)
        for stop in plan.stops:
            await _attempt(journey, stop, plan, timeout_ms)
        accepted = [candidate for candidate in journey.candidates if candidate.accepted]
        if not accepted:
            return self._exhausted(journey, plan)
        if len(accepted) > 1:
            try:
                joined = await journey.compute("merge", lambda: merged(accepted))
            except NoTimeError:
                journey.notes.append(f"not_merged:{Reason.DEADLINE_EXCEEDED.value}")
            else:
                journey.candidates.append(joined)
                return _finished(journey, plan, Outcome.MERGED, joined.verdict.reason, joined)
        first = accepted[0].backend == plan.stops[0].lane.name
        outcome = Outcome.ACCEPTED if first else Outcome.FELL_BACK
        return _finished(journey, plan, outcome, accepted[0].verdict.reason, accepted[0])

    def _exhausted(self, journey: Journey, plan: Itinerary) -> Run:
        """Nothing was accepted: the best effort where the route wants it, else an abstention."""
        attempts, candidates = journey.attempts, journey.candidates
        if not attempts:
            denied = any(reason is Reason.LICENCE_DENIED for _, reason in plan.skipped)
            reason = Reason.LICENCE_DENIED if denied else Reason.NO_BACKEND
        elif len(attempts) == 1:
            reason = attempts[0].verdict.reason
        elif journey.deadline.left_ms() == 0:
            reason = Reason.DEADLINE_EXCEEDED
        else:
            reason = Reason.EXHAUSTED if candidates else Reason.NO_ANSWER
        if plan.route.otherwise == "abstain" or not attempts:
            return _finished(journey, plan, Outcome.ABSTAINED, reason)
        if not candidates:
            return _finished(journey, plan, Outcome.FAILED, reason)
        chosen = best_effort(
            candidates, lambda subject: self._calibrations.limits(subject, journey.query.task)
        )
        return _finished(journey, plan, Outcome.DEGRADED, reason, chosen)


def _timeout_ms(journey: Journey, plan: Itinerary, i: int) -> float | None:
    """The most that stop `i` may take."""
    kept_ms = plan.route.kept_ms(i, len(plan.stops), journey.deadline.left_ms())
    return journey.deadline.cap_ms(plan.route.attempt_timeout_ms, kept_ms)


async def _hedged(journey: Journey, plan: Itinerary, i: int, timeout_ms: float | None) -> bool:
    """Whether the stop after `i` answers before it."""
    hedge, budget = plan.route.hedge, plan.hedging
    if hedge is None or budget is None or i + 1 == len(plan.stops):
        return False
    primary, second = plan.stops[i].lane, plan.stops[i + 1].lane
    return await outrun(
        journey, hedge, budget, primary, timeout_ms, second, lambda: _timeout_ms(journey, plan, i + 1)
    )


async def _attempt(
    journey: Journey, stop: Stop, plan: Itinerary, timeout_ms: float | None
) -> tuple[Verdict, Prediction | None]:
    """One stop, judged once: a second time tells what came of the first."""
    name = stop.lane.name
    judged = journey.judged.get(name)
    if judged is None:
        judged = journey.judged[name] = await _judged(journey, stop, plan, timeout_ms)
    return judged


async def _judged(
    journey: Journey, stop: Stop, plan: Itinerary, timeout_ms: float | None
) -> tuple[Verdict, Prediction | None]:
    """Ask, buy evidence, judge, hear the second opinion, write it down."""
    route = plan.route
    asked = journey.open.get(stop.lane.name)
    begun_ms = journey.deadline.elapsed_ms() if asked is None else asked.started_ms
    answer = await journey.ask(stop.lane, timeout_ms)
    prediction = answer.prediction
    if prediction is None:
        verdict = answer.failure or failure(Reason.BACKEND_ERROR, "no answer and no reason")
        journey.record(answer, verdict, None)
        return verdict, None
    evidence_ms = 0.0
    if stop.inquiries:
        left_ms = _left_ms(journey, timeout_ms, begun_ms)
        prediction, evidence_ms = await _enriched(journey, stop, prediction, left_ms)
    verdict = decide(prediction, stop.accept, stop.standing, journey.tags, route.uncertified)
    if verdict.accepted and route.check is not None:
        third_ms = journey.deadline.cap_ms(route.attempt_timeout_ms)
        verdict, notes = await second_opinion(
            journey, route.check, stop, verdict, prediction, plan.stops, third_ms
        )
        prediction = replace(prediction, notes=(*prediction.notes, *notes))
    elif route.check is not None:
        verdict = backed(journey, stop, verdict, prediction)
    try:
        trust = await calibrated_map_of(journey, prediction, stop.standing)
    except NoTimeError:
        trust = None
        prediction = replace(prediction, notes=(*prediction.notes, NO_MAP))
    journey.record(answer, verdict, prediction, evidence_ms, trust)
    return verdict, prediction


def _left_ms(journey: Journey, timeout_ms: float | None, begun_ms: float) -> float | None:
    """What is left of the most that a stop may take, where it was begun at `begun_ms`."""
    spent_ms = journey.deadline.elapsed_ms() - begun_ms
    return journey.deadline.cap_ms(None if timeout_ms is None else max(0.0, timeout_ms - spent_ms))


async def _enriched(
    journey: Journey, stop: Stop, prediction: Prediction, timeout_ms: float | None
) -> tuple[Prediction, float]:
    """The prediction with the stop's evidence, and the milliseconds that it took."""
    begun_ms = journey.deadline.elapsed_ms()
    prediction = await collect(journey, prediction, stop.inquiries, timeout_ms)
    took_ms = journey.deadline.elapsed_ms() - begun_ms
    journey.waited_ms += took_ms
    return prediction, took_ms


def _finished(
    journey: Journey,
    plan: Itinerary,
    outcome: Outcome,
    reason: Reason,
    chosen: Candidate | None = None,
) -> Run:
    journey.record_consulted()
    withdraw(journey)
    return Run(
        outcome,
        reason,
        tuple(journey.attempts),
        tuple(journey.candidates),
        plan.skipped,
        chosen,
        journey.waited_ms,
        tuple(journey.notes),
    )
