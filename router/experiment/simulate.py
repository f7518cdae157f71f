"""One recorded request under another policy: what would have been asked, and how it would have ended, where that is known.

Nothing is guessed. A prediction that was recorded, by the answer or by a shadow, is judged anew from its signals; a
backend that was not asked then makes the outcome unknown from there on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from visionrouter.backends.base import BackendSpec
from visionrouter.composite import plan
from visionrouter.policies import Assignment, CompiledPolicy, resolve
from visionrouter.policies.inputs import Input
from visionrouter.policies.select import Selected
from visionrouter.schema.decision import Attempt, Decision, Outcome, Reason
from visionrouter.schema.errors import VisionRouterError
from visionrouter.schema.image import Image
from visionrouter.schema.request import Criticality, Prompts, Request
from visionrouter.schema.route import Accept, Limits, Route
from visionrouter.schema.task import Instruction, Task

_UNDERSTOOD = frozenset(
    {
        "try_",
        "accept",
        "on_error",
        "otherwise",
        "attempt_timeout_ms",
        "reserve_ms",
        "reserve_share",
        "deadline_ms",
    }
)
_FACTS = frozenset(
    {
        Reason.BACKEND_ERROR, Reason.INVALID_OUTPUT, Reason.OUT_OF_MEMORY, Reason.NOT_LOADED, Reason.WEIGHTS_CHANGED,
        Reason.UNSUPPORTED_TARGET,
    }
)  # fmt: skip
"""What a backend does to a question whatever the policy: it would do it again."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a policy would make of one recorded request.

    `path`: backends in the order they would be asked, up to the first of which nothing is known. `outcome` is None where
    it is unknown, `why` then says why. `latency_ms` is the sum of what is known of the attempts on `path`; `unknown` is the
    backend that was never asked, and `rest` those that might be asked after it.
    """

    rule: str | None
    path: tuple[str, ...] = ()
    outcome: Outcome | None = None
    reason: Reason | None = None
    by: str | None = None
    latency_ms: float = 0.0
    why: str = ""
    unknown: str | None = None
    rest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backends:
    """What a profile says of its backends: specs and limits, by name."""

    specs: Mapping[str, BackendSpec]
    limits: Mapping[str, Mapping[Task, Limits]]


def simulate(
    decision: Decision, others: Sequence[Decision], policy: CompiledPolicy, backends: Backends
) -> Simulated:
    """`others`: decisions of shadows of the same request. A composite is as known as its parts."""
    made = requests_of(decision)
    if isinstance(made, str):
        return Simulated(None, why=made)
    request, parts = made
    assignment, why = _assign(policy, request, decision)
    if why:
        return Simulated(None, why=why)
    if not decision.children:
        return _one(decision, others, request, assignment, policy, backends)
    found = [
        _one(
            child, [o.children[i] for o in others if len(o.children) > i], part, assignment, policy, backends
        )
        for i, (child, part) in enumerate(zip(decision.children, parts, strict=True))
    ]
    return _joined(found)


def _joined(parts: Sequence[Simulated]) -> Simulated:
    outcomes = [part.outcome for part in parts]
    open_part = next((part for part in parts if part.outcome is None), None)
    outcome: Outcome | None = None
    if open_part is None:
        gravest = (Outcome.FAILED, Outcome.ABSTAINED, Outcome.DEGRADED, Outcome.FELL_BACK)
        outcome = next((o for o in gravest if o in outcomes), Outcome.ACCEPTED)
    return Simulated(
        " + ".join(dict.fromkeys(part.rule or "unknown" for part in parts)),
        tuple(backend for part in parts for backend in part.path),
        outcome,
        None,
        None,
        max(part.latency_ms for part in parts),
        "" if open_part is None else open_part.why,
        None if open_part is None else open_part.unknown,
        tuple(backend for part in parts for backend in part.rest),
    )


def requests_of(decision: Decision) -> tuple[Request, list[Request]] | str:
    """The request as far as conditions can read it, and its parts; or why that cannot be made out."""
    instruction = _instruction(decision)
    if instruction is None:
        return "the instruction is not read as it was then"
    width, height = decision.image_size or (1, 1)
    pixels = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (height, width, 3))
    prompts = Prompts(boxes=np.zeros((1, 4), np.float32)) if decision.has_prompts else Prompts()
    request = Request(
        Image(pixels), instruction, prompts, dict(decision.tags), dict(decision.context), decision.requested_ms,
        Criticality(decision.criticality), decision.seed, decision.request_id,
    )  # fmt: skip
    if not decision.children:
        return request, []
    steps = plan(instruction)
    if [step.instruction.task for step in steps] != [child.task for child in decision.children]:
        return "the composite is not split as it was then"
    return request, [replace(request, instruction=step.instruction) for step in steps]


def _instruction(decision: Decision) -> Instruction | None:
    if decision.instruction == decision.task.value:
        return Instruction(decision.task, decision.instruction)
    from visionrouter.instruction import parse

    try:
        parsed = parse(decision.instruction)
    except VisionRouterError:
        return None
    return parsed if parsed.task is decision.task else None


def _unrecorded(wanted: Input, decision: Decision) -> bool:
    """Whether the ledger does not keep what a condition reads."""
    if wanted.path.startswith("image."):
        return wanted.path == "image.source" or decision.image_size is None
    if wanted.path == "context":
        return True
    return wanted.path.startswith("context.") and wanted.path.removeprefix("context.") not in decision.context


def _assign(policy: CompiledPolicy, request: Request, decision: Decision) -> tuple[Assignment, str]:
    for experiment in policy.experiments:
        reads = [*experiment.unit.needs, *(experiment.eligible.needs if experiment.eligible else ())]
        missing = next((wanted.path for wanted in reads if _unrecorded(wanted, decision)), None)
        if missing and not experiment.stopped:
            return Assignment(), f"{missing} was not recorded"
    return policy.assign(request, request.context), ""


def _one(
    decision: Decision,
    others: Sequence[Decision],
    request: Request,
    assignment: Assignment,
    policy: CompiledPolicy,
    backends: Backends,
) -> Simulated:
    selected = policy.select(request, request.context, assignment)
    missing = _missing_input(policy, assignment, request, selected, decision)
    if missing:
        return Simulated(None, why=f"{missing} was not recorded")
    odd = _not_understood(selected.route)
    if odd:
        return Simulated(selected.rule, why=f"a replay does not know what the route's {odd} would do")
    recorded: dict[str, Attempt] = {}
    for attempt in (*decision.attempts, *(a for other in others for a in other.attempts)):
        known = recorded.get(attempt.backend)
        if known is None or (_tells_nothing(known) and not _tells_nothing(attempt)):
            recorded[attempt.backend] = attempt
    usable = [spec for spec in backends.specs.values() if decision.has_prompts or not spec.needs_prompts]
    choices = resolve(selected.route, decision.task, usable, selected.licences).choices
    return _walk(
        selected,
        [(c.backend, c.accept or selected.route.accept) for c in choices],
        recorded,
        decision,
        backends.limits,
    )


def _tells_nothing(attempt: Attempt) -> bool:
    """True where it ended for the state of the moment: a timeout, a full queue, an open breaker."""
    return attempt.verdict.gate == "engine" and attempt.verdict.reason not in _FACTS


def _missing_input(
    policy: CompiledPolicy, assignment: Assignment, request: Request, selected: Selected, decision: Decision
) -> str | None:
    arm = policy.arm(assignment.experiment, assignment.variant) if assignment.experiment and assignment.variant else policy  # fmt: skip
    if not isinstance(arm, CompiledPolicy):
        return None
    case = (request.instruction.task, request.criticality)
    for rule in arm.rules:
        if case in rule.condition.possible:
            missing = next((i.path for i in rule.condition.needs if _unrecorded(i, decision)), None)
            if missing:
                return missing
        if rule.selected.rule == selected.rule:
            return None
    return None


def _not_understood(route: Route) -> str | None:
    plain = Route(route.try_)
    return next(
        (
            f.name
            for f in fields(Route)
            if f.name not in _UNDERSTOOD and getattr(route, f.name) != getattr(plain, f.name)
        ),
        None,
    )


def _walk(
    selected: Selected,
    choices: Sequence[tuple[str, Accept]],
    recorded: Mapping[str, Attempt],
    decision: Decision,
    limits: Mapping[str, Mapping[Task, Limits]],
) -> Simulated:
    route = selected.route
    path: list[str] = []
    predictions = 0
    spent_ms = 0.0
    reason = Reason.NO_BACKEND
    budget_ms = decision.requested_ms if decision.requested_ms is not None else route.deadline_ms
    for i, (backend, accept) in enumerate(choices):
        path.append(backend)
        attempt = recorded.get(backend)
        rest = tuple(name for name, _ in choices[i + 1 :])
        if attempt is None:
            return _unknown(selected, path, spent_ms, f"{backend} was not asked", backend, rest)
        left_ms = None if budget_ms is None else max(0.0, budget_ms - spent_ms)
        kept_ms = route.kept_ms(i, len(choices), left_ms)
        caps = [route.attempt_timeout_ms, None if left_ms is None else left_ms - kept_ms]
        cap_ms = min((cap for cap in caps if cap is not None), default=None)
        judged = _judge(attempt, accept, limits.get(backend, {}).get(decision.task), cap_ms)
        if isinstance(judged, str):
            return _unknown(selected, path, spent_ms, f"{backend} {judged}", None, rest)
        accepted, reason, predicted = judged
        spent_ms += attempt.latency_ms if cap_ms is None else min(attempt.latency_ms, max(cap_ms, 0.0))
        predictions += predicted
        if accepted:
            outcome = Outcome.ACCEPTED if i == 0 else Outcome.FELL_BACK
            return Simulated(selected.rule, tuple(path), outcome, reason, backend, spent_ms)
        if not predicted and route.on_error == "abstain":
            return Simulated(selected.rule, tuple(path), Outcome.ABSTAINED, reason, None, spent_ms)
    if len(choices) > 1:
        reason = Reason.EXHAUSTED if predictions else Reason.NO_ANSWER
    if route.otherwise == "abstain" or not choices:
        outcome = Outcome.ABSTAINED
    else:
        outcome = Outcome.DEGRADED if predictions else Outcome.FAILED
    return Simulated(selected.rule, tuple(path), outcome, reason, None, spent_ms)


def _unknown(
    selected: Selected,
    path: list[str],
    spent_ms: float,
    why: str,
    backend: str | None,
    rest: tuple[str, ...],
) -> Simulated:
    return Simulated(selected.rule, tuple(path), None, None, None, spent_ms, why, backend or path[-1], rest)


def _judge(
    attempt: Attempt, accept: Accept, limits: Limits | None, cap_ms: float | None
) -> tuple[bool, Reason, bool] | str:
    """(accepted, reason, whether there is a prediction), or why that cannot be told."""
    then = attempt.verdict
    if cap_ms is not None and (cap_ms <= 0 or attempt.latency_ms > cap_ms):
        return False, Reason.TIMEOUT, False
    if then.reason in _FACTS:
        return False, then.reason, False
    if _tells_nothing(attempt):
        return f"gave no answer then ({then.reason}), and might have given one"
    if then.reason is Reason.NOTHING_FOUND:
        return False, Reason.NOTHING_FOUND, True
    if accept.gate == "always":
        return True, Reason.NO_GATE, True
    if accept.gate not in ("limits", "evidence"):
        return f"would be judged by a gate ({accept.gate}) that a replay cannot repeat"
    from visionrouter.confidence.gate import judge
    from visionrouter.schema.payload import DepthMap
    from visionrouter.schema.prediction import Evidence, Prediction

    # What the gate reads of a payload is whether it is empty, and that is known: an empty one was judged above.
    something = DepthMap(np.ones((1, 1), np.float32), "m")
    evidence = Evidence(dict(attempt.signals))
    verdict = judge(
        Prediction(something, evidence, notes=attempt.notes),
        accept.evidence if accept.gate == "evidence" else limits,
    )
    return verdict.accepted, verdict.reason, True
