"""A `.pt` of ultralytics as a folder that holds no pickle: its architecture as yaml, its weights as safetensors.

    python -m visionrouter.backends.specialist.yolo.convert FILE.pt FOLDER

Unpickling runs what the library's restricted reader lets through: convert only files whose maker you trust.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.yolo.network import ARCHITECTURE, EXTRA, names_of, tasks
from visionrouter.schema.errors import VisionRouterError, WeightsError


def convert(checkpoint: Path, folder: Path) -> None:
    """Write `model.yaml` and `model.safetensors` into `folder`. Raises `WeightsError`."""
    if not checkpoint.is_file():
        raise WeightsError(f"{checkpoint}: no such file")
    with tasks("yolo") as library:
        read, _ = library.torch_safe_load(str(checkpoint), safe_only=True)
    model = (read.get("ema") or read["model"]).float()
    write(model, names_of(model.names), folder)


def write(model: Any, names: Sequence[str], folder: Path) -> None:
    """A network of the library's, and its classes in order, as a folder that the backend reads."""
    import yaml

    files = require("safetensors.torch", "yolo", EXTRA)
    architecture = {k: v for k, v in model.yaml.items() if k not in ("yaml_file", "ch")}
    architecture["names"] = list(names)
    state = {key: value.contiguous().clone() for key, value in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARCHITECTURE).write_text(yaml.safe_dump(architecture, sort_keys=False), "utf-8")
    files.save_file(state, folder / "model.safetensors")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: python -m {__spec__.name if __spec__ else 'convert'} FILE.pt FOLDER")
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except VisionRouterError as error:
        sys.exit(str(error))
