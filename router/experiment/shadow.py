"""The other arms of a request, run beside its answer: on threads and a queue of their own, never in its way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Self

from visionrouter.experiment.divergence import diverges
from visionrouter.policies import Assignment
from visionrouter.router import Router
from visionrouter.schema.decision import Decision, Sink, VariantReason
from visionrouter.schema.request import Request
from visionrouter.schema.result import Result

_log = logging.getLogger("visionrouter.shadow")


@dataclass(frozen=True, slots=True)
class ShadowStats:
    """`dropped`: found the queue full, or the shadow closed. `failed`: raised, which nobody but the log hears."""

    done: int
    waiting: int
    dropped: int
    failed: int


class Shadow:
    """Runs the shadow arms that a router's policy draws, over a second `router` (its own workers and breakers).

    Hand it to the answering router: `Router(..., shadow=shadow)`. Give it backends of their own, or the same ones where
    they may be called from two routers; a GPU that both share is shared time. `sinks` get the shadows' decisions: same
    request id, `variant_reason` `shadow`, the arm that ran, and in `divergence` how its answer compares with the one
    that was given, whose arrays are read for it when the shadow has run; without sinks nothing is compared. `queue_limit` shadows wait at most, and what comes beyond is
    dropped and counted; `workers` run at a time; `deadline_ms` is the budget of each.
    """

    def __init__(
        self,
        router: Router,
        sinks: Sequence[Sink] = (),
        *,
        queue_limit: int = 32,
        workers: int = 1,
        deadline_ms: float | None = 10_000.0,
    ) -> None:
        self._router = router
        self._sinks = tuple(sinks)
        self._deadline_ms = deadline_ms
        self._queue: Queue[tuple[Request, Assignment, Result]] = Queue(queue_limit)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._done = self._dropped = self._failed = 0
        self._threads = [
            threading.Thread(target=self._serve, name=f"visionrouter-shadow-{i}", daemon=True)
            for i in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def stats(self) -> ShadowStats:
        return ShadowStats(self._done, self._queue.qsize(), self._dropped, self._failed)

    def submit(self, request: Request, assignment: Assignment, answer: Result) -> None:
        """Queue the shadows that `assignment` names. Never waits, never raises."""
        for arm in assignment.shadows:
            try:
                if self._closed.is_set():
                    raise Full
                self._queue.put_nowait((request, replace(assignment, variant=arm, shadows=()), answer))
            except Full:
                with self._lock:
                    self._dropped += 1

    def flush(self) -> None:
        """Wait until all that was queued has run."""
        self._queue.join()

    def close(self, timeout_s: float = 10.0) -> None:
        """Drop what waits, let what runs finish for at most `timeout_s`. The router stays open. Idempotent."""
        self._closed.set()
        while True:
            try:
                self._queue.get_nowait()
            except Empty:
                break
            self._queue.task_done()
            with self._lock:
                self._dropped += 1
        for thread in self._threads:
            thread.join(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                request, assignment, answer = self._queue.get(timeout=0.1)
            except Empty:
                continue
            try:
                self._run(request, assignment, answer)
            except Exception:
                with self._lock:
                    self._failed += 1
                _log.exception("shadow %s of request %s failed", assignment.variant, request.id)
            finally:
                self._queue.task_done()

    def _run(self, request: Request, assignment: Assignment, answer: Result) -> None:
        assigned = replace(assignment, reason=VariantReason.SHADOW)
        result = self._router.answer(replace(request, deadline_ms=self._deadline_ms), assigned)
        if self._sinks:
            decision: Decision = replace(
                result.decision, requested_ms=request.deadline_ms, divergence=diverges(answer, result)
            )
            for sink in self._sinks:
                sink.record(decision)
        with self._lock:
            self._done += 1
