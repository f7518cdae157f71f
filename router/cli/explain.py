"""An explanation as text and as a JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visionrouter.preview import Explanation
from visionrouter.schema.route import Opinion, limits_in_words
from visionrouter.schema.task import Target


def as_document(explanation: Explanation) -> dict[str, Any]:
    return asdict(explanation)


def as_text(explanation: Explanation) -> str:
    asked = explanation.instruction
    lines = [f"understood  {asked.task}" + (f", {asked.operation}" if asked.operation else "")]
    lines += [f"  target    {_target(target)}" for target in asked.targets]
    if asked.palette:
        lines.append("  palette   " + ", ".join(f"{entry.label} {entry.rgb}" for entry in asked.palette))
    lines.append(f"policy      {explanation.policy} ({explanation.policy_hash[:12]})")
    given = explanation.assignment
    if given.experiment is not None:
        arm = f"arm {given.variant!r}" if given.variant else "no arm"
        unit = "" if given.unit is None else f", unit {given.unit!r}"
        lines.append(
            f"experiment  {given.experiment}: {arm} ({given.reason})"
            + unit
            + (f"; in shadow: {', '.join(given.shadows)}" if given.shadows else "")
        )
    for route in explanation.routes:
        lines.append(f"{route.step}: rule {route.rule!r}")
        for step in route.steps:
            read = ", ".join(f"{path} = {value!r}" for path, value in step.values.items())
            said = (
                f"could not be told ({step.error})"
                if step.error
                else "matched"
                if step.matched
                else "no match"
            )
            lines.append(f"  {step.rule}: {said}: {step.when}" + (f"   [{read}]" if read else ""))
        lines.append(f"  tries     {' > '.join(route.backends) or 'nobody'}; otherwise {route.otherwise}")
        for name, judged, checker, backing in zip(
            route.backends, route.judged, route.checked_by, route.backed_by, strict=True
        ):
            checked = "" if route.check is None else f"; checked by {checker or 'nobody'}"
            lines.append(f"  accepts   {name}: {judged}{checked}")
            if checker is not None and backing is not None:
                lines.append(f"            or backed by {checker}: {_backed(backing)}")
        if route.check is not None:
            lines.append(f"  checks    {route.check}")
        if route.reserve:
            lines.append(f"  reserves  {route.reserve}")
        if route.evidence:
            lines.append(f"  evidence  {', '.join(route.evidence)}")
        if route.hedge is not None:
            lines.append(f"  hedges    {route.hedge}")
        lines += [f"  left out  {name}: {reason.replace('_', ' ')}" for name, reason in route.skipped]
    return "\n".join(lines)


def _backed(opinion: Opinion) -> str:
    """What lets a second opinion vouch for an answer that does not keep its own limits."""
    same, own = (limits_in_words(some or {}) for some in (opinion.backs, opinion.counts))
    return f"it says the same, {same}" + (f"; its own answer has {own}" if own else "")


def _target(target: Target) -> str:
    words = [str(target.number), *target.attributes, target.noun]
    for relation in target.relations:
        rank = f" no. {relation.rank}" if relation.rank > 1 else ""
        anchor = f" {_target(relation.anchor)}" if relation.anchor else ""
        words.append(f"[{relation.kind.replace('_', ' ')}{rank}{anchor}]")
    return " ".join(words)
