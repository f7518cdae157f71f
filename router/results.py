"""From how a request went to its result: the answer, and the decision that says why it is this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visionrouter.composite import answer
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.engine import Run
from visionrouter.policies import Assignment, CompiledPolicy
from visionrouter.schema.decision import Decision
from visionrouter.schema.request import Request
from visionrouter.schema.result import Result
from visionrouter.schema.task import Task


def asked(request: Request, assignment: Assignment) -> dict[str, Any]:
    """What a decision keeps of its request: the arm, and what conditions could read."""
    context = request.context
    return {
        "variant": assignment.variant,
        "experiment": assignment.experiment,
        "variant_reason": assignment.reason,
        "unit": assignment.unit,
        "criticality": str(request.criticality),
        "requested_ms": request.deadline_ms,
        "image_size": request.image.size,
        "has_prompts": bool(request.prompts),
        "seed": request.seed,
        "context": {k: v for k, v in context.items() if isinstance(v, str | bool | int | float)}
        if context
        else {},
    }


def single_result(
    request: Request,
    policy: CompiledPolicy,
    rule: str,
    assignment: Assignment,
    run: Run,
    deadline: Deadline,
) -> Result:
    """The result of a request of one task."""
    chosen, elapsed_ms = run.chosen, deadline.elapsed_ms()
    decision = Decision(
        request_id=request.id,
        task=request.instruction.task,
        instruction=request.instruction.text,
        outcome=run.outcome,
        reason=run.reason,
        policy=policy.name,
        policy_hash=policy.digest,
        rule=rule,
        attempts=run.attempts,
        skipped=run.skipped,
        deadline_ms=deadline.budget_ms,
        elapsed_ms=elapsed_ms,
        overhead_ms=elapsed_ms - run.waited_ms,
        notes=(*request.image.notes, *run.notes),
        tags=request.tags,
        **asked(request, assignment),
    )
    if chosen is None:
        return Result(
            request.id,
            request.instruction.task,
            run.outcome,
            decision,
            request.image.size,
            candidates=run.candidates,
        )
    return Result(
        request.id,
        request.instruction.task,
        run.outcome,
        decision,
        request.image.size,
        payload=chosen.prediction.payload,
        confidence=chosen.verdict.confidence,
        risk=chosen.verdict.risk,
        confidence_map=chosen.confidence_map,
        sources=chosen.sources,
        element_sources=chosen.element_sources,
        source_map=chosen.source_map,
        candidates=run.candidates,
    )


def composite_result(
    request: Request,
    policy: CompiledPolicy,
    assignment: Assignment,
    parts: Mapping[str, Result],
    deadline: Deadline,
) -> Result:
    """The result of a composite, from those of its steps by name."""
    joined = answer(request.instruction, request.image, parts)
    results, elapsed_ms = tuple(parts.values()), deadline.elapsed_ms()
    decision = Decision(
        request_id=request.id,
        task=Task.COMPOSITE,
        instruction=request.instruction.text,
        outcome=joined.outcome,
        reason=joined.reason,
        policy=policy.name,
        policy_hash=policy.digest,
        rule="composite",
        deadline_ms=deadline.budget_ms,
        elapsed_ms=elapsed_ms,
        overhead_ms=elapsed_ms - max(part.decision.elapsed_ms for part in results),
        notes=(*request.image.notes, *joined.notes),
        tags=request.tags,
        children=tuple(part.decision for part in results),
        **asked(request, assignment),
    )
    return Result(
        request_id=request.id,
        task=Task.COMPOSITE,
        outcome=joined.outcome,
        decision=decision,
        image_size=request.image.size,
        payload=joined.payload,
        sources=tuple(dict.fromkeys(source for part in results for source in part.sources)),
        candidates=tuple(candidate for part in results for candidate in part.candidates),
    )
