"""Backends whose answers are kept: every system and policy is run by the real router, and no model is asked twice."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from visionrouter.backends.base import Backend
from visionrouter.backends.isolation.codec import Packer
from visionrouter.backends.profile import Profile
from visionrouter.backends.registry import Recipe
from visionrouter.benchmarks.rainy.store import Entry, Store
from visionrouter.schema.errors import BackendError, RequestError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

_AT_HAND = 48
"""Answers kept in memory: those to one item, which all systems ask for in turn."""


@dataclass(frozen=True, slots=True)
class Call:
    """A question that was put to a backend: the seconds its answer took when it was made, and its relative cost."""

    backend: str
    seconds: float
    cost: float


class Recorded(Backend):
    """Answers as `inner` does, from the store where it was asked the same before.

    Weights are read at the first question that is new. `made` is a digest of how `inner` is made, beyond its weights. An
    error is kept where asking again would raise it again; any other is raised and forgotten.
    """

    def __init__(self, inner: Backend, store: Store, made: str = "") -> None:
        self.inner = inner
        self.spec = inner.spec
        self.asked = 0
        self._store = store
        self._owner = (inner.spec.name, inner.spec.weights_digest or "", inner.spec.version, made)
        self._lock = threading.RLock()
        self._calls: list[Call] = []
        self._at_hand: OrderedDict[str, Entry] = OrderedDict()

    def load(self) -> None:
        """Nothing: whether weights are needed at all is not known yet."""

    def unavailable(self) -> str | None:
        return self.inner.unavailable()

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        with self._lock:
            return [self._answer(query) for query in queries]

    def calls(self) -> list[Call]:
        """What it was asked since this was last called."""
        with self._lock:
            calls, self._calls = self._calls, []
            return calls

    def close(self) -> None:
        """Let go of what is in memory; questions may still come, from another router's lane."""
        with self._lock:
            self._at_hand.clear()
            self.inner.close()

    def _answer(self, query: Query) -> Prediction:
        key = key_of(query, self._owner)
        entry = self._at_hand.get(key) or self._store.get(key) or self._ask(key, query)
        self._at_hand[key] = entry
        self._at_hand.move_to_end(key)
        while len(self._at_hand) > _AT_HAND:
            self._at_hand.popitem(last=False)
        self._calls.append(Call(self.spec.name, entry.seconds, self.spec.cost))
        if isinstance(entry.answer, Exception):
            raise entry.answer
        return entry.answer

    def _ask(self, key: str, query: Query) -> Entry:
        self.inner.load()
        self.asked += 1
        begun_s = perf_counter()
        try:
            answer: Prediction | BackendError = self.inner.predict([query])[0]
        except BackendError as error:
            if not Entry.lasts(error):
                raise
            answer = error
        entry = Entry(answer, perf_counter() - begun_s)
        self._store.put(key, self.spec.name, entry)
        return entry


def record(profile: Profile, store: Store) -> dict[str, Recorded]:
    """Every backend of a profile, recorded."""
    return {
        name: Recorded(backend, store, _making(profile.recipes.get(name)))
        for name, backend in profile.backends.items()
    }


@contextmanager
def recording(profile: Profile, folder: Path) -> Iterator[tuple[dict[str, Recorded], list[str]]]:
    """Those backends of a profile that can load here, recorded in `folder`, and why the others cannot; all is closed at
    the end, however it ends. Raises `RequestError` where none can, or where the folder's file is no store."""
    with closing(Store(folder)) as kept, ExitStack() as stack:
        backends, notes = _available(record(profile, kept))
        for backend in backends.values():
            stack.callback(backend.close)
        yield backends, notes


def _available(backends: Mapping[str, Recorded]) -> tuple[dict[str, Recorded], list[str]]:
    lacking = {name: why for name, backend in backends.items() if (why := backend.unavailable()) is not None}
    if len(lacking) == len(backends):
        raise RequestError(f"no backend can be loaded here: {'; '.join(lacking.values())}")
    there = {name: backend for name, backend in backends.items() if name not in lacking}
    return there, [f"{name} is left out: {why}" for name, why in lacking.items()]


def drain(backends: Mapping[str, Recorded]) -> list[Call]:
    """All calls since the last time."""
    return [call for backend in backends.values() for call in backend.calls()]


def key_of(query: Query, owner: tuple[str, ...] = ()) -> str:
    """sha256 of all that an answer may depend on: tags and criticality are the queues'."""
    packer = Packer()
    asked = [query.task.value, query.image.digest(), query.seed, query.text]
    meant = packer.pack((query.targets, query.palette))
    prompts = [
        array.tolist()
        for array in (query.prompts.boxes, query.prompts.points, query.prompts.point_labels)
    ]  # fmt: skip
    text = json.dumps([owner, asked, meant, prompts], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _making(recipe: Recipe | None) -> str:
    if recipe is None:
        return ""
    text = json.dumps(recipe.plain(), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()
