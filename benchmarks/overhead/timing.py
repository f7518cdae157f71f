"""Timing of calls: quantiles of one run, and their medians over repeats."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds a call: quantiles, each the median over the repeats. `per_s`: calls a second, None where not asked."""

    name: str
    p50: float
    p95: float
    p99: float
    per_s: float | None = None

    def __str__(self) -> str:
        rate = "" if self.per_s is None else f" {self.per_s:12,.0f}"
        return f"{self.name:<44} {self.p50:9.1f} {self.p95:9.1f} {self.p99:9.1f}{rate}"


def heading(unit: str = "microseconds a request", rate: str = "") -> str:
    return f"{unit:<44} {'p50':>9} {'p95':>9} {'p99':>9}" + (f" {rate:>12}" if rate else "")


def sequential(call: Callable[[], object], n: int) -> list[float]:
    """Microseconds of each of `n` calls, after a warm-up, with the garbage collector off."""
    for _ in range(n // 10 + 1):
        call()
    gc.collect()
    gc.disable()
    try:
        taken = []
        for _ in range(n):
            start_ns = time.perf_counter_ns()
            call()
            taken.append((time.perf_counter_ns() - start_ns) / 1000)
    finally:
        gc.enable()
    return taken


def timing(name: str, runs: Sequence[Sequence[float]], per_s: Sequence[float] = ()) -> Timing:
    """One row out of several runs of the same."""
    cuts = [statistics.quantiles(run, n=100) for run in runs]
    p50, p95, p99 = (statistics.median(cut[i] for cut in cuts) for i in (49, 94, 98))
    return Timing(name, p50, p95, p99, statistics.median(per_s) if per_s else None)


async def sequential_async(call: Callable[[], Awaitable[object]], n: int) -> list[float]:
    """As `sequential`, inside one event loop."""
    taken = []
    for i in range(n + n // 10 + 1):
        start_ns = time.perf_counter_ns()
        await call()
        if i > n // 10:
            taken.append((time.perf_counter_ns() - start_ns) / 1000)
    return taken


def in_turns(measures: Mapping[str, Callable[[], list[float]]], repeats: int) -> list[Timing]:
    """A row for each measure. They take turns within a repeat, so that what else the machine does falls on all alike."""
    runs: dict[str, list[list[float]]] = {name: [] for name in measures}
    for _ in range(repeats):
        for name, measure in measures.items():
            runs[name].append(measure())
    return [timing(name, run) for name, run in runs.items()]


def repeated(calls: Mapping[str, Callable[[], object]], n: int, repeats: int) -> list[Timing]:
    """A row for each plain call."""
    return in_turns({name: partial(sequential, call, n) for name, call in calls.items()}, repeats)


def machine(*packages: str) -> str:
    """The machine, its load, and the versions of what is measured, in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{_processor()}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, {versions}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
