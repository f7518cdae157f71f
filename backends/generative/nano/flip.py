"""Does a drawing agree with the drawing of the mirrored image? A second opinion of the model on itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from visionrouter.backends.generative.asks import Ask
from visionrouter.backends.generative.codecs.palette import nearest_colours
from visionrouter.backends.generative.nano import codes
from visionrouter.schema.arrays import U8
from visionrouter.schema.palette import BLACK
from visionrouter.schema.request import Query
from visionrouter.schema.task import Relation, RelationKind, Target, Task

_MIRRORED = {
    RelationKind.LEFTMOST: RelationKind.RIGHTMOST,
    RelationKind.RIGHTMOST: RelationKind.LEFTMOST,
    RelationKind.LEFT_OF: RelationKind.RIGHT_OF,
    RelationKind.RIGHT_OF: RelationKind.LEFT_OF,
}
_DEPTH_RATIO = 1.25
_FAR_M = 80.0
"""Depths beyond are the same: the code hardly tells them apart."""
_INK = 128
_COS_LEAST = np.cos(np.radians(22.5))


def mirrored(query: Query) -> Query:
    """A query with left and right exchanged in its words."""
    return replace(query, targets=tuple(_mirrored_target(target) for target in query.targets))


def _mirrored_target(target: Target) -> Target:
    relations = tuple(
        Relation(_MIRRORED.get(r.kind, r.kind), r.anchor and _mirrored_target(r.anchor), r.rank)
        for r in target.relations
    )
    return replace(target, relations=relations)


def disagreement(task: Task, asks: Sequence[Ask], drawings: Sequence[U8], of_mirrored: Sequence[U8]) -> float:
    """Share in [0, 1] on which drawings, uint8 (h, w, 3), and those of the mirrored image, turned back, differ; the
    greatest of several. Depth differs by more than 25 %, normals by more than 22.5 degrees, classes at all; of what is
    drawn on black it is 1 - IoU."""
    return max(
        _differ(task, ask, drawing, other)
        for ask, drawing, other in zip(asks, drawings, of_mirrored, strict=True)
    )


def _differ(task: Task, ask: Ask, drawing: U8, other: U8) -> float:
    if task is Task.DEPTH:
        a, b = (codes.DEPTH.decode(each).values.clip(0.1, _FAR_M) for each in (drawing, other))
        return float((np.maximum(a / b, b / a) > _DEPTH_RATIO).mean())
    if task is Task.NORMALS:
        a, b = (each.astype(np.float32) / 127.5 - 1 for each in (drawing, other))
        surface = (np.linalg.norm(a, axis=-1) > 0.5) & (np.linalg.norm(b, axis=-1) > 0.5)
        a, b = (codes.NORMALS.decode(each).values[surface] for each in (drawing, other))
        return float(((a * b * (-1, 1, 1)).sum(-1) < _COS_LEAST).mean()) if surface.any() else 0.0
    if task is Task.SEMANTIC:
        colours = (BLACK, *(entry.rgb for entry in ask.palette))
        return float((nearest_colours(drawing, colours)[0] != nearest_colours(other, colours)[0]).mean())
    a, b = (each.max(-1) >= _INK for each in (drawing, other))
    return 1 - float((a & b).sum() / max(1, (a | b).sum())) if (a | b).any() else 0.0
