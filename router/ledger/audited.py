"""Audits that came back: the accepted answers that were drawn at random and labelled since, for the drift watch and for
calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from visionrouter.ledger.labels import Label
from visionrouter.ledger.reader import Filter, LedgerReader, Record
from visionrouter.schema.decision import Attempt, Decision, Outcome, VariantReason
from visionrouter.schema.errors import LedgerError
from visionrouter.schema.task import Task

_ONE_BACKEND = (Outcome.ACCEPTED, Outcome.FELL_BACK)


@dataclass(frozen=True, slots=True)
class AuditedAnswer:
    """One accepted answer: who gave it (`attempt`), its loss in [0, 1], and with which probability it was drawn."""

    decision: Decision
    attempt: Attempt
    loss: float
    probability: float

    @property
    def subject(self) -> str:
        return self.attempt.backend

    @property
    def task(self) -> Task:
        return self.attempt.task


@dataclass(frozen=True, slots=True)
class Audits:
    """`left_out`: labelled answers that are not among `answers`, by why."""

    answers: tuple[AuditedAnswer, ...]
    left_out: Mapping[str, int]


def audits(
    reader: LedgerReader, metric: str = "good", *, task: str | None = None, since_us: int | None = None
) -> Audits:
    """The audited answers with a label of `metric`, oldest first; `since_us`: those labelled from then on.

    The loss is the label's value, of a verdict ("good") one less it. Left out is what says nothing about a backend's
    accepted answers: what nobody drew at random, what was not accepted, what was joined of several. Labels of shadows are
    not read. Raises `LedgerError` for a value outside [0, 1].
    """
    labels: dict[str, list[Label]] = {}
    for label in reader.labels(since_us=since_us):
        if label.metric == metric:
            labels.setdefault(label.request_id, []).append(label)
    answers: list[AuditedAnswer] = []
    left_out: Counter[str] = Counter()
    for record in reader.records(Filter(task=task, labelled=True)):
        decision = record.decision
        if decision.variant_reason is VariantReason.SHADOW:
            continue
        own = [m for m in labels.get(decision.request_id, ()) if m.variant in (None, decision.variant)]
        if own:
            attempt = _who_answered(record)
            if isinstance(attempt, str):
                left_out[attempt] += 1
            else:
                answers.append(AuditedAnswer(decision, attempt, _loss(own[-1]), record.audit_probability))
    return Audits(tuple(answers), left_out)


def _who_answered(record: Record) -> Attempt | str:
    """The attempt whose answer was given, or why there is no such one."""
    decision = record.decision
    if not record.audited:
        return "not drawn for an audit"
    if decision.children or decision.outcome is Outcome.MERGED:
        return "joined of several answers"
    if decision.outcome not in _ONE_BACKEND:
        return "not accepted"
    return next(attempt for attempt in decision.attempts if attempt.verdict.accepted)


def _loss(label: Label) -> float:
    loss = 1 - label.value if label.metric == "good" else label.value
    if not 0 <= loss <= 1:
        raise LedgerError(
            f"the label of {label.request_id}: {label.metric} is {label.value:g}; a loss lies in [0, 1], name another metric"
        )
    return loss
