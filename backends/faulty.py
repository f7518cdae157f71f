"""A backend that fails on demand: for rehearsing what a policy does when a model lets it down."""

from __future__ import annotations

import ctypes
import math
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from visionrouter.backends.base import Backend, Reuse
from visionrouter.backends.fake import FakeBackend
from visionrouter.backends.weights import sha256_of, verify
from visionrouter.backends.wrong import constant, wrong
from visionrouter.schema.errors import BackendError, ResourceError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import DepthMap, Intrinsics, NormalMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

TAG = "fault"
"""The tag of a request that asks for a fault by name."""


class Fault(StrEnum):
    """What may be done to a query."""

    SLOW = "slow"  # answers `slow_ms` later
    EXCEPTION = "exception"
    OUT_OF_MEMORY = "out_of_memory"
    HANG = "hang"  # never answers
    SEIZE = "seize"  # never answers, nor lets another thread run: only ever inside a process of its own
    CRASH = "crash"  # ends the process it runs in: only ever inside a process of its own
    SWELL = "swell"  # takes memory until something stops it, at most 4 GB
    NAN = "nan"  # a map without one number in it; where the answer is no map, a signal that is no number
    WRONG_SHAPE = "wrong_shape"  # an answer to an image of twice the size
    WRONG_KIND = "wrong_kind"  # an answer to another task
    CONSTANT = "constant"  # one value over the whole image
    WRONG = "wrong"  # a well-formed answer to something else, with the signals of the right one
    CORRUPTED = "corrupted_weights"  # weights with a flipped bit: while loading


class FaultyBackend(Backend):
    """Answers as `inner` does (default: a fake), but for the fault that `fault` names, or that a request names by tag.

    Between faults it is well, so one router can be led through all of them. `load_fault` strikes while loading. `variant`:
    which of the wrong answers is given. What hangs or is slow is let go by `abort`; then and from then on it raises.
    """

    def __init__(
        self,
        *,
        inner: Backend | None = None,
        fault: str | None = None,
        slow_ms: float = 200.0,
        load_fault: str | None = None,
        batch_limit: int = 8,
        variant: int = 0,
    ) -> None:
        self._inner = (
            FakeBackend(inline=False, batch_limit=batch_limit, remember=False) if inner is None else inner
        )
        self.spec = replace(self._inner.spec, name="faulty" if inner is None else self._inner.spec.name)
        self._fault = None if fault is None else Fault(fault)
        self._load_fault = None if load_fault is None else Fault(load_fault)
        self._slow_ms = slow_ms
        self._variant = variant
        self._let_go = threading.Event()

    def load(self) -> None:
        if self._load_fault is not None:
            self._before(self._load_fault)
        self._inner.load()

    def unavailable(self) -> str | None:
        return self._inner.unavailable()

    @property
    def reuse(self) -> Reuse | None:
        return self._inner.reuse

    def abort(self) -> bool:
        self._let_go.set()
        return True

    def close(self) -> None:
        self._inner.close()

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        faults = [Fault(query.tags[TAG]) if TAG in query.tags else self._fault for query in queries]
        for fault in faults:
            if fault is not None:
                self._before(fault)
        predictions = self._inner.predict(queries)
        return [self._after(f, q, p) for f, q, p in zip(faults, queries, predictions, strict=True)]

    def _before(self, fault: Fault) -> None:
        match fault:
            case Fault.SLOW:
                self._wait(self._slow_ms / 1000)
            case Fault.EXCEPTION:
                raise RuntimeError("a fault was asked for")
            case Fault.OUT_OF_MEMORY:
                raise ResourceError("a fault was asked for: out of memory")
            case Fault.HANG:
                self._wait(None)
            case Fault.SEIZE:
                ctypes.PyDLL(None).sleep(3600)
            case Fault.CRASH:
                os.abort()
            case Fault.SWELL:
                held = []
                for _ in range(256):
                    held.append(np.ones(1 << 24, np.uint8))
                    time.sleep(0.005)
                raise ResourceError(f"{len(held) << 24} bytes were taken and nothing stopped it")
            case Fault.CORRUPTED:
                _read_corrupted()

    def _wait(self, seconds: float | None) -> None:
        if self._let_go.wait(seconds):
            raise BackendError("a fault was asked for; it was cut short")

    def _after(self, fault: Fault | None, query: Query, prediction: Prediction) -> Prediction:
        payload = prediction.payload
        if fault is Fault.NAN and isinstance(payload, DepthMap | NormalMap):
            return replace(prediction, payload=replace(payload, values=np.full_like(payload.values, np.nan)))
        if fault is Fault.NAN and isinstance(payload, Intrinsics):
            return replace(prediction, payload=replace(payload, albedo=np.full_like(payload.albedo, np.nan)))
        if fault is Fault.NAN:
            return replace(prediction, evidence=Evidence({"score": math.nan}))
        if fault is Fault.WRONG_SHAPE:
            larger = Image(query.image.pixels.repeat(2, axis=0).repeat(2, axis=1))
            return self._inner.predict([replace(query, image=larger)])[0]
        if fault is Fault.WRONG_KIND:
            other = Task.CLASSIFY if query.task is not Task.CLASSIFY else Task.DEPTH
            return FakeBackend().predict([replace(query, task=other)])[0]
        if fault is Fault.CONSTANT:
            return replace(prediction, payload=constant(query))
        if fault is Fault.WRONG:
            return replace(prediction, payload=wrong(query, self._variant))
        return prediction


def _read_corrupted() -> None:
    """Read a weights file as a backend does, after one of its bits was flipped. Raises `WeightsError`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.bin"
        path.write_bytes(bytes(64))
        digests = {path.name: sha256_of(path)}
        path.write_bytes(bytes(63) + b"\x01")
        verify(path.parent, digests)
