"""The photos and golden outputs that backends are tested on."""

import functools
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Params of a backend of the real architecture at tiny size, by its registered name; made once."""
    import tiny_pipelines
    import tiny_specialists

    builders = {**tiny_specialists.BUILDERS, **tiny_pipelines.BUILDERS, **tiny_pipelines.FURTHER}

    @functools.cache
    def params(name: str) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp(name)
        with _without_warnings():
            more = builders[name](folder)
        given = {"source": str(folder), "device": "cpu", **more}
        return {key: value for key, value in given.items() if value is not None}

    return params


@contextmanager
def _without_warnings() -> Iterator[None]:
    """The libraries warn of their own deprecations while they build."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Read a golden output by its name without the ending."""
    return lambda name: json.loads((_DATA / "golden" / f"{name}.json").read_text())
