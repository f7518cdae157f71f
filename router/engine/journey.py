"""One query on its way along a route: what was asked, what was answered, what was said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from visionrouter.engine.ask import Answer, failure, hear, put
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.lane import Lane
from visionrouter.engine.waiting import Waiter
from visionrouter.schema.arrays import F32
from visionrouter.schema.decision import Attempt, Reason, Verdict
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.result import Candidate


@dataclass(slots=True)
class Journey:
    """`tags` are the request's. `answered`: what each backend said to the query itself, in the order it was asked.
    `waited_ms`: time spent waiting for backends, so that what is left of the request's is the router's own."""

    query: Query
    tags: Mapping[str, str]
    deadline: Deadline
    waiter: Waiter
    attempts: list[Attempt] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    answered: dict[str, Answer] = field(default_factory=dict)
    waited_ms: float = 0.0

    async def ask(self, lane: Lane, timeout_ms: float | None) -> Answer:
        """The lane's answer to the query; one that is there already is not asked for again."""
        answer = self.answered.get(lane.name)
        if answer is None:
            answer = await hear(put(lane, self.query, self.deadline, timeout_ms), self.deadline, self.waiter)
            self.answered[lane.name] = answer
            self.waited_ms += answer.latency_ms
        return answer

    async def ask_all(self, lanes: Sequence[Lane], timeout_ms: float | None) -> None:
        """Put the query to several lanes at once, and wait for all their answers."""
        begun_ms = self.deadline.elapsed_ms()
        questions = [put(lane, self.query, self.deadline, timeout_ms) for lane in lanes]
        for lane, question in zip(lanes, questions, strict=True):
            self.answered[lane.name] = await hear(question, self.deadline, self.waiter)
        self.waited_ms += self.deadline.elapsed_ms() - begun_ms

    def record(
        self,
        answer: Answer,
        verdict: Verdict,
        prediction: Prediction | None,
        evidence_ms: float = 0.0,
        confidence_map: F32 | None = None,
    ) -> None:
        """Write an attempt down, and its prediction among the candidates."""
        spec = answer.lane.backend.spec
        self.attempts.append(
            Attempt(
                backend=spec.name,
                task=self.query.task,
                verdict=verdict,
                started_ms=answer.started_ms,
                latency_ms=answer.latency_ms,
                queue_ms=answer.queue_ms,
                evidence_ms=evidence_ms,
                signals=prediction.evidence.signals if prediction is not None else {},
                licence=spec.licence,
                weights_digest=spec.weights_digest,
                notes=prediction.notes if prediction is not None else (),
                error=answer.error,
            )
        )
        if prediction is not None:
            sources = (spec.name,)
            self.candidates.append(
                Candidate(spec.name, prediction, verdict, sources, confidence_map=confidence_map)
            )

    def note_last(self, note: str) -> None:
        """Add a note to the attempt that was written down last."""
        self.attempts[-1] = replace(self.attempts[-1], notes=(*self.attempts[-1].notes, note))

    def record_consulted(self) -> None:
        """Write down those who were heard only as a second opinion."""
        recorded = {attempt.backend for attempt in self.attempts}
        for name, answer in self.answered.items():
            if name not in recorded:
                said = failure(Reason.SECOND_OPINION, "asked for a second opinion only")
                self.record(answer, answer.failure or said, answer.prediction)
