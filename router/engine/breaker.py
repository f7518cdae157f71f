"""A breaker a backend: when too much of what it does fails, or is slow, it is left alone for a while, then probed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from time import monotonic

from visionrouter.fork import renew_after_fork
from visionrouter.schema.errors import SchemaError


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """When a breaker opens, and how it closes. Raises `SchemaError` for what cannot be.

    It opens after `failures_in_a_row`, or when of the last `window_calls` (none older than `window_s`), at least
    `minimum_calls`, the share that failed reaches `failure_rate`, or the share that took `slow_ms` or longer reaches
    `slow_rate` (`slow_ms` None: time does not count). It stays open for `cooldown_s`, lengthened by up to `jitter` of
    it so that replicas do not probe in step, then lets `probes` through; all of them must be well, and none slow.
    `seed` of the jitter; None: drawn anew in each process.
    """

    failures_in_a_row: int = 3
    failure_rate: float = 0.5
    slow_ms: float | None = None
    slow_rate: float = 0.8
    minimum_calls: int = 10
    window_calls: int = 50
    window_s: float = 60.0
    cooldown_s: float = 5.0
    jitter: float = 0.2
    probes: int = 1
    seed: int | None = None

    def __post_init__(self) -> None:
        counts = (self.failures_in_a_row, self.minimum_calls, self.window_calls, self.probes)
        rates = (self.failure_rate, self.slow_rate)
        times = (self.cooldown_s, self.window_s, 1.0 if self.slow_ms is None else self.slow_ms)
        if min(counts) < 1 or not all(0 < rate <= 1 for rate in rates) or not all(t > 0 for t in times):
            raise SchemaError(f"{self}: counts are from 1, rates over 0 up to 1, times over 0")
        if self.minimum_calls > self.window_calls or not 0 <= self.jitter <= 1:
            raise SchemaError(f"{self}: minimum_calls fit into window_calls, and jitter is from 0 to 1")


@dataclass(frozen=True, slots=True)
class BreakerCounts:
    """`calls`, and of them `failures` and `slow`, in the window now; `opened` and `refused` since the start."""

    calls: int
    failures: int
    slow: int
    opened: int
    refused: int


class Breaker:
    """Ask `allow` before a call; where it is True, report `success`, `failure` or `release` after it.

    It holds for a lone backend too: a request during an outage then costs nothing but the refusal. Thread-safe.
    """

    def __init__(
        self, options: BreakerOptions = BreakerOptions(), clock: Callable[[], float] = monotonic
    ) -> None:
        self.options = options
        self._clock = clock
        self._random = Random(options.seed)
        self._lock = threading.Lock()
        self._window: deque[tuple[float, bool, bool]] = deque()
        self._failures = self._slow = self._in_a_row = 0
        self._open_until_s: float | None = None
        self._probing = self._passed = 0
        self._opened = self._refused = 0
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def state(self) -> BreakerState:
        until_s = self._open_until_s
        if until_s is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._clock() >= until_s else BreakerState.OPEN

    @property
    def counts(self) -> BreakerCounts:
        with self._lock:
            self._forget(self._clock())
            return BreakerCounts(len(self._window), self._failures, self._slow, self._opened, self._refused)

    def allow(self) -> bool:
        """Whether to try now. While half open it is True for `probes` callers alone."""
        if self._open_until_s is None:
            return True
        with self._lock:
            if self._open_until_s is None:
                return True
            if self._clock() < self._open_until_s or self._probing + self._passed >= self.options.probes:
                self._refused += 1
                return False
            self._probing += 1
            return True

    def success(self, duration_ms: float = 0.0) -> None:
        self._report(False, duration_ms)

    def failure(self, duration_ms: float = 0.0) -> None:
        self._report(True, duration_ms)

    def release(self) -> None:
        """The try ended for a reason that says nothing of the backend's health (cancelled, unsupported words)."""
        with self._lock:
            self._probing = max(0, self._probing - 1)

    def _report(self, failed: bool, duration_ms: float) -> None:
        slow = self.options.slow_ms is not None and duration_ms >= self.options.slow_ms
        with self._lock:
            if self._open_until_s is None:
                self._remember(failed, slow)
            elif self._probing:
                self._probing -= 1
                self._passed += 1
                if failed or slow:
                    self._open()
                elif self._passed >= self.options.probes:
                    self._close()
            # else the call began before it opened, and says nothing new

    def _remember(self, failed: bool, slow: bool) -> None:
        now_s = self._clock()
        self._window.append((now_s, failed, slow))
        self._failures += failed
        self._slow += slow
        self._in_a_row = self._in_a_row + 1 if failed else 0
        self._forget(now_s)
        if (failed or slow) and self._too_much():
            self._open()

    def _forget(self, now_s: float) -> None:
        window, options = self._window, self.options
        while window and (len(window) > options.window_calls or window[0][0] < now_s - options.window_s):
            _, failed, slow = window.popleft()
            self._failures -= failed
            self._slow -= slow

    def _too_much(self) -> bool:
        options, calls = self.options, len(self._window)
        return self._in_a_row >= options.failures_in_a_row or (
            calls >= options.minimum_calls
            and (self._failures >= options.failure_rate * calls or self._slow >= options.slow_rate * calls)
        )

    def _open(self) -> None:
        stretch = 1 + self.options.jitter * self._random.random()
        self._open_until_s = self._clock() + self.options.cooldown_s * stretch
        self._opened += 1
        self._probing = self._passed = 0

    def _close(self) -> None:
        self._open_until_s = None
        self._window.clear()
        self._failures = self._slow = self._in_a_row = 0
        self._probing = self._passed = 0
