"""What holds locks and threads starts anew in a forked process, where neither survives."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    def after_fork(self) -> None:
        """Called in a child right after a fork, while it has but one thread."""


_living: WeakSet[Forkable] = WeakSet()


def renew_after_fork(thing: Forkable) -> None:
    """Have `thing.after_fork` called in processes forked off from now on, for as long as it lives."""
    _living.add(thing)


def _renew() -> None:
    for thing in list(_living):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
