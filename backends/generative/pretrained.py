"""Backends whose weights are a diffusers pipeline in a folder that a hub id or a path names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from visionrouter.backends.base import BackendSpec, Weights
from visionrouter.backends.stored import StoredBackend
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.errors import WeightsError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

EXTRA = "diffusers"
REQUIRES = ("diffusers", "torch", "transformers", "safetensors")
PATTERNS = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
"""The files of a hub repository that are read: neither code nor pickles."""
ANEW = "fetch it anew, or name another source"


class DiffusersBackend(StoredBackend):
    """A backend over one pipeline, under the role "pipeline", and over parts of it that lie elsewhere."""

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
        weights = {
            role: Weights(source, revision if role == "pipeline" else None, PATTERNS)
            for role, source in sources.items()
            if source is not None
        }
        super().__init__(spec, weights, device=device, precision=precision, licence=licence)


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

    with quiet(), tell_broken(f"{name}: {folder} does not load as {cls}", ANEW):
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

    with quiet(), tell_broken(f"{name}: {folder} does not load as {cls}", ANEW):
        return getattr(diffusers, cls).from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True
        )


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
