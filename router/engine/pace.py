"""What the router's own arithmetic takes, learnt as it goes: it must end by the deadline as the backends must.

Long work runs so many at a time as there are cores. More would only make each take longer than it was known to.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from visionrouter.fork import renew_after_fork

_UP, _DOWN = 0.5, 0.1
"""Weight of a new time above, and below, what was known."""
_MARGIN = 1.5
_FORGOTTEN = 0.01
"""Of what is known, each time that the work is left undone for it: else one slow time could end it for good."""


class NoTimeError(Exception):
    """The work would not be done in time, and was not begun."""


class Pace:
    """Milliseconds a megapixel, by the name of the work: quick to grow, slow to fall. Nothing is known at first, and the
    first time, which may have imported a library, is not learnt from.

    Safe to use from several threads at once; of two times learnt at once, one may be lost.
    """

    def __init__(self, cores: int | None = None) -> None:
        self._ms: dict[str, float] = {}
        self._cores = cores or os.cpu_count() or 1
        self._start_anew()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._start_anew()

    def _start_anew(self) -> None:
        self._free = threading.BoundedSemaphore(self._cores)

    def ms(self, work: str, megapixels: float) -> float:
        """What the work may take on an image of that size, with a margin; 0 where nothing is known."""
        return _MARGIN * self._ms.get(work, 0.0) * megapixels

    @contextmanager
    def learn(self, work: str, megapixels: float) -> Iterator[None]:
        """Time the work that is done inside."""
        begun_s = perf_counter()
        yield
        taken = (perf_counter() - begun_s) * 1000 / max(megapixels, 1e-6)
        known = self._ms.get(work)
        if known is None:
            self._ms[work] = 0.0
        else:
            self._ms[work] = known + (_UP if taken > known else _DOWN) * (taken - known)

    @contextmanager
    def core(self, most_s: float | None) -> Iterator[None]:
        """One core for long work. Raises `NoTimeError` where none is free within so many seconds."""
        if not self._free.acquire(timeout=most_s):
            raise NoTimeError
        try:
            yield
        finally:
            self._free.release()

    def forget(self, work: str) -> None:
        """The work was left undone since it would take too long."""
        self._ms[work] = (1 - _FORGOTTEN) * self._ms.get(work, 0.0)
