"""What to call one thing of a picture so that no other is meant; and what is not in the picture at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visionrouter.benchmarks.labelled.picture import Picture, Thing, Words
from visionrouter.schema.arrays import Bool
from visionrouter.schema.task import Relation, RelationKind, Target

ABSENT_SHARE = 0.15
"""Share of targets that are not in the picture."""
PLACE_MARGIN = 0.04
"""Least difference of place, as a share of the width, between the leftmost thing and the next."""
DEPTH_MARGIN = 1.15
"""Least ratio of distances between the nearest thing and the next."""


def refer(picture: Picture, words: Words, rng: np.random.Generator) -> tuple[Target, Bool] | None:
    """A target and the union of the masks it means, empty where it is absent; None where nothing can be said."""
    if not picture.clear or rng.random() < ABSENT_SHARE:
        target = absent(picture, words, rng)
        return target and (target, np.zeros(picture.pixels.shape[:2], np.bool_))
    thing = picture.clear[rng.integers(len(picture.clear))]
    alike = picture.of(thing.label)
    names = list(_names(picture, thing, alike))
    if names:
        return names[rng.integers(len(names))], thing.mask
    return Target(thing.label, thing.label), np.logical_or.reduce([t.mask for t in alike])


def absent(picture: Picture, words: Words, rng: np.random.Generator) -> Target | None:
    """A class that is not there, or a colour that no thing of a class has."""
    here = {thing.label for thing in picture.things}
    missing = [(label, ()) for label in words.things if label not in here]
    wrong = [
        (label, (colour,))
        for label in sorted(here)
        if all(thing.colour for thing in picture.of(label))
        for colour in words.colours
        if colour not in {thing.colour for thing in picture.of(label)}
    ]
    kinds: list[list[tuple[str, tuple[str, ...]]]] = [list(some) for some in (missing, wrong) if some]
    if not kinds:
        return None
    some = kinds[rng.integers(len(kinds))]
    label, attributes = some[rng.integers(len(some))]
    return Target(label, label, attributes, number="one")


def _names(picture: Picture, thing: Thing, alike: list[Thing]) -> Iterator[Target]:
    """Targets that mean one thing of a class and, by a clear margin, none of its like."""
    others = [other for other in alike if other is not thing]
    if not others:
        yield Target(thing.label, thing.label, number="one")
    if thing.colour and all(other.colour not in (None, thing.colour) for other in others):
        yield Target(thing.label, thing.label, (thing.colour,), number="one")
    if not others:
        return
    far = picture.distance_m
    if all(thing.x <= other.x - PLACE_MARGIN for other in others):
        yield _extreme(thing, RelationKind.LEFTMOST)
    if all(thing.x >= other.x + PLACE_MARGIN for other in others):
        yield _extreme(thing, RelationKind.RIGHTMOST)
    if all(DEPTH_MARGIN * far(thing) <= far(other) for other in others):
        yield _extreme(thing, RelationKind.NEAREST)
    if all(far(thing) >= DEPTH_MARGIN * far(other) for other in others):
        yield _extreme(thing, RelationKind.FARTHEST)


def _extreme(thing: Thing, kind: RelationKind) -> Target:
    return Target(thing.label, thing.label, relations=(Relation(kind),), number="one")
