"""One attempt: one backend asked once, under a time cap, behind its breaker, judged by the gate."""

from __future__ import annotations

import math

from visionrouter.confidence.gate import judge, waive
from visionrouter.engine.breaker import Breaker
from visionrouter.engine.contract import check_prediction
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.failures import HARMLESS, reason_of
from visionrouter.engine.lane import Lane
from visionrouter.engine.queue import Job
from visionrouter.engine.vocabulary import knows_any
from visionrouter.engine.waiting import Waiter
from visionrouter.schema.decision import Attempt, Reason, Verdict, VerdictKind
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.route import Accept, Limits


async def attempt(
    lane: Lane,
    query: Query,
    accept: Accept,
    limits: Limits | None,
    deadline: Deadline,
    timeout_ms: float | None,
    waiter: Waiter,
) -> tuple[Attempt, Prediction | None]:
    """Ask once. Never raises for what the backend does: that is in the attempt's verdict.

    `limits` are the backend's own for this task, used where `accept` gives none. `timeout_ms` caps this attempt. The
    prediction is None unless one came in time and kept the output contract.
    """
    started_ms = deadline.elapsed_ms()
    if timeout_ms is not None and timeout_ms <= 0:
        return _record(
            lane, query, deadline, started_ms, _no(Reason.DEADLINE_EXCEEDED, "no time was left to try")
        ), None
    if not knows_any(lane.backend.spec.labels, query.targets):
        words = ", ".join(target.noun for target in query.targets)
        verdict = _no(Reason.UNSUPPORTED_TARGET, f"its vocabulary has no word for {words}")
        return _record(lane, query, deadline, started_ms, verdict), None
    if not lane.breaker.allow():
        return _record(
            lane, query, deadline, started_ms, _no(Reason.BREAKER_OPEN, "left alone after failures")
        ), None
    job: Job | None = None
    prediction: Prediction | None = None
    error: BaseException | None = None
    try:
        job = lane.worker.submit(query, _due_s(deadline, started_ms, timeout_ms))
        prediction = await waiter.wait(job.future, None if timeout_ms is None else timeout_ms / 1000)
        check_prediction(query, prediction)
    except TimeoutError as raised:
        error = raised
        timed_out = job is not None and not (job.future.done() and not job.future.cancelled())
        capped = deadline.left_ms() is not None and timeout_ms is not None and deadline.left_ms() == 0
        reason = (
            Reason.DEADLINE_EXCEEDED
            if timed_out and capped
            else Reason.TIMEOUT
            if timed_out
            else Reason.BACKEND_ERROR
        )
        verdict = _no(reason, f"no answer within {timeout_ms:.0f} ms" if timed_out else str(raised))
    except Exception as raised:
        error = raised
        verdict = _no(reason_of(raised), str(raised) or type(raised).__name__)
    except BaseException:
        lane.breaker.release()
        raise
    else:
        elapsed_ms = deadline.elapsed_ms() - started_ms
        if timeout_ms is not None and elapsed_ms > timeout_ms:
            verdict = _no(
                Reason.TIMEOUT, f"answered after {elapsed_ms:.0f} ms of {timeout_ms:.0f}; discarded"
            )
        elif accept.gate == "always":
            verdict = waive(prediction)
        else:
            verdict = judge(prediction, accept.evidence if accept.gate == "evidence" else limits)
    if verdict.reason in (Reason.TIMEOUT, Reason.DEADLINE_EXCEEDED) or error is not None:
        prediction = None
    record = _record(lane, query, deadline, started_ms, verdict, job, prediction, error)
    _tell(lane.breaker, verdict, record.latency_ms - record.queue_ms, failed=prediction is None)
    return record, prediction


def _due_s(deadline: Deadline, started_ms: float, timeout_ms: float | None) -> float:
    return math.inf if timeout_ms is None else deadline.start_s + (started_ms + timeout_ms) / 1000


def _tell(breaker: Breaker, verdict: Verdict, duration_ms: float, *, failed: bool) -> None:
    if not failed:
        breaker.success(duration_ms)
    elif verdict.reason in HARMLESS:
        breaker.release()
    else:
        breaker.failure(duration_ms)


def _no(reason: Reason, detail: str) -> Verdict:
    return Verdict(VerdictKind.FALL_BACK, reason, detail, "engine")


def _record(
    lane: Lane,
    query: Query,
    deadline: Deadline,
    started_ms: float,
    verdict: Verdict,
    job: Job | None = None,
    prediction: Prediction | None = None,
    error: BaseException | None = None,
) -> Attempt:
    spec = lane.backend.spec
    waited_s = job.started_s - job.enqueued_s if job is not None and job.started_s else 0.0
    return Attempt(
        backend=spec.name,
        task=query.task,
        verdict=verdict,
        started_ms=started_ms,
        latency_ms=deadline.elapsed_ms() - started_ms,
        queue_ms=waited_s * 1000,
        signals=prediction.evidence.signals if prediction is not None else {},
        licence=spec.licence,
        weights_digest=spec.weights_digest,
        notes=prediction.notes if prediction is not None else (),
        error=f"{type(error).__name__}: {error}"[:500] if error is not None else None,
    )
