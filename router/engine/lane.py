"""A backend with its worker and its breaker."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

from visionrouter.backends.base import Backend
from visionrouter.engine.breaker import Breaker
from visionrouter.engine.latency import Latencies
from visionrouter.engine.options import EngineOptions, LaneState
from visionrouter.engine.worker import Worker


@dataclass(frozen=True, slots=True)
class Lane:
    """A backend by its name, what runs it, what guards it, and how long it lately took."""

    name: str
    backend: Backend
    worker: Worker
    breaker: Breaker
    latencies: Latencies = field(default_factory=Latencies)

    @staticmethod
    def of(backend: Backend, options: EngineOptions) -> Lane:
        worker = Worker(
            backend, options.queue_limit, options.batch_wait_ms, options.fair_by, options.hang_limit_ms
        )
        return Lane(backend.spec.name, backend, worker, Breaker(options.breaker))

    def state(self) -> LaneState:
        worker, counts = self.worker, self.worker.queue.counts
        return LaneState(
            breaker=self.breaker.state,
            calls=self.breaker.counts,
            waiting=worker.queue.waiting,
            running=worker.queue.running,
            oldest_ms=worker.queue.oldest_s(perf_counter()) * 1000,
            waited_ms=worker.waited_ms,
            typical_ms=worker.typical_ms,
            refused=counts.refused,
            shed=counts.shed,
            discarded=worker.discarded,
            late=worker.late,
            restarts=self.backend.restarts,
            reuse=self.backend.reuse,
        )
