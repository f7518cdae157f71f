"""How long a backend lately took, by task: what `hedge_after: p95` reads."""

from __future__ import annotations

from collections import deque

from visionrouter.schema.task import Task

WINDOW = 256
LEAST = 20
"""Fewest answers from which a percentile is told."""


class Latencies:
    """The latest answers of a backend, waiting included. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._recent: dict[Task, deque[float]] = {task: deque(maxlen=WINDOW) for task in Task}

    def add(self, task: Task, latency_ms: float) -> None:
        self._recent[task].append(latency_ms)

    def percentile_ms(self, task: Task, percent: int) -> float | None:
        """The time in which `percent` of 100 lately answered, by nearest rank; None below 20 answers."""
        recent = sorted(self._recent[task].copy())
        return None if len(recent) < LEAST else recent[-(-len(recent) * percent // 100) - 1]
