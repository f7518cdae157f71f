"""What would happen to a request, found out without running a model."""

from __future__ import annotations

from dataclasses import dataclass

from visionrouter.confidence.gate import foretell
from visionrouter.engine.engine import Engine
from visionrouter.engine.second_opinion import backing
from visionrouter.intake import parts_of, query_of
from visionrouter.policies import CompiledPolicy, Step
from visionrouter.policies.assign import Assignment
from visionrouter.schema.decision import Reason
from visionrouter.schema.request import Request
from visionrouter.schema.route import CrossCheck, Hedge, Opinion
from visionrouter.schema.task import Instruction, Task


@dataclass(frozen=True, slots=True)
class RoutePreview:
    """Where one task would go: the rule, why, the backends in order, and those left out with the reason.

    `judged`: what each backend's answer must keep, in words. `evidence`: the probes paid for. `check`: what becomes
    of answers by a second opinion, None where the route asks for none. `checked_by`: who gives the one on each, None
    where nobody does. `backed_by`: that opinion, where it may also make up for limits that an answer does not keep.
    `hedge`: when the next is asked before one has answered. `reserve`: what of the deadline is left to those after, in
    words, "" where nothing is.
    """

    step: str
    task: Task
    rule: str
    steps: tuple[Step, ...]
    backends: tuple[str, ...]
    skipped: tuple[tuple[str, Reason], ...]
    otherwise: str
    judged: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    check: CrossCheck | None = None
    checked_by: tuple[str | None, ...] = ()
    backed_by: tuple[Opinion | None, ...] = ()
    hedge: Hedge | None = None
    reserve: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A preview of a request: how it was understood, the experiment's arm, and a route for each of its parts."""

    instruction: Instruction
    policy: str
    policy_hash: str
    routes: tuple[RoutePreview, ...]
    assignment: Assignment


def explained(request: Request, policy: CompiledPolicy, engine: Engine) -> Explanation:
    """What `policy` would have `engine` do with a request, and why."""
    previews = []
    assignment = policy.assign(request, request.context)
    for name, part in parts_of(request):
        why = policy.explain(part, part.context, assignment)
        plan = engine.itinerary(why.route, query_of(part), why.licences)
        previews.append(
            RoutePreview(
                name,
                part.instruction.task,
                why.rule,
                why.steps,
                tuple(stop.lane.name for stop in plan.stops),
                plan.skipped,
                why.route.otherwise,
                tuple(foretell(stop.accept, stop.standing, part.tags) for stop in plan.stops),
                why.route.evidence,
                why.route.check,
                tuple(None if stop.checker is None else stop.checker.name for stop in plan.stops),
                tuple(backing(stop, why.route) for stop in plan.stops),
                why.route.hedge,
                why.route.reserve if len(plan.stops) > 1 and not why.route.merge else "",
            )
        )
    return Explanation(request.instruction, policy.name, policy.digest, tuple(previews), assignment)
