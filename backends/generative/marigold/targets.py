"""What a checkpoint of intrinsics draws, by its own `target_properties`, and its pictures as the maps of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import INTRINSIC_MAPS
from visionrouter.schema.payload import INTRINSIC_NUMBERS as NUMBERS

COLOURS = tuple(name for name in INTRINSIC_MAPS if name not in NUMBERS)
GAMMA = 2.2
"""Marigold's "srgb" is this power, not the curve of IEC 61966-2-1: so its training made it, and so its evaluation undoes it."""
_IS_ENCODED: Mapping[str, bool] = {"srgb": True, "linear": False}


@dataclass(frozen=True, slots=True)
class Target:
    """One map: the place of its picture among those drawn, the channel of it for a map of numbers, None for a colour, and
    whether it is gamma encoded."""

    name: str
    picture: int
    channel: int | None
    encoded: bool

    def read(self, pictures: F32) -> F32:
        """The map, float32 (H, W) or (H, W, 3) and linear, of pictures (T, H, W, 3) in [0, 1]."""
        drawn = self.seen(pictures)
        linear: F32 = np.power(drawn, GAMMA, dtype=np.float32) if self.encoded else drawn
        return linear

    def seen(self, pictures: F32) -> F32:
        """Its part of the pictures, as it is drawn."""
        picture = pictures[self.picture]
        part: F32 = picture if self.channel is None else picture[..., self.channel]
        return part


def targets_of(properties: object) -> tuple[Target, ...]:
    """The maps that weights draw, of the `target_properties` in their model_index.json.

    A target drawn as a "stack" holds one map of numbers a channel. Raises `SchemaError` where that names no albedo, or a
    map that no answer has in this form.
    """
    if not isinstance(properties, Mapping):
        raise SchemaError("target_properties are missing")
    try:
        found = tuple(_targets(properties, properties["target_names"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise SchemaError(f"target_properties are not understood: {error}") from error
    names = [target.name for target in found]
    fits = all(t.name in (COLOURS if t.channel is None else NUMBERS) for t in found)
    if not fits or "albedo" not in names or len(set(names)) < len(names):
        raise SchemaError(
            f"target_properties name {', '.join(names) or 'nothing'}; understood are an albedo and, once each, the colours "
            f"{', '.join(COLOURS[1:])} and the numbers {', '.join(NUMBERS)}, these in a stack"
        )
    return found


def _targets(properties: Mapping[str, Any], names: Sequence[str]) -> Iterator[Target]:
    for place, name in enumerate(names):
        if _space(properties, name) != "stack":
            yield Target(name, place, None, _IS_ENCODED[_space(properties, name)])
            continue
        for channel, part in enumerate(properties[name]["sub_target_names"]):
            if part is not None:
                yield Target(part, place, channel, _IS_ENCODED[_space(properties, part)])


def _space(properties: Mapping[str, Any], name: str) -> str:
    return str(properties[name].get("prediction_space", "srgb"))
