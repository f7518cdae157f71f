"""MobileCLIP's text half (Vasu et al. 2024, arXiv 2311.17049), from a folder in open_clip's layout."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.checkpoint import read_config
from visionrouter.backends.specialist.yolo.network import EXTRA
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.errors import WeightsError

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
FILES = (CONFIG, WEIGHTS, "*.json", "*.txt")


def check(folder: Path, name: str) -> None:
    """Raises `WeightsError` where a folder is not in open_clip's layout, or its words need another repository."""
    if folder.is_file():
        raise WeightsError(
            f"{name}: {folder} is a file; text_source is a folder of {CONFIG} and {WEIGHTS}, as "
            "apple/MobileCLIP-B-LT-OpenCLIP has it: a TorchScript encoder is a program and is not read"
        )
    config = read_config(folder, CONFIG).get("model_cfg", {})
    if not isinstance(config.get("text_cfg"), dict) or "hf_model_name" in config["text_cfg"]:
        raise WeightsError(f"{folder / CONFIG}: describes no MobileCLIP; name another text_source")
    if not (folder / WEIGHTS).is_file():
        raise WeightsError(f"{folder}: holds no {WEIGHTS}; fetch it, a pickle is not read")


def read(folder: Path, name: str, device: Any, numbers: int) -> Callable[[list[str]], Any]:
    """What makes unit vectors (N, `numbers`) of words. Raises `WeightsError` where the folder's have another length."""
    library = require("open_clip", name, EXTRA)
    torch = require("torch", name, EXTRA)
    found = read_config(folder, CONFIG)["model_cfg"].get("embed_dim")
    if found != numbers:
        raise WeightsError(
            f"{folder}: makes {found} numbers of a word and the network takes {numbers}; name another text_source"
        )
    where = f"local-dir:{folder}"
    broken = tell_broken(f"{folder}: does not load in open_clip", "fetch it anew")
    with broken, _root_logger_left_alone(), torch.random.fork_rng(devices=[]):
        model = library.create_model(where, precision="fp32", device="cpu").eval()
        tokenizer = library.get_tokenizer(where)
    model.visual = None
    model.to(device)
    return lambda words: model.encode_text(tokenizer(words).to(device), normalize=True)


@contextmanager
def _root_logger_left_alone() -> Iterator[None]:
    """open_clip logs to the root logger, which would configure itself for the whole process."""
    root, silent = logging.getLogger(), logging.NullHandler()
    root.addHandler(silent)
    try:
        yield
    finally:
        root.removeHandler(silent)
