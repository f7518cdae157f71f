"""One backend behind one thread and one bounded queue."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import perf_counter

from visionrouter.backends.base import Backend
from visionrouter.schema.errors import BackendError, ClosedError, OverloadedError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query


@dataclass(slots=True)
class Job:
    """A query on its way through a worker. `started_s` is 0 until a thread takes it up."""

    query: Query
    enqueued_s: float
    started_s: float = 0.0
    future: Future[Prediction] = field(default_factory=Future)


class Worker:
    """Calls a backend on its own thread, in batches of what is waiting.

    The queue holds at most `queue_limit` jobs: past that `submit` raises `OverloadedError` at once. The thread starts
    with the first job and loads the backend before it; what loading raised is raised to every job until the next try,
    which the breaker paces. A backend whose spec says `inline` runs on the caller's thread instead, one at a time.
    """

    def __init__(self, backend: Backend, queue_limit: int = 64) -> None:
        self.backend = backend
        self.queue_limit = queue_limit
        self.discarded = 0
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pending = 0
        self._loaded = False
        self._closed = False

    @property
    def pending(self) -> int:
        """Jobs queued or running."""
        return self._pending

    def submit(self, query: Query) -> Job:
        """Queue a query, or answer it here where the backend is inline. Raises `OverloadedError` or `ClosedError`."""
        job = Job(query, perf_counter())
        if self.backend.spec.inline:
            with self._lock:
                self._check_open()
                self._run([job])
            return job
        with self._lock:
            self._check_open()
            if self._pending >= self.queue_limit:
                raise OverloadedError(
                    f"{self.backend.spec.name}: {self._pending} requests are waiting, the most its queue takes"
                )
            self._pending += 1
            if self._thread is None:
                name = f"visionrouter-{self.backend.spec.name}"
                self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
                self._thread.start()
            self._queue.put(job)
        return job

    def close(self, timeout_s: float = 5.0) -> None:
        """Finish the batch at hand, refuse what still waits, end the thread, close the backend. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
            self._queue.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
            if thread.is_alive():
                return  # hung inside the backend: closing it under its feet would crash the process
        self.backend.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.backend.spec.name}: its router was closed")

    def _serve(self) -> None:
        while (job := self._queue.get()) is not None and not self._closed:
            batch, ended = self._collect(job)
            self._run(batch)
            with self._lock:
                self._pending -= len(batch)
            if ended:
                break
        else:
            if job is not None:
                self._refuse(job)
        while True:
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                return
            if waiting is not None:
                self._refuse(waiting)

    def _collect(self, first: Job) -> tuple[list[Job], bool]:
        batch = [first]
        while len(batch) < self.backend.spec.batch_limit:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _refuse(self, job: Job) -> None:
        with self._lock:
            self._pending -= 1
        if job.future.set_running_or_notify_cancel():
            job.future.set_exception(ClosedError(f"{self.backend.spec.name}: its router was closed"))

    def _run(self, batch: Sequence[Job]) -> None:
        live = [job for job in batch if job.future.set_running_or_notify_cancel()]
        self.discarded += len(batch) - len(live)
        if not live:
            return
        for job in live:
            job.started_s = perf_counter()
        try:
            if not self._loaded:
                self.backend.load()
                self._loaded = True
        except BaseException as error:
            self._fail(live, error)
            return
        self._predict(live)

    def _predict(self, jobs: Sequence[Job]) -> None:
        try:
            predictions = self.backend.predict([job.query for job in jobs])
            if len(predictions) != len(jobs):
                raise BackendError(
                    f"{self.backend.spec.name} gave {len(predictions)} predictions for {len(jobs)} queries"
                )
        except BaseException as error:
            if len(jobs) == 1:
                self._fail(jobs, error)
            else:  # one query that cannot be answered must not take its neighbours with it
                for job in jobs:
                    self._predict([job])
            return
        for job, prediction in zip(jobs, predictions, strict=True):
            job.future.set_result(prediction)

    @staticmethod
    def _fail(jobs: Sequence[Job], error: BaseException) -> None:
        for job in jobs:
            try:
                job.future.set_exception(error)
            except InvalidStateError:
                continue
