"""The photos and golden outputs that backends are tested on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from visionrouter.schema.image import Image, load_image

_DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def photo() -> Callable[[str], Image]:
    """Load a photo by its name without the ending."""
    return lambda name: load_image(_DATA / "photos" / f"{name}.jpg")


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Read a golden output by its name without the ending."""
    return lambda name: json.loads((_DATA / "golden" / f"{name}.json").read_text())
