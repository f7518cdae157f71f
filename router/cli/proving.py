"""Modules of the proving ground, which need the libraries of the `nano` extra, imported when a command needs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from visionrouter.schema.errors import MissingExtraError


def proving(module: str) -> ModuleType:
    """`visionrouter.benchmarks.<module>`. Raises `MissingExtraError` where a library is not installed."""
    try:
        return importlib.import_module(f"visionrouter.benchmarks.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{error.name} is not installed; pip install 'visionrouter[nano]'") from error
