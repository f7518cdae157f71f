"""A backend that lives in a child process, behind the same protocol as any other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from visionrouter.backends.base import Backend, Reuse
from visionrouter.backends.isolation.process import Child
from visionrouter.backends.registry import Recipe
from visionrouter.schema.errors import CrashedError, LostError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.25, 30.0


@dataclass(frozen=True, slots=True)
class IsolationLimits:
    """What a child may take before it is killed.

    `memory_mb`: resident memory (10^6 bytes), looked at every 50 ms while it works, so a burst can pass it for that
    long. Resident and not address space, of which CUDA and torch reserve many times what they use; memory on a GPU is
    not in it. `hang_ms`: no answer to one batch. `load_ms`: making the backend and reading its weights.
    """

    memory_mb: float | None = None
    hang_ms: float = 30_000.0
    load_ms: float = 300_000.0


class IsolatedBackend(Backend):
    """What `recipe` makes, made and asked in a process of its own.

    Images and arrays pass through shared memory, all else as JSON; weights never pass. A child that hangs or swells
    past `limits` is killed; what was asked of it raises `HungError`, `CrashedError` or `MemoryCapError` at once, and the
    next call starts another. Deaths in a row are answered with a growing pause in which calls raise `CrashedError`
    straight away, so that a crash loop costs the machine nothing and opens the breaker.

    After a fork each process has a child of its own.
    """

    def __init__(
        self,
        recipe: Recipe,
        limits: IsolationLimits = IsolationLimits(),
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._recipe = recipe
        self.limits = limits
        self._model = recipe.make()
        self.spec = replace(self._model.spec, inline=False, isolation="process")
        self._clock = clock
        self._child: Child | None = None
        self._ready = False
        self._owner = os.getpid()
        self._starts = self._deaths = 0
        self._rest_until_s = 0.0
        self._reuse: Reuse | None = None

    @property
    def restarts(self) -> int:
        return max(0, self._starts - 1)

    @property
    def reuse(self) -> Reuse | None:
        """As the child told with its last answer; a new child counts from 0."""
        return self._reuse

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return None if self._child is None else self._child.pid

    def unavailable(self) -> str | None:
        return self._model.unavailable()

    def load(self) -> None:
        self._loaded()

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        child = self._loaded()
        try:
            predictions = child.predict(queries, self.limits.hang_ms / 1000, self.limits.memory_mb)
        except LostError:
            self._bury(child)
            raise
        self._deaths = 0
        self._reuse = child.reuse
        return predictions

    def after_fork(self) -> bool:
        if self._owner != os.getpid():
            child, self._child = self._child, None
            self._owner, self._starts, self._deaths = os.getpid(), 0, 0
            self._reuse = None
            if child is not None:
                child.forget()
        return True

    def abort(self) -> bool:
        self.after_fork()
        child = self._child
        if child is not None:
            child.kill()
        return True

    def close(self) -> None:
        self.after_fork()
        child, self._child = self._child, None
        if child is not None:
            child.close(timeout_s=2.0)

    def _loaded(self) -> Child:
        self.after_fork()
        if self._child is not None and self._ready:
            return self._child
        rest_s = self._rest_until_s - self._clock()
        if self._deaths and rest_s > 0:
            raise CrashedError(
                f"{self.spec.name}: its process died {self._deaths} times in a row; the next start is in {rest_s:.1f} s"
            )
        self._child = child = Child(self._recipe.plain(), self.spec.name)
        self._ready = False
        self._starts += 1
        try:
            child.load(self.limits.load_ms / 1000, self.limits.memory_mb)
        except LostError:
            self._bury(child)
            raise
        except BaseException:
            self.close()
            raise
        self._ready = True
        return child

    def _bury(self, child: Child) -> None:
        """Count a death; the first is followed by a start at once, those after it by pauses that double."""
        child.kill()
        child.close(timeout_s=0.0)
        self._child = None
        self._deaths += 1
        pause_s = 0.0 if self._deaths == 1 else _FIRST_BACKOFF_S * 2.0 ** min(self._deaths - 2, 20)
        self._rest_until_s = self._clock() + min(pause_s, _LAST_BACKOFF_S)
