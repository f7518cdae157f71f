"""Buys the evidence that a route pays for: puts every probe's questions at once, then reads the answers."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np

from visionrouter.confidence.probes import Finding, Probe
from visionrouter.engine.ask import Answer, Question, hear, put
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.lane import Lane
from visionrouter.engine.waiting import Waiter
from visionrouter.schema.arrays import F32
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A probe and the lane its questions go to; None where it has none, or nobody here can answer them."""

    name: str
    probe: Probe
    lane: Lane | None


async def collect(
    query: Query,
    prediction: Prediction,
    inquiries: Sequence[Inquiry],
    answered: Mapping[str, Answer],
    open_: MutableMapping[str, Question],
    deadline: Deadline,
    timeout_ms: float | None,
    waiter: Waiter,
) -> tuple[Prediction, dict[str, Answer]]:
    """The prediction with what the probes found added to its evidence, and answers to the query itself got on the way.

    `answered`: answers to the query that are there already, by backend; `open_`: questions of it on their way. They are
    not asked again, and what is heard here is open no more. A probe that got no answer adds no signal and a note
    `no_evidence:<probe>:<reason>`.
    """
    waiting = [
        (inquiry, questions, [_put(inquiry, question, query, answered, open_, deadline, timeout_ms) for question in questions])
        for inquiry in inquiries
        for questions in (inquiry.probe.questions(query),)
    ]  # fmt: skip
    got: dict[str, Answer] = {}
    findings: list[Finding] = []
    notes: list[str] = []
    for inquiry, questions, places in waiting:
        answers = [
            place if isinstance(place, Answer) else await hear(place, deadline, waiter)
            for place in places
            if place is not None
        ]
        got |= {a.lane.name: a for a, asked in zip(answers, questions, strict=False) if asked is query}
        predictions = [a.prediction for a in answers if a.prediction is not None]
        if len(predictions) < len(questions):
            lost = next((a.failure.reason.value for a in answers if a.failure is not None), "no_backend")
            notes.append(f"no_evidence:{inquiry.name}:{lost}")
            continue
        findings.append(inquiry.probe.read(query, prediction, predictions))
    return _enriched(prediction, findings, notes), got


def _put(
    inquiry: Inquiry,
    question: Query,
    query: Query,
    answered: Mapping[str, Answer],
    open_: MutableMapping[str, Question],
    deadline: Deadline,
    timeout_ms: float | None,
) -> Question | Answer | None:
    lane = inquiry.lane
    if lane is None:
        return None
    if question is query and lane.name in answered:
        return answered[lane.name]
    if question is query and lane.name in open_:
        return open_.pop(lane.name)
    return put(lane, question, deadline, timeout_ms)


def _enriched(prediction: Prediction, findings: Sequence[Finding], notes: Sequence[str]) -> Prediction:
    signals = dict(prediction.evidence.signals)
    trust: F32 | None = prediction.evidence.confidence_map
    for finding in findings:
        signals |= finding.signals
        if finding.trust is not None:
            trust = finding.trust if trust is None else (trust * finding.trust).astype(np.float32)
    return Prediction(
        prediction.payload, Evidence(signals, trust), prediction.drawing, (*prediction.notes, *notes)
    )
