"""One question put to one backend, under a time cap, behind its breaker; and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

from visionrouter.engine.deadline import Deadline
from visionrouter.engine.failures import HARMLESS, reason_of
from visionrouter.engine.lane import Lane
from visionrouter.engine.queue import Job
from visionrouter.engine.vocabulary import knows_any
from visionrouter.engine.waiting import Waiter
from visionrouter.schema.decision import Reason, Verdict, VerdictKind
from visionrouter.schema.errors import HungError, VisionRouterError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.quick import quick_init
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task


@quick_init
@dataclass(frozen=True, slots=True)
class Question:
    """A query on its way. `job` is None where it was refused before it was queued: then `failure` says why.

    `is_cut_short`: it has less than half of the time that its route gives an attempt, or the request's time alone: then a
    time out says nothing of the backend.
    """

    lane: Lane
    query: Query
    started_ms: float
    timeout_ms: float | None
    is_cut_short: bool = False
    job: Job | None = None
    failure: Verdict | None = None
    error: str | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question: a prediction that came in time and keeps the output contract, or a failure and what it
    cost."""

    lane: Lane
    started_ms: float
    latency_ms: float
    queue_ms: float = 0.0
    prediction: Prediction | None = None
    failure: Verdict | None = None
    error: str | None = None
    spent: Mapping[str, float] = field(default_factory=dict)


def put(
    lane: Lane, query: Query, deadline: Deadline, timeout_ms: float | None, usual_ms: float | None = None
) -> Question:
    """Queue a query. Never raises for what a backend or its queue does. `timeout_ms` caps the answer, from now on;
    `usual_ms` is what the route gives every attempt."""
    now_ms = deadline.elapsed_ms()
    if timeout_ms is not None and timeout_ms <= 0:
        return _refused(lane, query, now_ms, Reason.DEADLINE_EXCEEDED, "no time was left to try")
    labels = lane.backend.spec.labels
    if labels is not None and not knows_any(labels, query.targets):
        words = ", ".join(target.noun for target in query.targets)
        return _refused(
            lane, query, now_ms, Reason.UNSUPPORTED_TARGET, f"its vocabulary has no word for {words}"
        )
    if not lane.breaker.allow():
        return _refused(lane, query, now_ms, Reason.BREAKER_OPEN, "left alone after failures")
    try:
        job = lane.worker.submit(query, _due_s(deadline, now_ms, timeout_ms))
    except Exception as error:
        verdict = failure(reason_of(error), str(error) or type(error).__name__)
        _tell(lane, query.task, verdict, 0.0, 0.0)
        return Question(lane, query, now_ms, timeout_ms, False, None, verdict, _say(error))
    except BaseException:
        lane.breaker.release()
        raise
    is_cut_short = timeout_ms is not None and (usual_ms is None or 2 * timeout_ms < usual_ms)
    return Question(lane, query, now_ms, timeout_ms, is_cut_short, job)


async def hear(question: Question, deadline: Deadline, waiter: Waiter) -> Answer:
    """Wait for the answer. Never raises for what the backend does."""
    lane, job, timeout_ms = question.lane, question.job, question.timeout_ms
    if job is None:
        latency_ms = deadline.elapsed_ms() - question.started_ms
        return Answer(lane, question.started_ms, latency_ms, 0.0, None, question.failure, question.error)
    prediction: Prediction | None = None
    verdict: Verdict | None = None
    said: str | None = None
    spent: Mapping[str, float] = {}
    blamed: bool | None = None
    try:
        if timeout_ms is None:
            await _unless_it_hangs(lane, job, waiter)
        left = left_ms(question, deadline)
        prediction = await waiter.wait(job.future, None if left is None else left / 1000)
    except TimeoutError as error:
        verdict, said = _late(question, job, error, deadline), _say(error)
        blamed = _is_to_blame(question, job, verdict.reason)
    except Exception as error:
        verdict, said = failure(reason_of(error), str(error) or type(error).__name__), _say(error)
        spent = error.spent if isinstance(error, VisionRouterError) else {}
    except BaseException:
        job.future.cancel()
        lane.breaker.release()
        raise
    latency_ms = deadline.elapsed_ms() - question.started_ms
    queue_ms = (job.started_s - job.enqueued_s) * 1000 if job.started_s else latency_ms
    if verdict is None and timeout_ms is not None and latency_ms > timeout_ms:
        reason, ran_ms = _too_late(deadline), latency_ms - queue_ms
        verdict = failure(reason, f"answered after {latency_ms:.0f} ms of {timeout_ms:.0f}; discarded")
        blamed = reason is Reason.TIMEOUT and ran_ms > timeout_ms and not question.is_cut_short
    _tell(lane, question.query.task, verdict, latency_ms, queue_ms, blamed)
    kept = prediction if verdict is None else None
    return Answer(lane, question.started_ms, latency_ms, queue_ms, kept, verdict, said, spent)


