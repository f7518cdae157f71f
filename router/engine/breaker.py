"""A breaker a backend: after failures in a row it is left alone for a while, then probed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from time import monotonic


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after `failures` in a row; after `cooldown_s` lets one probe through, whose end closes or reopens it.

    It holds for a lone backend too: a request during an outage then costs nothing but the refusal. Thread-safe.
    """

    def __init__(
        self, failures: int = 3, cooldown_s: float = 5.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._failures_to_open = failures
        self._cooldown_s = cooldown_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_s: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        if self._opened_s is None:
            return BreakerState.CLOSED
        if self._probing or self._clock() - self._opened_s >= self._cooldown_s:
            return BreakerState.HALF_OPEN
        return BreakerState.OPEN

    def allow(self) -> bool:
        """Whether to try now. True while half open goes to one caller: it must report success, failure or `release`."""
        if self._opened_s is None:
            return True
        with self._lock:
            if self.state is BreakerState.CLOSED:
                return True
            if self.state is BreakerState.OPEN or self._probing:
                return False
            self._probing = True
            return True

    def success(self) -> None:
        if self._failures == 0 and self._opened_s is None:
            return
        with self._lock:
            self._failures, self._opened_s, self._probing = 0, None, False

    def failure(self) -> None:
        with self._lock:
            self._failures += 1
            if self._probing or self._failures >= self._failures_to_open:
                self._opened_s = self._clock()
            self._probing = False

    def release(self) -> None:
        """The try ended for a reason that says nothing of the backend's health (cancelled, unsupported words)."""
        with self._lock:
            self._probing = False
