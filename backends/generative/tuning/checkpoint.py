"""The state of a run in one safetensors file, replaced in one move, so that it is whole whenever a run is killed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from visionrouter.schema.errors import WeightsError

NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Position:
    """Where a run stands. All that is random is drawn from the run's seed and `step`, so this is the whole position,
    in the data and in every random stream."""

    step: int
    elapsed_s: float
    config: str
    """Digest of the configuration and of the data; a run never goes on with another."""


def save(folder: Path, position: Position, tensors: dict[str, Tensor]) -> None:
    """Write `checkpoint.safetensors`; the old one stays until the new one is whole on the disk."""
    partial = folder / f"{NAME}.partial"
    save_file(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        partial,
        {"position": json.dumps(asdict(position))},
    )
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(folder / NAME)


def load(folder: Path, config: str) -> tuple[Position, dict[str, Tensor]] | None:
    """The checkpoint of a folder, None where there is none yet. Raises `WeightsError` where it is another run's."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            position = Position(**json.loads(file.metadata()["position"]))
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise WeightsError(
            f"{path}: is no checkpoint of a tuning run ({error}); remove it to start anew"
        ) from error
    if position.config != config:
        raise WeightsError(
            f"{path}: belongs to a run with another configuration; give the same one or a new folder"
        )
    return position, tensors
