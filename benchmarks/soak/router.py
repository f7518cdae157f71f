"""The router under load: backends inline, in threads and in processes, some of which fail on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from visionrouter.backends.base import Backend
from visionrouter.backends.fake import ALL_TASKS, Answer, FakeBackend
from visionrouter.backends.faulty import TAG, Fault, FaultyBackend
from visionrouter.backends.isolation import IsolatedBackend, IsolationLimits
from visionrouter.backends.registry import Recipe
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.options import EngineOptions
from visionrouter.router import Router
from visionrouter.schema.decision import Sink
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.route import Limit

HANG_MS = 250.0
DEADLY = frozenset({Fault.HANG, Fault.SEIZE, Fault.CRASH})
"""Faults that only a backend in a process of its own is asked for."""
POLICY: dict[str, Any] = {
    "schema_version": 1,
    "name": "soak",
    "rules": [
        {
            "name": "careful",
            "when": "request.criticality == 'safety'",
            "route": {
                "try": ["thread-1", "process-1", "inline"],
                "check_with": {"backend": "any", "on_disagreement": "escalate"},
                "attempt_timeout_ms": 400,
            },
        },
        {
            "name": "hedged",
            "when": "request.tags['camera'] == 'fast'",
            "route": {"try": ["process-2", "thread-2"], "hedge_after": "p90", "otherwise": "best_effort"},
        },
        {
            "name": "merged",
            "when": "request.tags['camera'] == 'both'",
            "route": {"try": ["thread-1", "thread-2"], "merge": True, "attempt_timeout_ms": 300},
        },
    ],
    "default": {
        "route": {
            "try": ["process-1", "thread-2", "process-2", "inline"],
            "attempt_timeout_ms": 400,
            "otherwise": "best_effort",
        }
    },
}


def made(sinks: tuple[Sink, ...] = ()) -> Router:
    """Five backends, behind short queues that are fair between cameras, and breakers that open and close often."""
    backends = [
        FakeBackend("inline", remember=False),
        *(_in_a_thread(f"thread-{i}") for i in (1, 2)),
        *(_in_a_process(f"process-{i}") for i in (1, 2)),
    ]
    limits = {b.spec.name: {task: {"score": Limit(min=0.5)} for task in ALL_TASKS} for b in backends}
    breaker = BreakerOptions(cooldown_s=0.3, seed=0)
    options = EngineOptions(queue_limit=12, batch_wait_ms=1, fair_by="camera", breaker=breaker)
    return Router(backends, POLICY, limits=limits, sinks=sinks, options=options)


class InThread(FaultyBackend):
    """A faulty backend that is spared what would take the whole program with it."""

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return super().predict([replace(q, tags={}) if q.tags.get(TAG) in DEADLY else q for q in queries])


def _in_a_thread(name: str) -> Backend:
    script = Answer(latency_ms=1)
    return InThread(inner=FakeBackend(name, inline=False, remember=False, script=script), slow_ms=40)


def _in_a_process(name: str) -> Backend:
    parts = {"inner": Recipe("fake", name, {"remember": False})}
    return IsolatedBackend(
        Recipe("faulty", name, {"slow_ms": 40}, parts), IsolationLimits(hang_ms=HANG_MS, load_ms=60_000)
    )
