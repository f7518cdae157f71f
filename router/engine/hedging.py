"""Hedging: where a backend is late, the next is asked too, and whichever is good enough first is the answer.

The way of tail latency (Dean and Barroso 2013, "The Tail at Scale"): the second question is put only once the first has
taken longer than usual, and a budget bounds what that may cost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from visionrouter.engine.ask import Answer, Question, abandon, failure, left_ms
from visionrouter.engine.journey import Journey
from visionrouter.engine.lane import Lane
from visionrouter.fork import renew_after_fork
from visionrouter.schema.decision import Reason
from visionrouter.schema.route import Hedge
from visionrouter.schema.task import Task

BURST = 10.0
"""Most second questions that may be saved up."""


class HedgeBudget:
    """Lets a share of requests be asked twice: each request earns that share of a second question. It begins with one.

    Safe to use from several threads at once.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = 1.0
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A request came."""
        with self._lock:
            self._saved = min(BURST, self._saved + self._share)

    def spend(self) -> bool:
        """Whether one may be put now; if so, it is paid."""
        with self._lock:
            if self._saved < 1:
                return False
            self._saved -= 1
            return True


async def outrun(
    journey: Journey,
    hedge: Hedge,
    budget: HedgeBudget,
    primary: Lane,
    timeout_ms: float | None,
    second: Lane,
    second_timeout_ms: Callable[[], float | None],
) -> bool:
    """Put the query to `primary`, and to `second` too where no answer comes in time for it; whether `second` answers
    first.

    Both questions stay open, or answered, on the journey. Where nothing usual is known of the primary yet, or the budget
    is spent, it is not hedged; the latter is noted.
    """
    if primary.name in journey.answered:
        return False
    budget.earn()
    after_ms = _after_ms(hedge, primary, journey.query.task)
    first = journey.put(primary, timeout_ms)
    if after_ms is None or first.job is None:
        return False
    if second.name in journey.answered:
        return not first.job.future.done()
    await _first(journey, [first], after_ms)
    if first.job.future.done() or left_ms(first, journey.deadline) == 0:
        return False
    if not budget.spend():
        journey.notes.append("not_hedged:budget")
        return False
    other = journey.put(second, second_timeout_ms())
    journey.notes.append(f"hedged:{second.name}:{after_ms:.0f}ms")
    if other.job is None:
        return False
    await _first(journey, [first, other], None)
    return other.job.future.done() and not first.job.future.done()


def withdraw(journey: Journey) -> None:
    """Take back every question that is still open and write it down: its answer, should it come, is discarded."""
    for question in journey.open.values():
        said = question.failure
        if said is None:
            became = "taken back before it ran" if abandon(question) else "its answer is discarded"
            said = failure(Reason.OUTRUN, f"another answer was there first; {became}")
        latency_ms = journey.deadline.elapsed_ms() - question.started_ms
        answer = Answer(question.lane, question.started_ms, latency_ms, 0.0, None, said, question.error)
        journey.record(answer, said, None)
    journey.open.clear()


def _after_ms(hedge: Hedge, primary: Lane, task: Task) -> float | None:
    if hedge.percent is None:
        return hedge.after_ms
    return primary.latencies.percentile_ms(task, hedge.percent)


async def _first(journey: Journey, questions: Sequence[Question], most_ms: float | None) -> None:
    """Wait until one of the questions is answered or out of time, for `most_ms` at most."""
    begun_ms = journey.deadline.elapsed_ms()
    times = [left for left in (left_ms(q, journey.deadline) for q in questions) if left is not None]
    times = times or [q.lane.worker.patience_s() * 1000 for q in questions]
    if most_ms is not None:
        times.append(most_ms)
    jobs = [question.job.future for question in questions if question.job is not None]
    await journey.waiter.first(jobs, min(times) / 1000)
    journey.waited_ms += journey.deadline.elapsed_ms() - begun_ms
