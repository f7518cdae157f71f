"""Libraries that only some backends need, imported when a backend loads."""

from __future__ import annotations

import importlib
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
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{backend} needs {module.partition('.')[0]} ({error}); pip install 'visionrouter[{extra}]'"
        ) from error
    finally:
        PIL.Image.open = opener
