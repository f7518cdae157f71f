"""What the router's own arithmetic takes, learnt as it goes, and the threads that do what takes long.

There are as many threads as cores. More would only make each piece take longer than it was known to.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

from visionrouter.fork import renew_after_fork

T = TypeVar("T")
_UP, _DOWN = 0.5, 0.1
"""Weight of a new time above, and below, what was known."""
_MARGIN = 1.5
_FORGOTTEN = 0.01
"""Of what is known, each time that the work is left undone for it: else one slow time could end it for good."""
_THREADS = "visionrouter-arithmetic"


class NoTimeError(Exception):
    """The work was not begun since it would not be done in time, or it was not done in time and is discarded."""


class Pace:
    """Milliseconds a megapixel, by the name of the work: quick to grow, slow to fall. Nothing is known at first, and the
    first time, which may have imported a library, is not learnt from.

    Safe to use from several threads at once; of two times learnt at once, one may be lost.
    """

    def __init__(self, cores: int | None = None) -> None:
        self._ms: dict[str, float | None] = {}
        self._cores = cores or os.cpu_count() or 1
        self._start_anew()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._start_anew()

    def _start_anew(self) -> None:
        self._pool = ThreadPoolExecutor(self._cores, _THREADS)

    def ms(self, work: str, megapixels: float) -> float | None:
        """What the work may take on an image of that size, with a margin; None where nothing is known."""
        known = self._ms.get(work)
        return None if known is None else _MARGIN * known * megapixels

    @contextmanager
    def learn(self, work: str, megapixels: float) -> Iterator[None]:
        """Time the work that is done inside."""
        begun_s = perf_counter()
        yield
        taken = (perf_counter() - begun_s) * 1000 / max(megapixels, 1e-6)
        known = self._ms.get(work)
        if known is not None:
            self._ms[work] = known + (_UP if taken > known else _DOWN) * (taken - known)
        else:
            self._ms[work] = taken if work in self._ms else None

    def submit(self, what: Callable[[], T]) -> Future[T]:
        """Have long work done on a thread of its own; here and now by those who are still on their way after `close`."""
        try:
            return self._pool.submit(what)
        except RuntimeError:
            done: Future[T] = Future()
            done.set_result(what())
            return done

    def forget(self, work: str) -> None:
        """The work was left undone since it would take too long."""
        known = self._ms.get(work)
        if known is not None:
            self._ms[work] = (1 - _FORGOTTEN) * known

    def close(self) -> None:
        """End the threads, once they have done what they were given. Idempotent."""
        is_one_of_them = threading.current_thread().name.startswith(_THREADS)  # it cannot wait for itself
        self._pool.shutdown(wait=not is_one_of_them, cancel_futures=True)
