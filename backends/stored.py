"""Backends whose weights lie in folders that hub ids or paths name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionrouter.backends import hub
from visionrouter.backends.base import Backend, BackendSpec, Weights
from visionrouter.backends.libraries import require, required
from visionrouter.backends.licences import licence_of
from visionrouter.backends.memory import enough_memory
from visionrouter.backends.placement import Precision, place
from visionrouter.backends.tasks import check_task
from visionrouter.backends.weights import combined_digest
from visionrouter.schema.errors import BackendError, MissingExtraError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

if TYPE_CHECKING:
    import torch


class StoredBackend(Backend):
    """A backend over weights by role, which are looked for when it is made and read when it is loaded.

    Without them (they were never fetched) it is made all the same: `unavailable` says what to do, and `load` raises that.
    No library is needed before it is loaded. A subclass reads the folders in `assemble` and answers in `answers`.
    """

    def __init__(
        self,
        spec: BackendSpec,
        weights: Mapping[str, Weights],
        *,
        device: str | None,
        precision: str | None,
        licence: str | None,
    ) -> None:
        """`device` and `precision`: see `visionrouter.backends.placement`. `licence`: the weights' own, where the table
        of licences does not know them."""
        self._roles = dict(weights)
        self._device = device
        self._precision = precision
        self._model: Any = None
        self._folders: dict[str, Path] = {}
        self._missing: BackendError | None = None
        stated = dict.fromkeys(licence_of(each.source) for each in self._roles.values())
        self.spec = replace(spec, licence=licence or " AND ".join(stated))
        try:
            self._find()
        except BackendError as error:
            self._missing = error

    @abstractmethod
    def told(self, folders: Mapping[str, Path]) -> Mapping[str, Any]:
        """Fields of the spec that the folders decide. Raises `WeightsError` for weights of another family."""

    @abstractmethod
    def assemble(self, folders: Mapping[str, Path]) -> Any:
        """The model, read from the folder of each role. Raises `WeightsError`."""

    @abstractmethod
    def answers(self, model: Any, queries: Sequence[Query]) -> list[Prediction]:
        """Answer queries of declared tasks with what `assemble` gave."""

    def placed(self, half: Precision = "float16") -> tuple[torch.device, torch.dtype]:
        """Where to run, and in which precision; `half` off the CPU where the user leaves it open."""
        return place(self._device, self._precision, half=half)

    def sources(self) -> tuple[Weights, ...]:
        return tuple(self._roles.values())

    def unavailable(self) -> str | None:
        return super().unavailable() or (str(self._missing) if self._missing is not None else None)

    def load(self) -> None:
        self._loaded()

    def close(self) -> None:
        self._model = None

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        for query in queries:
            check_task(self.spec, query)
        return self.answers(self._loaded(), queries)

    def _find(self) -> Mapping[str, Path]:
        """The folders of weights, with the spec made to tell them."""
        if not self._folders:
            folders = {
                role: hub.resolve(
                    each.source, revision=each.revision, patterns=each.patterns, extra=self.spec.extra
                )
                for role, each in self._roles.items()
            }
            digests = {role: found for role, folder in folders.items() if (found := hub.digest(folder))}
            size = sum(hub.size(folder) for folder in folders.values())
            fields = {
                "weights_digest": _one(digests),
                "weights_bytes": size,
                "memory_mb": max(self.spec.memory_mb, int(size / 1e6 * 1.2)),
            }
            self.spec = replace(self.spec, **{**fields, **self.told(folders)})
            self._folders, self._missing = folders, None
        return self._folders

    def _loaded(self) -> Any:
        if self._model is None:
            if lacks := self.uninstalled():
                raise MissingExtraError(f"{self.spec.name}: {lacks}")
            for module in self.spec.requires:
                require(module, self.spec.name, self.spec.extra or "all")
            folders = self._find()
            with enough_memory(self.spec.name, 0), required(self.spec.name, self.spec.extra or "all"):
                self._model = self.assemble(folders)
        return self._model


def _one(digests: Mapping[str, str]) -> str | None:
    """A single digest as it is, several as one; None for none."""
    if len(digests) > 1:
        return combined_digest(digests)
    return next(iter(digests.values()), None)
