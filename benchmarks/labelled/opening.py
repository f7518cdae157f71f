"""From a word to a source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from visionrouter.benchmarks.labelled.item import Source, Split
from visionrouter.schema.errors import MissingExtraError, RequestError

SPECS = "town, scenes, scenes:WORLD, coco:DIR or depth:DIR"


def open_source(spec: str, split: Split = "calibration") -> Source:
    """The source that `spec` names, one split of it.

    "town": plain streets, the embedded nano backbone's home ground. "scenes": the four richer worlds, or one of them
    ("scenes:street"). "coco:DIR", "depth:DIR": folders, see `coco` and `depth`. Raises `RequestError` for anything else
    and `MissingExtraError` where rendering lacks its library.
    """
    kind, _, rest = spec.partition(":")
    if spec == "town" or kind == "scenes":
        return _rendered(spec, rest, split)
    if kind not in ("coco", "depth") or not rest:
        raise RequestError(f"unknown source {spec!r}; give {SPECS}")
    opened: Callable[[Path, Split], Source]
    if kind == "coco":
        from visionrouter.benchmarks.labelled.coco import coco_folder as opened
    else:
        from visionrouter.benchmarks.labelled.depth import depth_folder as opened
    return opened(Path(rest).expanduser(), split)


def _rendered(spec: str, world: str, split: Split) -> Source:
    try:
        from visionrouter.benchmarks.labelled.rendered import RenderedSource, proving_ground, town_world
        from visionrouter.benchmarks.scenes import WORLDS
    except ImportError as error:
        raise MissingExtraError(f"{spec} needs {error.name}; pip install 'visionrouter[nano]'") from error
    if spec == "town":
        return RenderedSource(spec, town_world(), split)
    if world and world not in WORLDS:
        raise RequestError(f"unknown world {world!r} in {spec!r}; choose one of {', '.join(WORLDS)}")
    return RenderedSource(spec, proving_ground(world or "mixed"), split)
