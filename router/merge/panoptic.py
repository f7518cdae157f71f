"""One picture of things and stuff: every pixel belongs to at most one of them (Kirillov et al. 2019, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visionrouter.schema.arrays import Bool, Record
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import Segmentation


@dataclass(frozen=True, slots=True, eq=False)
class Panoptic(Record):
    """`things`: disjoint instances, in the order given. `stuff`: classes where no thing is. `dropped`: the places, among
    the instances given, of those that lost too many of their pixels."""

    things: Segmentation
    stuff: Segmentation
    dropped: tuple[int, ...] = ()


def paint(things: Segmentation, stuff: Segmentation | None = None, *, least_kept: float = 0.5) -> Panoptic:
    """Lay instances down by descending score, each on what is still free, and `stuff` under them.

    A thing that keeps less than `least_kept` of its pixels is dropped and leaves them to those below. An instance whose
    label is a class of `stuff` too is a thing: the class keeps only what no instance holds. Raises `SchemaError` where
    sizes or modes do not fit.
    """
    size = things.masks.shape[1:]
    if things.mode == "semantic" or (stuff is not None and stuff.mode != "semantic"):
        raise SchemaError("paint takes instances on top and semantic masks below")
    if stuff is None:
        stuff = Segmentation(np.zeros((0, *size), np.bool_), np.zeros(0, np.float32), (), "semantic")
    if stuff.masks.shape[1:] != size:
        raise SchemaError(f"things are {size}, stuff is {stuff.masks.shape[1:]} (height, width)")
    taken: Bool = np.zeros(size, np.bool_)
    painted: dict[int, Bool] = {}
    for i in np.argsort(-things.scores, kind="stable"):
        mask = things.masks[i]
        free = mask & ~taken
        if mask.any() and free.sum() >= least_kept * mask.sum():
            painted[int(i)] = free
            taken |= free
    kept = sorted(painted)
    masks = np.array([painted[i] for i in kept], np.bool_).reshape(-1, *size)
    return Panoptic(
        Segmentation(masks, things.scores[kept], tuple(things.labels[i] for i in kept), things.mode),
        Segmentation(stuff.masks & ~taken, stuff.scores, stuff.labels, "semantic"),
        tuple(i for i in range(len(things)) if i not in painted),
    )
