"""One query on its way along a route: what was asked, what was answered, what was said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from visionrouter.engine.ask import Answer, Question, failure, hear, put
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.lane import Lane
from visionrouter.engine.pace import NoTimeError, Pace
from visionrouter.engine.waiting import Waiter
from visionrouter.schema.arrays import F32
from visionrouter.schema.decision import Attempt, Reason, Verdict
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.result import Candidate

T = TypeVar("T")
SHORT_MS = 1.0
"""Work up to this is done on the event loop, or on the caller's thread."""


@dataclass(slots=True)
class Journey:
    """`tags` are the request's. `open`: the query put to a backend, not heard yet; `answered`: what each said to it, in
    the order they were heard; `judged`: what came of the stops that were judged. `attempt_ms`: what the route gives every
    attempt, None where it does not say. `notes` tell of the journey as a whole.
    `waited_ms`: time spent waiting for backends, so that what is left of the request's is the router's own."""

    query: Query
    tags: Mapping[str, str]
    deadline: Deadline
    waiter: Waiter
    pace: Pace
    attempt_ms: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    answered: dict[str, Answer] = field(default_factory=dict)
    open: dict[str, Question] = field(default_factory=dict)
    judged: dict[str, tuple[Verdict, Prediction | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    waited_ms: float = 0.0

    @property
    def megapixels(self) -> float:
        return self.query.image.width * self.query.image.height / 1e6

    def reserve_ms(self, work: str) -> float:
        """What to keep of the time for the router's own work; nothing where that leaves the backends less than half."""
        expected_ms, left_ms = self.pace.ms(work, self.megapixels) or 0.0, self.deadline.left_ms()
        return 0.0 if left_ms is None or 2 * expected_ms > left_ms else expected_ms

    async def compute(self, work: str, what: Callable[[], T]) -> T:
        """The result of the router's own work of that name. What is known to be short is done here and now; anything else
        on a thread of its own, so that it holds up nobody, and the deadline does not wait for it.

        Raises `NoTimeError` where it is not done by the deadline, or would not be.
        """
        expected_ms = self.pace.ms(work, self.megapixels)
        if expected_ms is not None and expected_ms <= SHORT_MS:
            return self._timed(work, what)
        left_ms = self.deadline.left_ms()
        self._check_time(work, expected_ms)
        future = self.pace.submit(partial(self._in_its_turn, work, what, expected_ms))
        try:
            return await self.waiter.wait(future, None if left_ms is None else left_ms / 1000)
        except TimeoutError:
            raise NoTimeError from None

    def _in_its_turn(self, work: str, what: Callable[[], T], expected_ms: float | None) -> T:
        self._check_time(work, expected_ms)
        return self._timed(work, what)

    def _check_time(self, work: str, expected_ms: float | None) -> None:
        left_ms = self.deadline.left_ms()
        if left_ms is not None and left_ms <= (expected_ms or 0.0):
            self.pace.forget(work)
            raise NoTimeError

    def _timed(self, work: str, what: Callable[[], T]) -> T:
        with self.pace.learn(work, self.megapixels):
            return what()

    def question(self, lane: Lane, query: Query, timeout_ms: float | None) -> Question:
        """Put any query to a lane."""
        return put(lane, query, self.deadline, timeout_ms, self.attempt_ms)

    def put(self, lane: Lane, timeout_ms: float | None) -> Question:
        """Put the query to a lane, to be heard later."""
        question = self.question(lane, self.query, timeout_ms)
        self.open[lane.name] = question
        self.waited_ms += self.deadline.elapsed_ms() - question.started_ms  # an inline one answers here
        return question

    async def ask(self, lane: Lane, timeout_ms: float | None) -> Answer:
        """The lane's answer to the query; one that is there already is not asked for again."""
        answer = self.answered.get(lane.name)
        if answer is None:
            if lane.name not in self.open:
                self.put(lane, timeout_ms)
            question = self.open.pop(lane.name)
            begun_ms = self.deadline.elapsed_ms()
            answer = await hear(question, self.deadline, self.waiter)
            self.answered[lane.name] = answer
            self.waited_ms += self.deadline.elapsed_ms() - begun_ms
        return answer

    async def ask_all(self, lanes: Sequence[Lane], timeout_ms: float | None) -> None:
        """Put the query to several lanes at once, and wait for all their answers."""
        for lane in lanes:
            self.put(lane, timeout_ms)
        for lane in lanes:
            await self.ask(lane, timeout_ms)

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
                spent=answer.spent,
            )
        )
        if prediction is not None:
            sources = (spec.name,)
            self.candidates.append(
                Candidate(spec.name, prediction, verdict, sources, confidence_map=confidence_map)
            )

    def note(self, backend: str, note: str) -> None:
        """Add a note to the attempt of a backend."""
        self.attempts = [
            replace(attempt, notes=(*attempt.notes, note)) if attempt.backend == backend else attempt
            for attempt in self.attempts
        ]

    def record_consulted(self) -> None:
        """Write down those who were heard only as a second opinion."""
        for name, answer in self.answered.items():
            if name not in self.judged:
                said = failure(Reason.SECOND_OPINION, "asked for a second opinion only")
                self.record(answer, answer.failure or said, answer.prediction)