def abandon(question: Question) -> bool:
    """Wait for a question no longer; whether it was taken back before it ran. Where not, its answer is discarded when it
    comes, but what it tells of its backend's health is heard."""
    job, lane = question.job, question.lane
    if job is None or job.future.cancel():
        lane.breaker.release()
        return True
    job.future.add_done_callback(partial(_overheard, question, job))
    return False


def failure(reason: Reason, detail: str) -> Verdict:
    """The engine's own verdict on an attempt that gave no answer."""
    return Verdict(VerdictKind.FALL_BACK, reason, detail, "engine")


def left_ms(question: Question, deadline: Deadline) -> float | None:
    """What is left of a question's own time, never below 0; None where it has all the time there is."""
    if question.timeout_ms is None:
        return None
    return max(0.0, question.timeout_ms - (deadline.elapsed_ms() - question.started_ms))


async def _unless_it_hangs(lane: Lane, job: Job, waiter: Waiter) -> None:
    """Wait for the answer of a question without a limit of time. Raises `HungError` once its worker hangs."""
    while not job.future.done():
        patience_s = lane.worker.patience_s()
        if patience_s <= 0:
            job.future.cancel()
            raise HungError(
                f"{lane.name}: no end of what it was given is to be expected; it has been at it for "
                f"{lane.worker.in_hand_s():.0f} s"
            )
        await waiter.first([job.future], patience_s)


def _late(question: Question, job: Job, error: TimeoutError, deadline: Deadline) -> Verdict:
    """A timeout of ours, or one that the backend itself raised."""
    future = job.future
    if future.done() and not future.cancelled() and isinstance(future.exception(), TimeoutError):
        return failure(Reason.BACKEND_ERROR, str(error))
    where = "" if job.started_s else ", all of them in its queue"
    return failure(_too_late(deadline), f"no answer within {question.timeout_ms:.0f} ms{where}")


def _too_late(deadline: Deadline) -> Reason:
    """Whose time was up: the request's, or only the attempt's."""
    return Reason.DEADLINE_EXCEEDED if deadline.left_ms() == 0 else Reason.TIMEOUT


def _is_to_blame(question: Question, job: Job, reason: Reason) -> bool:
    """Whether a question that went unanswered for too long speaks against its backend.

    One that never ran, behind others that were answered meanwhile, tells of a crowd. Behind one batch that did not end it
    is the only sign that the backend hangs. The user's own deadline may be short, and what is cut short by it too, and so
    tells of a backend only where that is stuck.
    """
    worker = question.lane.worker
    if worker.is_stuck:
        return True
    if reason is not Reason.TIMEOUT:
        return reason not in HARMLESS
    return not question.is_cut_short and (job.started_s > 0 or not worker.advanced_since(job.enqueued_s))


def _refused(lane: Lane, query: Query, now_ms: float, reason: Reason, detail: str) -> Question:
    return Question(lane, query, now_ms, None, failure=failure(reason, detail))


def _due_s(deadline: Deadline, now_ms: float, timeout_ms: float | None) -> float:
    return math.inf if timeout_ms is None else deadline.start_s + (now_ms + timeout_ms) / 1000


def _overheard(question: Question, job: Job, future: Future[Prediction]) -> None:
    """What an answer that nobody waits for any more says of its backend."""
    error = future.exception()
    verdict = None if error is None else failure(reason_of(error), str(error))
    now_s = perf_counter()
    latency_ms, queue_ms = (now_s - job.enqueued_s) * 1000, (job.started_s - job.enqueued_s) * 1000
    _tell(question.lane, question.query.task, verdict, latency_ms, queue_ms)


def _tell(
    lane: Lane,
    task: Task,
    verdict: Verdict | None,
    latency_ms: float,
    queue_ms: float,
    blamed: bool | None = None,
) -> None:
    """The breaker and the record of latencies hear of it. `blamed`: None where the reason says it all."""
    if verdict is None:
        lane.breaker.success(latency_ms - queue_ms)
        lane.latencies.add(task, latency_ms)
        return
    if verdict.reason in HARMLESS if blamed is None else not blamed:
        lane.breaker.release()
    else:
        lane.breaker.failure(latency_ms - queue_ms)
    if verdict.reason is Reason.TIMEOUT:
        lane.latencies.add(task, latency_ms)


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
