"""Backends whose weights are a diffusers pipeline in a folder that a hub id or a path names."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from visionrouter.backends import hub
from visionrouter.backends.base import Backend, BackendSpec, Weights
from visionrouter.backends.licences import licence_of
from visionrouter.backends.memory import enough_memory
from visionrouter.backends.placement import Precision, place
from visionrouter.backends.weights import combined_digest
from visionrouter.schema.errors import BackendError, MissingExtraError, WeightsError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

EXTRA = "diffusers"
REQUIRES = ("diffusers", "torch", "transformers", "safetensors")
PATTERNS = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
"""The files of a hub repository that are read: neither code nor pickles."""


class DiffusersBackend(Backend):
    """A backend over one pipeline, and over parts of it that lie elsewhere.

    It is made without reading weights and without any library; what cannot be found is told by `unavailable` and raised
    by `load`. A subclass opens the folders in `open` and answers one query in `answer`.
    """

    def __init__(
        self,
        spec: BackendSpec,
        sources: Mapping[str, str | None],
        *,
        revision: str | None,
        device: str | None,
        precision: str | None,
        licence: str | None,
    ) -> None:
        """`sources`: the pipeline under "pipeline", other parts by role; each a hub id or a path. `revision`: of the
        pipeline's repository. `licence`: the weights' own, where the table of licences does not know them."""
        self.spec = spec
        self._sources = {role: source for role, source in sources.items() if source is not None}
        self._revision = revision
        self._device = device
        self._precision = precision
        self._opened: Any = None
        self._folders: dict[str, Path] = {}
        self._missing: BackendError | None = None
        stated = dict.fromkeys(licence_of(source) for source in self._sources.values())
        self.spec = replace(spec, licence=licence or " AND ".join(stated))
        try:
            self._find()
        except BackendError as error:
            self._missing = error

    @abstractmethod
    def open(self, folders: Mapping[str, Path]) -> Any:
        """Read the weights of each role. Raises `WeightsError`."""

    @abstractmethod
    def answers(self, opened: Any, queries: Sequence[Query]) -> list[Prediction]:
        """Answer queries of declared tasks with what `open` gave."""

    def placed(self, half: Precision) -> tuple[torch.device, torch.dtype]:
        """Where to run, and in which precision; `half` off the CPU where the user leaves it open."""
        return place(self._device, self._precision, half=half)

    def sources(self) -> tuple[Weights, ...]:
        return tuple(
            Weights(source, self._revision_of(role), PATTERNS) for role, source in self._sources.items()
        )

    def unavailable(self) -> str | None:
        return super().unavailable() or (str(self._missing) if self._missing is not None else None)

    def load(self) -> None:
        self._loaded()

    def close(self) -> None:
        self._opened = None

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        for query in queries:
            if query.task not in self.spec.tasks:
                raise BackendError(f"{self.spec.name} does not do {query.task}; route it to another backend")
        return self.answers(self._loaded(), queries)

    def _find(self) -> Mapping[str, Path]:
        """The folders of weights, with the spec made to tell them."""
        if not self._folders:
            folders = {
                role: hub.resolve(
                    source,
                    revision=self._revision_of(role),
                    patterns=PATTERNS,
                    extra=EXTRA,
                )
                for role, source in self._sources.items()
            }
            digests = {role: found for role, folder in folders.items() if (found := hub.digest(folder))}
            size = sum(hub.size(folder) for folder in folders.values())
            self.spec = replace(
                self.spec,
                weights_digest=digests["pipeline"]
                if digests.keys() == {"pipeline"}
                else combined_digest(digests)
                if digests
                else None,
                weights_bytes=size,
                memory_mb=int(size / 1e6 * 1.2),
            )
            self._folders, self._missing = folders, None
        return self._folders

    def _revision_of(self, role: str) -> str | None:
        return self._revision if role == "pipeline" else None

    def _loaded(self) -> Any:
        if self._opened is None:
            with required(self.spec.name):
                for module in self.spec.requires:
                    import_module(module)
            folders = self._find()
            with enough_memory(self.spec.name, 0):
                self._opened = self.open(folders)
        return self._opened


@contextmanager
def required(name: str) -> Iterator[None]:
    """Turn a failed import into `MissingExtraError`."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(f"{name} needs {error.name}; pip install 'visionrouter[{EXTRA}]'") from error


def pipeline_class(folder: Path, known: Mapping[str, T], name: str) -> tuple[str, T]:
    """The class a folder's pipeline is of, and what `known` says of it. Raises `WeightsError` for any other."""
    index = folder / "model_index.json"
    try:
        found = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    except (OSError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{name}: {folder} holds no readable model_index.json; it must be a pipeline in diffusers' layout"
        ) from error
    if found not in known:
        raise WeightsError(
            f"{name}: {folder} holds a {found}; this backend loads {', '.join(known)}: name another source or "
            "another backend"
        )
    return str(found), known[found]


def read_pipeline(
    name: str, cls: str, folder: Path, device: torch.device, dtype: torch.dtype, **parts: Any
) -> Any:
    """A pipeline of diffusers' class `cls` on `device`, silent. No code of the folder runs, no pickle is read.

    Raises `WeightsError` where files are missing, damaged, of another shape than their configuration says, or leave a
    weight unset.
    """
    import diffusers

    with quiet(), tell_broken(name, folder, cls):
        texts = _transformers_parts(name, folder, dtype, skip=parts)
        pipeline = getattr(diffusers, cls).from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, **texts, **parts
        )
    for role, part in pipeline.components.items():
        if any(weight.is_meta for weight in getattr(part, "parameters", tuple)()):
            raise WeightsError(_unset(name, folder / role, "some"))
    pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _transformers_parts(
    name: str, folder: Path, dtype: torch.dtype, skip: Mapping[str, Any]
) -> dict[str, Any]:
    """The text encoders, read apart: within a pipeline, transformers would fill a weight that is missing with noise."""
    import transformers

    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    found = {}
    for role, where in index.items():
        if role in skip or not isinstance(where, list) or where[0] != "transformers":
            continue
        cls: Any = getattr(transformers, where[1], None)
        is_model = isinstance(cls, type) and issubclass(cls, transformers.PreTrainedModel)
        if not is_model:
            continue
        found[role], report = cls.from_pretrained(
            folder / role, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        if missing := sorted(report["missing_keys"]):
            raise WeightsError(_unset(name, folder / role, missing[0]))
    return found


def _unset(name: str, folder: Path, which: str) -> str:
    return f"{name}: {folder} lacks weights of its model ({which}); it was cut short or is another's, fetch it anew"


def read_model(name: str, cls: str, folder: Path, dtype: torch.dtype) -> Any:
    """One model of a pipeline, such as an autoencoder, from a folder of its own. Raises `WeightsError`."""
    import diffusers

    with quiet(), tell_broken(name, folder, cls):
        return getattr(diffusers, cls).from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True
        )


@contextmanager
def tell_broken(name: str, folder: Path, what: str) -> Iterator[None]:
    """Turn what a library raises on files it cannot use into `WeightsError`."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        if "memory" in str(error):
            raise
        raise WeightsError(
            f"{name}: {folder} does not load as {what} ({_first_line(error)}); fetch it anew, or name another source"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else 'no detail'}"


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back the libraries' progress bars and advice while weights are read."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    logs = (diffusers_log, transformers_log)
    before = [(log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, (verbosity, bars) in zip(logs, before, strict=True):
            log.set_verbosity(verbosity)
            if bars:
                log.enable_progress_bar()
