"""Specialists over one folder of weights, and how such a folder is read."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionrouter.backends.base import BackendSpec, Weights
from visionrouter.backends.licences import licence_of
from visionrouter.backends.memory import enough_memory
from visionrouter.backends.stored import StoredBackend
from visionrouter.schema.errors import WeightsError
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


class CheckpointBackend(StoredBackend):
    """A backend over one folder of weights.

    A subclass says in `describe` what a folder's configuration makes of the spec, opens it in `open` and answers in
    `answer`.
    """

    patterns: tuple[str, ...] = ("*.json", "*.txt", "*.model", *WEIGHTS)
    """Which files of a hub repository are its own: code and pickles are not."""

    def __init__(self, spec: BackendSpec, origin: Origin, **beside: Weights) -> None:
        """`beside`: what else it reads, by role; the licence is that of the origin."""
        self.origin = origin
        super().__init__(
            spec,
            {"weights": Weights(origin.source, origin.revision, self.patterns), **beside},
            device=origin.device,
            precision=origin.precision,
            licence=origin.licence or licence_of(origin.source),
        )

    @abstractmethod
    def describe(self, folder: Path) -> Mapping[str, Any]:
        """Fields of the spec that the folder decides. Raises `WeightsError` for a folder of another family."""

    @abstractmethod
    def open(self, folder: Path, device: Any, dtype: Any) -> Any:
        """Read the weights. Raises `WeightsError` where they are not those of the architecture."""

    @abstractmethod
    def answer(self, model: Any, queries: Sequence[Query]) -> list[Prediction]: ...

    def told(self, folders: Mapping[str, Path]) -> Mapping[str, Any]:
        return self.describe(folders["weights"])

    def assemble(self, folders: Mapping[str, Path]) -> Any:
        return self.open(folders["weights"], *self.placed())

    def answers(self, model: Any, queries: Sequence[Query]) -> list[Prediction]:
        import torch

        with enough_memory(self.spec.name, len(queries)), torch.inference_mode():
            return self.answer(model, queries)


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
