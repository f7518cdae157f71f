"""A share of all calls to a backend fails, as models and their hosts do: which ones is settled by what is asked."""

from __future__ import annotations

import hashlib

from visionrouter.backends.base import Backend
from visionrouter.backends.faulty import Fault, FaultyBackend
from visionrouter.benchmarks.rainy.around import Around
from visionrouter.benchmarks.rainy.recorded import key_of
from visionrouter.schema.errors import CrashedError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

TIMEOUT_MS = 1500.0
"""Given to an attempt whose policy sets none, so that one that is slow comes too late."""
SLOW_MS = 1700.0
KINDS = (Fault.EXCEPTION, Fault.SLOW, Fault.NAN, Fault.WRONG_SHAPE, Fault.CONSTANT, Fault.CRASH)


class Faulted(Around):
    """Answers as `inner` does, but for a share `rate` of queries. Equal queries meet equal faults, so that systems are
    compared under the same ones. `faults`: how many were met so far."""

    def __init__(self, inner: Backend, rate: float, seed: int = 0) -> None:
        super().__init__(inner)
        self.faults = 0
        self._rate = rate
        self._seed = seed
        self._faulty = {
            kind: FaultyBackend(inner=inner, fault=kind.value, slow_ms=SLOW_MS)
            for kind in KINDS
            if kind is not Fault.CRASH  # which ends the process it is in, and this is ours
        }

    def answer(self, query: Query) -> Prediction:
        kind = fault_of(query, self.spec.name, self._rate, self._seed)
        if kind is None:
            return self.inner.predict([query])[0]
        self.faults += 1
        if kind is Fault.CRASH:
            raise CrashedError("a fault was asked for: its process ended")
        return self._faulty[kind].predict([query])[0]


def fault_of(query: Query, backend: str, rate: float, seed: int = 0) -> Fault | None:
    """What befalls a query put to a backend; None: nothing does."""
    drawn = hashlib.sha256(f"{key_of(query)}/{backend}/{seed}".encode()).digest()
    if int.from_bytes(drawn[:8], "big") >= rate * 2**64:
        return None
    return KINDS[drawn[8] % len(KINDS)]
