"""Libraries that only some backends need, imported when a backend loads."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from visionrouter.schema.errors import MissingExtraError


def require(module: str, backend: str, extra: str) -> ModuleType:
    """Import `module`, or raise `MissingExtraError` naming the pip extra that installs it.

    Pillow opens images as before: ultralytics puts a reader of its own in place, which installs a decoder for what is no
    image.
    """
    import PIL.Image

    opener = PIL.Image.open
    try:
        with required(backend, extra, module.partition(".")[0]):
            return importlib.import_module(module)
    finally:
        PIL.Image.open = opener


@contextmanager
def required(backend: str, extra: str, module: str = "another library") -> Iterator[None]:
    """Turn a failed import into `MissingExtraError` naming the pip extra, where a library imports others as it goes."""
    try:
        yield
    except ImportError as error:
        why = str(error).strip().partition("\n")[0][:200]
        raise MissingExtraError(
            f"{backend} needs {module} ({why}); pip install 'visionrouter[{extra}]'"
        ) from error
