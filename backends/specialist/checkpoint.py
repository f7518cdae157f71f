"""Backends whose weights lie in a folder that a hub id or a path names."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from visionrouter.backends import hub
from visionrouter.backends.base import Backend, BackendSpec, Weights
from visionrouter.backends.licences import licence_of
from visionrouter.backends.memory import enough_memory
from visionrouter.backends.placement import place
from visionrouter.backends.specialist.libraries import require
from visionrouter.backends.specialist.tasks import check_task
from visionrouter.schema.errors import BackendError, WeightsError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

WEIGHTS = ("*.safetensors",)
"""Files that hold weights and run no code when they are read."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where weights come from and how they run.

    `source`: a hub id ("facebook/sam2.1-hiera-tiny") or a path. `revision` of the hub's repository. `device` ("cpu",
    "cuda:1", "mps") and `precision` ("float32", "float16", "bfloat16"), None for what suits the machine. `licence`: the
    weights' own, where the table of licences does not know the source.
    """

    source: str
    revision: str | None = None
    device: str | None = None
    precision: str | None = None
    licence: str | None = None


class CheckpointBackend(Backend):
    """A backend over one folder of weights, which is described when it is made and read when it is loaded.

    Without the folder (it was never fetched) the backend is made all the same: `unavailable` says what to do, and
    `load` raises that. A subclass says in `describe` what a folder's configuration makes of the spec, opens it in
    `open` and answers in `answer`.
    """

    patterns: tuple[str, ...] = ("*.json", "*.txt", "*.model", *WEIGHTS)
    """Which files of a hub repository are its own: code and pickles are not."""

    def __init__(self, spec: BackendSpec, origin: Origin) -> None:
        self.origin = origin
        self.spec = replace(spec, licence=origin.licence or licence_of(origin.source))
        self._model: Any = None
        self._missing: BackendError | None = None
        self._found: Path | None = None
        try:
            self._find()
        except BackendError as error:
            self._missing = error

    @abstractmethod
    def describe(self, folder: Path) -> Mapping[str, Any]:
        """Fields of the spec that the folder decides. Raises `WeightsError` for a folder of another family."""

    @abstractmethod
    def open(self, folder: Path, device: Any, dtype: Any) -> Any:
        """Read the weights. Raises `WeightsError` where they are not those of the architecture."""

    @abstractmethod
    def answer(self, model: Any, queries: Sequence[Query]) -> list[Prediction]: ...

    def sources(self) -> tuple[Weights, ...]:
        return (Weights(self.origin.source, self.origin.revision, self.patterns),)

    def unavailable(self) -> str | None:
        return super().unavailable() or (str(self._missing) if self._missing is not None else None)

    def load(self) -> None:
        self._loaded()

    def close(self) -> None:
        self._model = None

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        for query in queries:
            check_task(self.spec, query)
        model = self._loaded()
        import torch

        with enough_memory(self.spec.name, len(queries)), torch.inference_mode():
            return self.answer(model, queries)

    def _find(self) -> Path:
        """The folder of weights, with the spec made to fit it."""
        if self._found is None:
            origin = self.origin
            folder = hub.resolve(
                origin.source, revision=origin.revision, patterns=self.patterns, extra=self.spec.extra
            )
            size = hub.size(folder)
            fields = {
                "weights_digest": hub.digest(folder),
                "weights_bytes": size,
                "memory_mb": max(self.spec.memory_mb, int(size / 1e6 * 1.2)),
            }
            self.spec = replace(self.spec, **{**fields, **self.describe(folder)})
            self._found, self._missing = folder, None
        return self._found

    def _loaded(self) -> Any:
        if self._model is None:
            for module in self.spec.requires:
                require(module, self.spec.name, self.spec.extra or "all")
            folder = self._find()
            device, dtype = place(self.origin.device, self.origin.precision)
            with enough_memory(self.spec.name, 0):
                self._model = self.open(folder, device, dtype)
        return self._model


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """A JSON file of a folder of weights. Raises `WeightsError`."""
    path = folder / name
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{folder}: holds no {name}; give a folder in the hub's layout") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); fetch it anew") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{path}: is not a JSON object; fetch it anew")
    return found


def in_batches(
    items: Sequence[Any], shape_of: Callable[[Any], Any], run: Callable[[list[Any]], Sequence[Any]]
) -> list[Any]:
    """Run items of one shape together; results in the items' order."""
    groups: dict[Any, list[int]] = {}
    for i, item in enumerate(items):
        groups.setdefault(shape_of(item), []).append(i)
    results: dict[int, Any] = {}
    for places in groups.values():
        results.update(zip(places, run([items[i] for i in places]), strict=True))
    return [results[i] for i in range(len(items))]
