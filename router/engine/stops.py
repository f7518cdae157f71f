"""A route written out for one task: the lanes it comes to, how each is judged, and what evidence is bought for it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from visionrouter.confidence.calibrations import Calibrations, evidence_digest
from visionrouter.confidence.gate import Standing
from visionrouter.confidence.probes import PROBES, Probe, Role
from visionrouter.confidence.scope import MadeWith
from visionrouter.engine.evidence import Inquiry
from visionrouter.engine.hedging import HedgeBudget
from visionrouter.engine.lane import Lane
from visionrouter.policies.licences import Licences
from visionrouter.policies.resolve import resolve
from visionrouter.schema.decision import Reason
from visionrouter.schema.request import Query
from visionrouter.schema.route import Accept, CrossCheck, Opinion, Regions, Route
from visionrouter.schema.task import Task


@dataclass(frozen=True, slots=True)
class Stop:
    """One place on a route. `opinion`: what makes its answer a second opinion on another's, None where nobody knows.
    `checker`: who gives the second opinion on its own, and `checked_by` what makes it one; None where the route asks for
    none or nobody that was measured can."""

    lane: Lane
    accept: Accept
    made_with: MadeWith
    standing: Standing
    inquiries: tuple[Inquiry, ...]
    opinion: Opinion | None = None
    checker: Lane | None = None
    checked_by: Opinion | None = None


@dataclass(frozen=True, slots=True)
class Itinerary:
    """A route's stops in order, and the backends left out, with why. Holds its `route`, so that the route's id is not
    given to another; `hedging` is what is left of its budget, None where the route does not hedge."""

    route: Route
    stops: tuple[Stop, ...]
    skipped: tuple[tuple[str, Reason], ...]
    hedging: HedgeBudget | None = None


def itinerary(
    route: Route,
    query: Query,
    lanes: Mapping[str, Lane],
    licences: Licences,
    calibrations: Calibrations,
) -> Itinerary:
    """Write a route out for queries of this task, with or without prompts."""
    allowed = [lane for lane in lanes.values() if licences.permits(lane.backend.spec.licence)]
    able = [lane for lane in allowed if _can(lane, query.task, prompted=bool(query.prompts))]
    told = ((lane.name, calibrations.opinion(lane.name, query.task)) for lane in able)
    opinions = {name: opinion for name, opinion in told if opinion is not None}
    specs = [
        lane.backend.spec for lane in lanes.values() if query.prompts or not lane.backend.spec.needs_prompts
    ]
    resolved = resolve(route, query.task, specs, licences)
    stops = []
    for choice in resolved.choices:
        lane = lanes[choice.backend]
        checker = None if route.check is None else _checker(route.check, lane, able, opinions)
        inquiries = tuple(_inquiries(route, query.task, lane, checker, allowed))
        made_with = _made_with(inquiries, (lane,), checker, None)
        standing = calibrations.standing(lane.name, query.task, made_with)
        own, theirs = opinions.get(lane.name), None if checker is None else opinions[checker.name]
        accept = choice.accept or route.accept
        stops.append(Stop(lane, accept, made_with, standing, inquiries, own, checker, theirs))
    budget = None if route.hedge is None else HedgeBudget(route.hedge.budget)
    return Itinerary(route, tuple(stops), resolved.skipped, budget)


def mended_made_with(base: Stop, patch: Lane, regions: Regions) -> MadeWith:
    """What answers of `base`, mended with `patch`'s, are made with."""
    return _made_with(base.inquiries, (base.lane, patch), base.checker, regions)


def _made_with(
    inquiries: Sequence[Inquiry], lanes: Sequence[Lane], checker: Lane | None, regions: Regions | None
) -> MadeWith:
    weights = "+".join(lane.backend.spec.weights_digest or "" for lane in lanes)
    second = None if checker is None else (checker.name, checker.backend.spec.weights_digest or "")
    versions = [lane.backend.spec.version for lane in lanes]
    return MadeWith(
        weights, evidence_digest([inquiry.name for inquiry in inquiries], versions, second, regions)
    )


def _inquiries(
    route: Route, task: Task, lane: Lane, checker: Lane | None, allowed: Sequence[Lane]
) -> list[Inquiry]:
    names = dict.fromkeys((*route.evidence, *(() if checker is None else ("cross_check",))))
    found = []
    for name in names:
        probe = PROBES[name]
        if task in probe.tasks and not (probe.role is Role.CHECKER and checker is None):
            found.append(Inquiry(name, probe, _asked(probe, lane, checker, allowed)))
    return found


def _asked(probe: Probe, lane: Lane, checker: Lane | None, allowed: Sequence[Lane]) -> Lane | None:
    match probe.role:
        case Role.NOBODY:
            return None
        case Role.SELF:
            return lane
        case Role.CHECKER:
            return checker
        case Role.DETECTOR:
            others = (other for other in allowed if other is not lane)
            return next((other for other in others if _can(other, Task.DETECT, prompted=False)), None)


def _checker(check: CrossCheck, lane: Lane, able: Sequence[Lane], told: Container[str]) -> Lane | None:
    """The second opinion on a lane: the one that the route names, or the first of its kind, but never itself, nor one of
    whose opinions nothing is told."""
    meant = (o for o in able if o.name in told and check.backend in (o.name, o.backend.spec.kind, "any"))
    return next((other for other in meant if other is not lane), None)


def _can(lane: Lane, task: Task, *, prompted: bool) -> bool:
    spec = lane.backend.spec
    return task in spec.tasks and (prompted or not spec.needs_prompts)
