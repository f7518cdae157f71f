"""A bounded queue that never makes the answer wait longer than it was told to."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

Overflow = Literal["drop", "block", "spill"]
"""What happens to what finds the queue full: lost and counted, waited for up to a limit, or handed to a spill file."""

T = TypeVar("T")


class BoundedQueue(Generic[T]):
    """Many threads put, one takes. `put` costs a fraction of a microsecond while there is room."""

    def __init__(
        self,
        limit: int,
        overflow: Overflow = "drop",
        *,
        block_ms: float = 50.0,
        spill: Callable[[T], bool] | None = None,
        wake_at: int = 100,
    ) -> None:
        """`spill` takes an item and says whether it kept it. A taker waiting in `wait` is woken by `wake_at` items."""
        self.limit = limit
        self.overflow = overflow
        self._block_s = block_ms / 1000
        self._spill = spill
        self._wake_at = wake_at
        self._items: deque[T] = deque()
        self._wake = threading.Event()
        self._room = threading.Condition()
        self._lost = 0
        self._untold = 0
        self._spilled = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def lost(self) -> int:
        """How many were lost in all."""
        return self._lost

    @property
    def spilled(self) -> int:
        """How many were handed to the spill in all."""
        return self._spilled

    def put(self, item: T) -> None:
        items = self._items
        if len(items) >= self.limit:
            self._put_full(item)
            return
        items.append(item)
        if len(items) >= self._wake_at and not self._wake.is_set():
            self._wake.set()

    def take(self, most: int) -> list[T]:
        """Up to `most` items, oldest first; an empty list where there are none."""
        items = self._items
        taken = [items.popleft() for _ in range(min(most, len(items)))]
        if taken and self.overflow == "block":
            with self._room:
                self._room.notify_all()
        return taken

    def wait(self, timeout_s: float) -> None:
        """Until `wake_at` items wait, `wake` is called, or the time is up."""
        self._wake.wait(timeout_s)
        self._wake.clear()

    def wake(self) -> None:
        self._wake.set()

    def take_lost(self) -> int:
        """How many were lost since the last call."""
        with self._room:
            lost, self._untold = self._untold, 0
        return lost

    def _put_full(self, item: T) -> None:
        self._wake.set()
        if self.overflow == "spill" and self._spill is not None and self._spill(item):
            with self._room:
                self._spilled += 1
            return
        if self.overflow == "block":
            until = time.monotonic() + self._block_s
            with self._room:
                while len(self._items) >= self.limit and (left := until - time.monotonic()) > 0:
                    self._room.wait(left)
                if len(self._items) < self.limit:
                    self._items.append(item)
                    return
        with self._room:
            self._lost += 1
            self._untold += 1
