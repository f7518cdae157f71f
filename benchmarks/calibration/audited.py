"""Audited answers of a ledger as the rows of a calibration: live traffic in place of a labelled set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from visionrouter.benchmarks.calibration.collect import Row
from visionrouter.benchmarks.calibration.fit import Calibrated, Levels, calibrate
from visionrouter.confidence.scope import MadeWith
from visionrouter.experiment.simulate import requests_of
from visionrouter.ledger import AuditedAnswer, LedgerReader, audits
from visionrouter.policies.assign import point
from visionrouter.policies.load import PolicySource
from visionrouter.router import Router
from visionrouter.schema.errors import CalibrationError
from visionrouter.schema.task import Task


@dataclass(frozen=True, slots=True)
class Audited:
    """Rows, what their answers were made with by subject, and how many labelled answers are not among them, by why."""

    rows: tuple[Row, ...]
    made_with: Mapping[str, MadeWith]
    left_out: Mapping[str, int]


def audited_rows(
    reader: LedgerReader, router: Router, task: Task, *, metric: str = "good", scene: str | None = None
) -> Audited:
    """A row for each audited answer to `task` that `router` would make in the same way today.

    That is: under the same policy, rule and arm, with the same weights and evidence. `scene`: the tag that names the unit
    of exchangeability; without it each request is one. Where audits were drawn with several probabilities, answers are
    thinned at random to the least of them, since rows weigh alike.
    """
    found = audits(reader, metric, task=task.value)
    left_out = Counter(found.left_out)
    kept: list[AuditedAnswer] = []
    made_with: dict[str, MadeWith] = {}
    for answer in found.answers:
        made = _made_today(answer, router)
        if isinstance(made, str):
            left_out[made] += 1
        elif made_with.setdefault(answer.subject, made) != made:
            left_out["made with other evidence than the first"] += 1
        else:
            kept.append(answer)
    least = min((answer.probability for answer in kept), default=1.0)
    even = [a for a in kept if point(f"thin:{a.decision.request_id}") * a.probability < least]
    if len(even) < len(kept):
        left_out["thinned to the least audit probability"] += len(kept) - len(even)
    return Audited(tuple(_row(answer, scene) for answer in even), made_with, left_out)


def calibrate_on_ledger(
    where: str | Path,
    profile: str,
    policy: PolicySource,
    task: Task,
    levels: Levels,
    *,
    metric: str = "good",
    scene: str | None = None,
    seed: int = 0,
) -> tuple[Calibrated, Mapping[str, int]]:
    """Fit and certify on the audited answers to `task` under `policy`; and what of the labelled was left out, by why.

    Raises `CalibrationError` where nothing can be fitted.
    """
    with LedgerReader(where) as reader, Router.from_profile(profile, policy) as router:
        found = audited_rows(reader, router, task, metric=metric, scene=scene)
        if not found.rows:
            why = "; ".join(f"{count:,} {why}" for why, count in found.left_out.items()) or "none has a label"
            raise CalibrationError(f"{reader.name}: no audited answer to {task} can be used: {why}")
        said = f"{len(found.rows)} audited answers under {router.policy.name} ({router.policy.digest[:12]})"
    return calibrate(found.rows, found.made_with, levels, data=said, seed=seed), found.left_out


def _made_today(answer: AuditedAnswer, router: Router) -> MadeWith | str:
    """What the router would make this answer with, or why it would not make it so."""
    decision, policy = answer.decision, router.policy
    if decision.policy_hash != policy.digest:
        return "made under another policy"
    found = requests_of(decision)
    if isinstance(found, str):
        return found
    request, _ = found
    assignment = policy.assign(request, request.context)
    selected = policy.select(request, request.context, assignment)
    if (selected.rule, assignment.variant) != (decision.rule, decision.variant):
        return "another rule or arm would answer now"
    made = router.made_with(request).get(answer.subject)
    if made is None or made.weights != (answer.attempt.weights_digest or ""):
        return "made with other weights"
    return made


def _row(answer: AuditedAnswer, scene: str | None) -> Row:
    decision, attempt = answer.decision, answer.attempt
    return Row(
        decision.request_id,
        decision.tags.get(scene, decision.request_id) if scene else decision.request_id,
        answer.subject,
        answer.task.value,
        dict(decision.tags),
        dict(attempt.signals),
        answer.loss,
        attempt.latency_ms / 1000,
        attempt.evidence_ms / 1000,
    )
