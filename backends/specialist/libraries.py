"""Libraries that only some backends need, imported when a backend loads."""

from __future__ import annotations

import importlib
from types import ModuleType

from visionrouter.schema.errors import MissingExtraError


def require(module: str, backend: str, extra: str) -> ModuleType:
    """Import `module`, or raise `MissingExtraError` naming the pip extra that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{backend} needs {module.partition('.')[0]} ({error}); pip install 'visionrouter[{extra}]'"
        ) from error
