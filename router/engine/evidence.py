"""Buys the evidence that a route pays for: puts every probe's questions at once, then reads the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from visionrouter.confidence.probes import Finding, Probe
from visionrouter.engine.ask import Answer, Question, hear
from visionrouter.engine.journey import Journey
from visionrouter.engine.lane import Lane
from visionrouter.engine.pace import NoTimeError
from visionrouter.schema.arrays import F32
from visionrouter.schema.decision import Reason
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A probe and the lane its questions go to; None where it has none, or nobody here can answer them."""

    name: str
    probe: Probe
    lane: Lane | None


async def collect(
    journey: Journey, prediction: Prediction, inquiries: Sequence[Inquiry], timeout_ms: float | None
) -> Prediction:
    """The prediction with what the probes found added to its evidence.

    Answers to the query itself that are there already, or on their way, are not asked for again; those got here are the
    journey's too. A probe that got no answer, or has no time left to read it, adds no signal and a note
    `no_evidence:<probe>:<reason>`.
    """
    query = journey.query
    reading_ms = sum(journey.reserve_ms(inquiry.name) for inquiry in inquiries)
    until_ms = None if timeout_ms is None else journey.deadline.elapsed_ms() + timeout_ms - reading_ms
    findings: list[Finding] = []
    notes: list[str] = []
    waiting = []
    for inquiry in inquiries:
        try:
            questions = await journey.compute(f"{inquiry.name}:ask", partial(inquiry.probe.questions, query))
        except NoTimeError:
            notes.append(_none(inquiry, Reason.DEADLINE_EXCEEDED))
            continue
        asking_ms = None if until_ms is None else max(0.0, until_ms - journey.deadline.elapsed_ms())
        places = [_put(journey, inquiry.lane, question, asking_ms) for question in questions]
        waiting.append((inquiry, questions, places))
    for inquiry, questions, places in waiting:
        answers = [
            place if isinstance(place, Answer) else await hear(place, journey.deadline, journey.waiter)
            for place in places
            if place is not None
        ]
        for answer, asked in zip(answers, questions, strict=False):
            if asked is query:
                journey.answered[answer.lane.name] = answer
        predictions = [a.prediction for a in answers if a.prediction is not None]
        if len(predictions) < len(questions):
            lost = next((a.failure.reason for a in answers if a.failure is not None), Reason.NO_BACKEND)
            notes.append(_none(inquiry, lost))
            continue
        read = partial(inquiry.probe.read, query, prediction, predictions)
        try:
            findings.append(await journey.compute(inquiry.name, read))
        except NoTimeError:
            notes.append(_none(inquiry, Reason.DEADLINE_EXCEEDED))
    return _enriched(prediction, findings, notes)


def _none(inquiry: Inquiry, why: Reason) -> str:
    return f"no_evidence:{inquiry.name}:{why.value}"


def _put(
    journey: Journey, lane: Lane | None, question: Query, timeout_ms: float | None
) -> Question | Answer | None:
    if lane is None:
        return None
    if question is journey.query and lane.name in journey.answered:
        return journey.answered[lane.name]
    if question is journey.query and lane.name in journey.open:
        return journey.open.pop(lane.name)
    return journey.question(lane, question, timeout_ms)


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
