"""A picture with all that its labels say, of whatever source: questions are asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.payload import boxes_of

LEAST_AREA = 1 / 700
"""Share of the picture below which a thing is too small to be asked for, or to be missed."""


@dataclass(frozen=True, slots=True)
class Words:
    """The names that a source's labels use.

    `detected`: the classes that detection is asked of, each with the word a detector is expected to use. `bones`: pairs
    of joint indices.
    """

    stuff: tuple[str, ...]
    things: tuple[str, ...]
    colours: tuple[str, ...] = ()
    detected: Mapping[str, str] = field(default_factory=dict)
    joints: tuple[str, ...] = ()
    bones: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One visible object. `mask`: its visible pixels, bool (H, W). `joints`: float32 (J, 3) x, y, v as in COCO (0 not
    labelled, 1 hidden, 2 visible), None where it is nobody. `occluded`: the share of it in the frame that is hidden,
    None where that is not known."""

    label: str
    mask: Bool
    colour: str | None = None
    joints: F32 | None = None
    occluded: float | None = None

    @property
    def area(self) -> float:
        """Share of the picture."""
        return float(self.mask.mean())

    @property
    def is_clear(self) -> bool:
        return self.area >= LEAST_AREA

    @property
    def box(self) -> F32:
        """float32 (4,), tight."""
        box: F32 = boxes_of(self.mask[None])[0]
        return box

    @property
    def x(self) -> float:
        """Mean place from the left, as a share of the width."""
        return (float(np.nonzero(self.mask)[1].mean()) + 0.5) / int(self.mask.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """`pixels`: uint8 (H, W, 3). `stuff`: visible pixels by class. `depth_m`: float32 (H, W), +inf at sky, NaN unknown.
    `normals`: float32 (H, W, 3), NaN unknown. None where there are no such labels."""

    scene: str
    pixels: U8
    things: tuple[Thing, ...] = ()
    stuff: Mapping[str, Bool] = field(default_factory=dict)
    depth_m: F32 | None = None
    normals: F32 | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def clear(self) -> tuple[Thing, ...]:
        return tuple(thing for thing in self.things if thing.is_clear)

    def of(self, label: str) -> list[Thing]:
        """Every visible thing of a class."""
        return [thing for thing in self.things if thing.label == label]

    def distance_m(self, thing: Thing) -> float:
        """Median depth of a thing; NaN where it is not known."""
        if self.depth_m is None:
            return float("nan")
        depth = self.depth_m[thing.mask]
        depth = depth[np.isfinite(depth)]
        return float(np.median(depth)) if depth.size else float("nan")

    def semantic(self, labels: Sequence[str]) -> Bool:
        """bool (len(labels), H, W), disjoint: things lie on stuff, and of things the smaller on the larger."""
        index = {label: i for i, label in enumerate(labels)}
        drawn = np.full(self.pixels.shape[:2], -1, np.int32)
        for label, mask in self.stuff.items():
            drawn[mask] = index.get(label, -1)
        for thing in sorted(self.things, key=lambda t: -t.area):
            drawn[thing.mask] = index.get(thing.label, -1)
        masks: Bool = drawn[None] == np.arange(len(labels))[:, None, None]
        return masks
