"""One backend behind one thread and one bounded queue."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import InvalidStateError
from time import perf_counter

from visionrouter.backends.base import Backend
from visionrouter.engine.contract import check_prediction
from visionrouter.engine.queue import FairQueue, Job
from visionrouter.fork import renew_after_fork
from visionrouter.schema.errors import BackendError, ClosedError, ForkedError, LostError
from visionrouter.schema.request import Query

_NEWEST = 0.2
"""Weight of the newest batch in the running means of time."""
_STUCK_S, _STUCK_TIMES, _STUCK_AT_FIRST_S = 1.0, 10, 60.0
"""A batch in hand for longer than a second and ten times what one lately took will hardly come to an end; of the first,
of which nothing is known, a minute."""


class Worker:
    """Calls a backend on its own thread, in batches of what is waiting, and holds its answers to the output contract.

    The queue holds at most `queue_limit` jobs, waiting or running; how it sheds and shares is told in `FairQueue`. A
    batch that is not full waits up to `batch_wait_ms` for company, never past the latest start of a job in it: its due
    time less what a batch has lately taken. The thread starts with the first job and loads the backend before it; what
    loading raised is raised to every job until the next try, which the breaker paces. A backend whose spec says
    `inline` runs on the caller's thread instead, one at a time.

    After a fork the worker starts anew in the child, but weights read before it do not survive: jobs then raise
    `ForkedError`. A backend in a process of its own has no such bound.
    """

    def __init__(
        self,
        backend: Backend,
        queue_limit: int = 64,
        batch_wait_ms: float = 0.0,
        fair_by: str | None = None,
        hang_limit_ms: float = 300_000.0,
    ) -> None:
        self.backend = backend
        self.queue_limit = queue_limit
        self._hold_s = batch_wait_ms / 1000
        self._fair_by = fair_by
        self._hang_s = hang_limit_ms / 1000
        self._loaded = self._closed = self._weights_of_another = False
        self._start_anew()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._weights_of_another |= self._loaded and not self.backend.after_fork()
        self._start_anew()

    def _start_anew(self) -> None:
        self._lock, self._load_lock = threading.Lock(), threading.Lock()
        self._thread: threading.Thread | None = None
        self.queue = FairQueue(self.backend.spec.name, self.queue_limit, self._fair_by)
        self.late = 0
        self._waited_s = 0.0
        self._typical_s: float | None = None
        self._took_s: float | None = None
        self._began_s: float | None = None
        self._ended_s = 0.0

    @property
    def pending(self) -> int:
        """Jobs queued or running."""
        return self.queue.waiting + self.queue.running

    @property
    def discarded(self) -> int:
        """Jobs nobody waited for any more, dropped before they ran."""
        return self.queue.counts.cancelled + self.queue.counts.expired

    @property
    def waited_ms(self) -> float:
        """What jobs have lately waited before they ran: a running mean."""
        return self._waited_s * 1000

    @property
    def typical_ms(self) -> float | None:
        """What a batch has lately taken: a running mean; None before the first."""
        return None if self._typical_s is None else self._typical_s * 1000

    def advanced_since(self, then_s: float) -> bool:
        """Whether a batch came to an end, answered or not, at `perf_counter` seconds `then_s` or later."""
        return self._ended_s >= then_s

    @property
    def is_stuck(self) -> bool:
        """Whether the batch in hand takes so long that no end of it is to be expected. Loading does not count."""
        began_s, typical_s = self._began_s, self._typical_s
        if began_s is None:
            return False
        most_s = _STUCK_AT_FIRST_S if typical_s is None else max(_STUCK_S, _STUCK_TIMES * typical_s)
        return perf_counter() - began_s > most_s

    def in_hand_s(self) -> float:
        """How long the batch in hand has been there, loading included; 0 where there is none."""
        took_s = self._took_s
        return 0.0 if took_s is None else perf_counter() - took_s

    def patience_s(self) -> float:
        """How much longer to wait for the batch in hand where nothing else limits the wait; 0 or less once it hangs: it
        takes longer than the hang limit, and ten times what one lately took."""
        return max(self._hang_s, _STUCK_TIMES * (self._typical_s or 0.0)) - self.in_hand_s()

    def submit(self, query: Query, due_s: float = math.inf) -> Job:
        """Queue a query, or answer it here where the backend is inline. Raises `OverloadedError` or `ClosedError`.

        `due_s`: `perf_counter` seconds after which the answer is of no use.
        """
        now_s = perf_counter()
        job = Job(query, now_s, due_s)
        if self.backend.spec.inline:
            with self._lock:
                self._check_open()
                job.future.set_running_or_notify_cancel()
                self._run([job])
            return job
        if due_s != math.inf:
            job.start_by_s = now_s if self._typical_s is None else due_s - self._typical_s
        self._check_open()
        self.queue.put(job)
        if self._thread is None:
            self._start()
        return job

    def warm_up(self) -> None:
        """Load the backend now, on the calling thread. Raises what loading raises."""
        self._check_open()
        self._load()

    def close(self, timeout_s: float = 5.0) -> None:
        """Finish the batch at hand, refuse what still waits, end the thread, close the backend. Idempotent.

        A batch that takes longer than `timeout_s` is cut short where the backend can do that, else left to itself.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for job in self.queue.close():
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(ClosedError(f"{self.backend.spec.name}: its router was closed"))
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
            if thread.is_alive() and self.backend.abort():
                thread.join(timeout_s)
            if thread.is_alive():
                return  # hung inside the backend: closing it under its feet would crash the process
        self.backend.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.backend.spec.name}: its router was closed")

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                name = f"visionrouter-{self.backend.spec.name}"
                self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        while batch := self.queue.take(self.backend.spec.batch_limit, self._hold_s):
            self._run(batch)
            self.queue.done(len(batch))

    def _run(self, batch: Sequence[Job]) -> None:
        self._took_s = started_s = perf_counter()
        for job in batch:
            job.started_s = started_s
        self._waited_s += _NEWEST * (started_s - batch[0].enqueued_s - self._waited_s)
        try:
            self._load()
        except BaseException as error:
            self._fail(batch, error)
            self._took_s = None
            self._ended_s = perf_counter()
            return
        self._began_s = began_s = perf_counter()
        self._predict(batch)
        self._took_s = self._began_s = None
        self._ended_s = ended_s = perf_counter()
        taken_s = ended_s - began_s
        typical_s = taken_s if self._typical_s is None else self._typical_s
        self._typical_s = typical_s + _NEWEST * (taken_s - typical_s)
        for job in batch:
            self.late += ended_s > job.due_s

    def _load(self) -> None:
        if self._weights_of_another:
            raise ForkedError(
                f"{self.backend.spec.name}: its weights were read before this process was forked; make the router, or "
                "send its first request, after the fork, or give the backend `isolation: process`"
            )
        if self._loaded:
            return
        with self._load_lock:
            if not self._loaded:
                self.backend.load()
                self._loaded = True

    def _predict(self, jobs: Sequence[Job]) -> None:
        try:
            predictions = self.backend.predict([job.query for job in jobs])
            if len(predictions) != len(jobs):
                raise BackendError(
                    f"{self.backend.spec.name} gave {len(predictions)} predictions for {len(jobs)} queries"
                )
        except BaseException as error:
            if len(jobs) == 1 or isinstance(error, LostError):
                self._fail(jobs, error)
            else:  # one query that cannot be answered must not take its neighbours with it
                for job in jobs:
                    self._predict([job])
            return
        for job, prediction in zip(jobs, predictions, strict=True):
            try:
                check_prediction(job.query, prediction)
            except Exception as error:
                self._fail([job], error)
            else:
                job.future.set_result(prediction)

    @staticmethod
    def _fail(jobs: Sequence[Job], error: BaseException) -> None:
        for job in jobs:
            try:
                job.future.set_exception(error)
            except InvalidStateError:
                continue
