"""Jobs that wait for one worker: bounded, fair between tenants, shed by criticality, taken in batches."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter

from visionrouter.schema.errors import ClosedError, ExpiredError, OverloadedError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Criticality, Query

_RANK = {criticality: rank for rank, criticality in enumerate(Criticality)}


@dataclass(slots=True, eq=False)
class Job:
    """A query on its way through a worker. Times are `perf_counter` seconds.

    `due_s`: when its answer is of no use any more. `start_by_s`: the latest start that leaves time to answer.
    `started_s` is 0 until it is run.
    """

    query: Query
    enqueued_s: float
    due_s: float = math.inf
    start_by_s: float = math.inf
    started_s: float = 0.0
    future: Future[Prediction] = field(default_factory=Future)


@dataclass(slots=True)
class QueueCounts:
    """Jobs that never ran: `refused` at the door, `shed` to make room, `expired` while waiting, `cancelled` by callers."""

    refused: int = 0
    shed: int = 0
    expired: int = 0
    cancelled: int = 0


class FairQueue:
    """At most `limit` jobs, waiting or taken and not yet `done`.

    Tenants (the values of the tag `fair_by`) take turns, a job each: deficit round robin at equal cost. One without
    the tag is a tenant too. When the queue is full, room is made by what no longer needs its place (expired,
    cancelled), else by the newest job of the lowest criticality of the tenant with most of those waiting; where that
    is the newcomer itself, it is refused. Thread-safe.
    """

    def __init__(self, name: str, limit: int, fair_by: str | None = None) -> None:
        self.counts = QueueCounts()
        self._name = name
        self._limit = limit
        self._fair_by = fair_by
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._lines: OrderedDict[str, deque[Job]] = OrderedDict()
        self._waiting = self._running = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        return self._waiting

    @property
    def running(self) -> int:
        return self._running

    def oldest_s(self, now_s: float) -> float:
        """How long the job that has waited longest has waited; 0 where none waits."""
        with self._lock:
            return max((now_s - line[0].enqueued_s for line in self._lines.values()), default=0.0)

    def put(self, job: Job) -> None:
        """Raises `OverloadedError` where there is no room for it, `ClosedError` after `close`."""
        with self._lock:
            if self._closed:
                raise ClosedError(f"{self._name}: its router was closed")
            full = self._waiting + self._running >= self._limit
            expired, shed = self._make_room(job) if full else ((), None)
            if shed is not job:
                tenant = self._tenant(job)
                line = self._lines.get(tenant)
                if line is None:
                    self._lines[tenant] = deque((job,))
                else:
                    line.append(job)
                self._waiting += 1
                self._changed.notify()
        self._tell(expired)
        if shed is job:
            raise OverloadedError(
                f"{self._name}: {self._limit} requests are waiting, the most its queue takes"
            )
        if shed is not None:
            _fail(shed, OverloadedError(f"{self._name}: gave its place in a full queue to another request"))

    def take(self, most: int, hold_s: float = 0.0) -> list[Job]:
        """The next batch, of at most `most` jobs, which can no longer be cancelled; empty only after `close`.

        Waits for the first. A batch that is not full is held for up to `hold_s` from its oldest job's arrival for
        others to join, and never past the latest start of any of them. Jobs past their due time are failed with
        `ExpiredError` instead of taken.
        """
        while True:
            batch, expired = self._ready(most, hold_s)
            self._tell(expired)
            if batch or self._closed:
                return batch

    def done(self, count: int) -> None:
        """`count` of the jobs taken are over."""
        with self._lock:
            self._running -= count

    def close(self) -> list[Job]:
        """Refuse what comes from now on, and give back what still waits."""
        with self._lock:
            self._closed = True
            left = [job for line in self._lines.values() for job in line]
            self._lines.clear()
            self._waiting = 0
            self._changed.notify_all()
        return left

    def _tenant(self, job: Job) -> str:
        return "" if self._fair_by is None else job.query.tags.get(self._fair_by, "")

    def _jobs(self) -> Iterator[Job]:
        return (job for line in self._lines.values() for job in line)

    def _held_until(self, hold_s: float) -> float:
        return (
            min((min(job.enqueued_s + hold_s, job.start_by_s) for job in self._jobs()), default=0.0)
            if hold_s
            else 0.0
        )

    def _ready(self, most: int, hold_s: float) -> tuple[list[Job], Sequence[Job]]:
        """Wait for something to take: the batch, and the expired met on the way."""
        with self._lock:
            while not self._closed:
                now_s = perf_counter()
                if not self._waiting:
                    self._changed.wait()
                elif self._waiting < most and (left_s := self._held_until(hold_s) - now_s) > 0:
                    self._changed.wait(left_s)
                else:
                    return self._next(most, now_s)
            return [], ()

    def _next(self, most: int, now_s: float) -> tuple[list[Job], list[Job]]:
        batch: list[Job] = []
        expired: list[Job] = []
        while self._waiting and len(batch) < most:
            tenant, line = next(iter(self._lines.items()))
            job = line.popleft()
            self._waiting -= 1
            if line:
                self._lines.move_to_end(tenant)
            else:
                del self._lines[tenant]
            if now_s >= job.due_s:
                expired.append(job)
            elif job.future.set_running_or_notify_cancel():
                batch.append(job)
            else:
                self.counts.cancelled += 1
        self._running += len(batch)
        return batch, expired

    def _make_room(self, job: Job) -> tuple[Sequence[Job], Job | None]:
        """What leaves the full queue: the expired, or else the one job to go without, which may be `job` itself."""
        expired: list[Job] = []
        now_s = perf_counter()
        for waiting in list(self._jobs()):
            if waiting.future.cancelled():
                self._remove(waiting)
                self.counts.cancelled += 1
            elif now_s >= waiting.due_s:
                self._remove(waiting)
                expired.append(waiting)
        if self._waiting + self._running < self._limit:
            return expired, None
        least = self._least(job)
        if least is job:
            self.counts.refused += 1
        else:
            self._remove(least)
            self.counts.shed += 1
        return expired, least

    def _tell(self, expired: Sequence[Job]) -> None:
        """Fail them, outside the lock: what waits for a future may come straight back here."""
        for job in expired:
            self.counts.expired += 1
            _fail(job, ExpiredError(f"{self._name}: its time was up while it waited in the queue"))

    def _remove(self, job: Job) -> None:
        tenant = self._tenant(job)
        self._lines[tenant].remove(job)
        self._waiting -= 1
        if not self._lines[tenant]:
            del self._lines[tenant]

    def _least(self, newcomer: Job) -> Job:
        """The job to go without: see the class."""
        jobs = [*self._jobs(), newcomer]
        lowest = min(_RANK[job.query.criticality] for job in jobs)
        low = [job for job in jobs if _RANK[job.query.criticality] == lowest]
        share: dict[str, int] = {}
        for job in low:
            share[self._tenant(job)] = share.get(self._tenant(job), 0) + 1
        if newcomer in low and share[self._tenant(newcomer)] == max(share.values()):
            return newcomer
        greedy = max(share, key=lambda tenant: share[tenant])
        return next(job for job in reversed(low) if self._tenant(job) == greedy)


def _fail(job: Job, error: Exception) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
