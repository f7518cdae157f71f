"""The faults, and how those of a backend are planted in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from visionrouter.backends import faulty
from visionrouter.backends.base import Backend
from visionrouter.backends.faulty import FaultyBackend
from visionrouter.backends.isolation import IsolatedBackend, IsolationLimits
from visionrouter.backends.registry import Recipe
from visionrouter.schema.errors import RequestError

SLOW, KILLED, LATE = 0.1, 0.2, 2.0
"""In deadlines: how much later what is slow answers, when what hangs in a process is killed, and when an answer is sure
to be too late."""


class Fault(StrEnum):
    """What goes wrong."""

    NONE = "none"  # nothing: what the others are held against
    SLOW = "slow"  # a tenth of the deadline later
    TIMEOUT = "timeout"  # an answer after twice the deadline
    EXCEPTION = "exception"
    OUT_OF_MEMORY = "out_of_memory"
    HANG_IN_THREAD = "hang_in_thread"  # no answer, from a thread that nothing can end
    HANG = "hang"  # no answer, from a process, which is killed after 0.2 deadlines
    SEIZE = "seize"  # the same with the interpreter's lock held
    CRASH = "crash"  # its process aborts
    NAN = "nan"
    WRONG_SHAPE = "wrong_shape"
    WRONG_KIND = "wrong_kind"
    CONSTANT = "constant"  # the same over the whole image
    STALE_DIGEST = "stale_digest"  # other weights than were calibrated: wrong answers with good signals
    CORRUPTED_WEIGHTS = "corrupted_weights"  # a flipped bit in the file they are read from
    FULL_QUEUE = "full_queue"  # somebody else's requests fill its queue
    CLOCK_JUMP = "clock_jump"  # the wall clock leaps by a day at every reading
    DISK_FULL = "disk_full"  # what records decisions cannot write


IN_PROCESS = {
    Fault.HANG: faulty.Fault.HANG,
    Fault.SEIZE: faulty.Fault.SEIZE,
    Fault.CRASH: faulty.Fault.CRASH,
}
"""Faults that are survived by whoever gives the backend a process of its own."""
_IN_THREAD = {
    Fault.SLOW: faulty.Fault.SLOW,
    Fault.TIMEOUT: faulty.Fault.SLOW,
    Fault.EXCEPTION: faulty.Fault.EXCEPTION,
    Fault.OUT_OF_MEMORY: faulty.Fault.OUT_OF_MEMORY,
    Fault.HANG_IN_THREAD: faulty.Fault.HANG,
    Fault.NAN: faulty.Fault.NAN,
    Fault.WRONG_SHAPE: faulty.Fault.WRONG_SHAPE,
    Fault.WRONG_KIND: faulty.Fault.WRONG_KIND,
    Fault.CONSTANT: faulty.Fault.CONSTANT,
    Fault.STALE_DIGEST: faulty.Fault.WRONG,
}


def faults_named(names: str) -> tuple[Fault, ...]:
    """Faults by their names, commas between, in the order of `Fault`; "all" for every one. Raises `RequestError`."""
    asked = {name.strip() for name in names.split(",") if name.strip()}
    known = {fault.value for fault in Fault} - {Fault.NONE}
    if unknown := sorted(asked - known - {"all"}):
        raise RequestError(f"no fault is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if not asked:
        raise RequestError("no fault was named; give some, with commas between, or all")
    return tuple(fault for fault in Fault if fault in (known if "all" in asked else asked))


def stricken(backend: Backend, fault: Fault, variant: int, deadline_ms: float) -> Backend:
    """`backend` with a fault in it. `variant`: of the wrong answers, which one is its own.

    A backend whose process is to die is stood in for there by a fake of its name and spec, which is never heard.
    """
    if fault in IN_PROCESS:
        params = {"fault": IN_PROCESS[fault].value}
        stand_in = {"inner": Recipe("fake", None, {"remember": False})}
        limits = IsolationLimits(hang_ms=KILLED * deadline_ms, load_ms=60_000)
        process = IsolatedBackend(Recipe("faulty", None, params, stand_in), limits)
        process.spec = replace(backend.spec, inline=False, isolation="process")
        return process
    made = FaultyBackend(
        inner=backend,
        fault=_IN_THREAD.get(fault),
        load_fault=faulty.Fault.CORRUPTED if fault is Fault.CORRUPTED_WEIGHTS else None,
        slow_ms=(LATE if fault is Fault.TIMEOUT else SLOW) * deadline_ms,
        variant=variant,
    )
    if fault is Fault.STALE_DIGEST:
        stale = hashlib.sha256(f"stale {backend.spec.name}".encode()).hexdigest()
        made.spec = replace(made.spec, weights_digest=stale)
    return made


def let_go(backends: Iterable[Backend]) -> None:
    """End what hangs in them, so that a router over them closes at once."""
    for backend in backends:
        if isinstance(backend, FaultyBackend):
            backend.abort()
