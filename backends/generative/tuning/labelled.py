"""Labelled pictures: what any source of training data delivers, whatever it was rendered or annotated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from visionrouter.schema.task import Task

TASKS = (Task.DEPTH, Task.NORMALS, Task.SEMANTIC, Task.REFERRING, Task.INSTANCE, Task.POSE)
"""The tasks that are tuned; their order is the order of task indices."""
UNLABELLED = 0
"""Region of pixels that belong to no named stuff and to no object."""


@dataclass(frozen=True)
class Vocabulary:
    """Names behind the indices. A region is 0 (unlabelled), 1 + i for `stuff[i]`, or 1 + len(stuff) + k for the
    object in slot k of its picture."""

    stuff: tuple[str, ...]
    things: tuple[str, ...]
    colours: tuple[str, ...]
    slots: int

    @property
    def first_object(self) -> int:
        """Region of slot 0."""
        return 1 + len(self.stuff)

    @property
    def regions(self) -> int:
        """Number of region values."""
        return self.first_object + self.slots


@dataclass(frozen=True)
class Labelled:
    """A batch of pictures of one size with their labels; every tensor has the picture as its first axis."""

    rgb: Tensor
    """(B, 3, H, W) uint8 sRGB"""
    depth_m: Tensor
    """(B, H, W) float16, z-depth in metres; +inf at sky, NaN where unknown"""
    normals: Tensor
    """(B, 3, H, W) int8, 127 times the unit vector (+x right, +y up, +z to the viewer); zero where there is none"""
    region: Tensor
    """(B, H, W) uint8, see `Vocabulary`"""
    thing: Tensor
    """(B, K) int16 index into `Vocabulary.things`, -1 for an empty slot"""
    colour: Tensor
    """(B, K) int16 index into `Vocabulary.colours`, -1 where no colour would be named"""
    keypoints: Tensor
    """(B, K, 17, 3) float32 x, y in pixels and v in COCO-17 order; v: 0 unlabelled, 1 hidden, 2 visible"""
    answers: Tensor
    """(B, len(TASKS)) bool: which tasks these labels can answer"""

    def __len__(self) -> int:
        return len(self.rgb)

    def __getitem__(self, index: slice | Tensor) -> Self:
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Labelled]) -> Labelled:
        """Several batches as one."""
        return cls(**{f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)})

    def to(self, device: torch.device | str) -> Self:
        """The same batch on another device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})


class Source(Protocol):
    """Where labelled pictures come from. The same `start` and `count` always give the same pictures."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    def __len__(self) -> int:
        """Number of pictures to be had; a renderer gives a very large number."""

    def pictures(self, start: int, count: int, size: int, device: torch.device) -> Labelled:
        """Pictures [start, start + count), square of `size` pixels, on a device."""
