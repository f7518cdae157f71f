"""Answers kept by what they were asked of: image, words, prompts, policy and weights."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace

import numpy as np

from visionrouter.fork import renew_after_fork
from visionrouter.schema.decision import Decision, Outcome, Reason
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.request import Request
from visionrouter.schema.result import Result
from visionrouter.schema.route import Route

NOTE = "cached"
"""What a decision whose answer was kept says in its notes."""
_ROW_BYTES = 1000
"""What an answer is taken to hold besides its arrays."""
_SOUND = frozenset({Outcome.ACCEPTED, Outcome.FELL_BACK, Outcome.MERGED})
_OF_THE_PICTURE = frozenset(
    {
        Reason.BACKED,
        Reason.CERTIFIED,
        Reason.CONFIDENCE_LOW,
        Reason.CONFIDENT,
        Reason.EVIDENCE_MISSING,
        Reason.LIMIT_EXCEEDED,
        Reason.NOTHING_FOUND,
        Reason.OUT_OF_DOMAIN,
        Reason.UNRESOLVED,
        Reason.UNSUPPORTED_TARGET,
        Reason.WITHIN_LIMITS,
        Reason.NO_GATE,
        Reason.WRONG_CODE,
    }
)
"""Reasons that asking again would give again. Any other may be of the hour: a fault, an overload, a deadline."""


@dataclass(frozen=True, slots=True)
class CacheState:
    """What a cache holds now, and how often it could help: `hits` and `misses` since the start."""

    entries: int
    bytes: int
    hits: int
    misses: int

    @property
    def hit_rate(self) -> float:
        """Share of look-ups that found an answer; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)


class ResultCache:
    """The answers used last, at most `max_entries` of them and `max_bytes` of arrays. Thread-safe.

    Kept are answers that were accepted, and only where every step on the way would be taken again: an answer that was
    fallen back on because of a fault, an overload or a deadline is not. An answer given again is the same but for its
    request id and a decision of its own, which has the note `cached` and the attempts of the first. Its arrays are
    shared by all who are given it, and so read-only.

    Its key takes in the picture's digest (half a millisecond for 640x480), so it pays where models are slow and
    pictures come again.
    """

    def __init__(self, max_entries: int = 256, max_bytes: int = 256_000_000) -> None:
        if max_entries < 1 or max_bytes < 1:
            raise SchemaError(f"a cache of {max_entries} entries and {max_bytes} bytes holds nothing")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Result, int]] = OrderedDict()
        self._bytes = self._hits = self._misses = 0
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Whoever held the lock is not here; what it was about to count may be missing."""
        self._lock = threading.Lock()
        self._bytes = sum(size for _, size in self._kept.values())

    @property
    def state(self) -> CacheState:
        with self._lock:
            return CacheState(len(self._kept), self._bytes, self._hits, self._misses)

    def get(self, key: str, request: Request, rule: str, elapsed_ms: float) -> Result | None:
        """The answer kept under `key`, made out to `request` by `rule`; None where there is none."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self._misses += 1
                return None
            self._hits += 1
            self._kept.move_to_end(key)
        result = found[0]
        decision = replace(
            result.decision,
            request_id=request.id,
            rule=rule,
            deadline_ms=request.deadline_ms,
            elapsed_ms=elapsed_ms,
            overhead_ms=elapsed_ms,
            tags=request.tags,
            notes=(*result.decision.notes, NOTE),
        )
        return replace(result, request_id=request.id, decision=decision)

    def put(self, key: str, result: Result) -> None:
        """Keep an answer, if it is one to keep, and let go of those used longest ago for it."""
        arrays = {id(array): array for array in _arrays(result)}.values()
        size = _ROW_BYTES + sum(array.nbytes for array in arrays)
        if not _would_be_again(result.decision) or size > self._max_bytes:
            return
        for array in arrays:
            array.flags.writeable = False
        with self._lock:
            self._drop(key)
            self._kept[key] = result, size
            self._bytes += size
            while len(self._kept) > self._max_entries or self._bytes > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _drop(self, key: str) -> None:
        held = self._kept.pop(key, None)
        self._bytes -= held[1] if held else 0


def cache_key(request: Request, route: Route, stands_on: str) -> str:
    """sha256 of all that an answer and the verdict on it depend on: the picture, what is asked of it, its tags, the
    route that the policy chose for it, and what the router `stands_on` (weights by backend, limits). Context and
    criticality count by the route they lead to."""
    prompts = request.prompts
    asked = {
        "image": request.image.digest(),
        "instruction": asdict(request.instruction),
        "prompts": [a.tolist() for a in (prompts.boxes, prompts.points, prompts.point_labels)],
        "seed": request.seed,
        "route": repr(route),
        "tags": dict(request.tags),
        "stands_on": stands_on,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _would_be_again(decision: Decision) -> bool:
    reasons = [attempt.verdict.reason for attempt in decision.attempts]
    return (
        decision.outcome in _SOUND
        and all(reason in _OF_THE_PICTURE for reason in reasons)
        and all(_would_be_again(child) for child in decision.children)
    )


def _arrays(value: object) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    if isinstance(value, np.ndarray):
        yield value
        return
    parts: Iterable[object] = ()
    if is_dataclass(value):
        parts = (getattr(value, field.name) for field in fields(value))
    elif isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, tuple):
        parts = value
    for part in parts:
        yield from _arrays(part)
