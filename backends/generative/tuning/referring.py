"""Referring targets of a picture: things meant by name, colour, place, distance, size or a neighbour.

A target is offered only where the labels leave no doubt: a superlative must win, and a relation must hold, by a
clear margin, and everything else of that name must clearly fail it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.nano.prompts import ANCHORED, RANKED, SUPERLATIVES
from visionrouter.backends.generative.tuning.facts import Facts
from visionrouter.backends.generative.tuning.labelled import Vocabulary
from visionrouter.schema.task import Relation, RelationKind, Target

LEAST_AREA = 1 / 700
"""Share of the picture below which an object is too small to be asked for by itself."""
PLACE_MARGIN = 0.04
"""Least difference of place, as a share of the side, to call one thing left of or above another."""
DEPTH_MARGIN = 1.15
AREA_MARGIN = 1.4
ABSENT_SHARE = 0.18
"""Share of targets that are not in the picture; their mask is empty."""

Slots = frozenset[int]
Axis = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Meant:
    """A target and the regions it means; none where it is absent."""

    target: Target
    regions: frozenset[int]


class Scene:
    """One picture's facts, seen by object slot."""

    def __init__(self, facts: Facts, index: int, vocabulary: Vocabulary) -> None:
        first = vocabulary.first_object
        self.vocabulary = vocabulary
        self.first_object = first
        self.thing = facts.thing[index]
        self.colour = facts.colour[index]
        self.stuff_area = facts.area[index, 1:first]
        self.area = np.where(self.thing >= 0, facts.area[index, first:], 0)
        self.x, self.y = facts.x[index, first:], facts.y[index, first:]
        self.depth_m = facts.depth_m[index, first:]
        self.seen = np.flatnonzero(self.area > 0)
        self.clear = np.flatnonzero(self.area >= LEAST_AREA)

    def of(self, thing: int, colour: int | None = None) -> list[int]:
        """Every visible slot of a class, and of a colour where one is given."""
        return [
            int(k)
            for k in self.seen
            if self.thing[k] == thing and (colour is None or self.colour[k] == colour)
        ]

    def clear_of(self, thing: int, colour: int | None = None) -> list[int]:
        """Those that are large enough to be asked for."""
        return [k for k in self.of(thing, colour) if self.area[k] >= LEAST_AREA]

    def every_colour_named(self, thing: int) -> bool:
        """Whether each visible thing of the class has a colour one would name."""
        return all(self.colour[k] >= 0 for k in self.of(thing))

    def regions(self, slots: Iterator[int] | list[int]) -> frozenset[int]:
        return frozenset(self.first_object + k for k in slots)


def choose(scene: Scene, rng: np.random.Generator) -> Meant:
    """One referring target of a picture, absent ones included."""
    if rng.random() < ABSENT_SHARE or not (len(scene.clear) or (scene.stuff_area > 0.01).any()):
        return absent(scene, rng)
    if not len(scene.clear) or rng.random() < 0.12:
        present = np.flatnonzero(scene.stuff_area > 0.01)
        if len(present):
            stuff = int(rng.choice(present))
            name = scene.vocabulary.stuff[stuff]
            return Meant(Target(name, name, number="one"), frozenset({1 + stuff}))
        if not len(scene.clear):
            return absent(scene, rng)
    thing = int(rng.choice(np.unique(scene.thing[scene.clear])))
    options = list(about(scene, thing, rng))
    return options[rng.integers(len(options))]


def about(scene: Scene, thing: int, rng: np.random.Generator) -> Iterator[Meant]:
    """Targets of one class. Always offers at least `every <class>`."""
    noun = scene.vocabulary.things[thing]
    everyone = scene.of(thing)
    yield Meant(Target(noun, noun), scene.regions(everyone))
    colour: int | None = None
    attributes: tuple[str, ...] = ()
    named = [k for k in scene.clear_of(thing) if scene.colour[k] >= 0]
    if named and scene.every_colour_named(thing):
        colour = int(scene.colour[rng.choice(named)])
        attributes = (scene.vocabulary.colours[colour],)
        text = f"{attributes[0]} {noun}"
        yield Meant(Target(noun, text, attributes), scene.regions(scene.of(thing, colour)))
        yield from _alone(scene, noun, attributes, scene.of(thing, colour))
    yield from _alone(scene, noun, (), everyone)
    yield from _superlatives(scene, noun, (), scene.clear_of(thing))
    if colour is not None:
        yield from _superlatives(scene, noun, attributes, scene.clear_of(thing, colour))
    yield from _anchored(scene, thing, noun, rng)


def _alone(scene: Scene, noun: str, attributes: tuple[str, ...], slots: list[int]) -> Iterator[Meant]:
    """`the car` where there is one, or where the others are specks beside it."""
    if not slots:
        return
    by_area = sorted(slots, key=lambda k: -scene.area[k])
    if scene.area[by_area[0]] >= LEAST_AREA and len(slots) == 1:
        yield Meant(Target(noun, noun, attributes, number="one"), scene.regions(by_area[:1]))


def _superlatives(scene: Scene, noun: str, attributes: tuple[str, ...], slots: list[int]) -> Iterator[Meant]:
    if len(slots) < 2:
        return
    for kind in SUPERLATIVES:
        order, gap = _order(scene, kind, slots)
        ranks = (1, 2) if kind in RANKED and len(slots) > 2 else (1,)
        for rank in ranks:
            if all(gap[i] for i in range(rank)):
                relation = Relation(kind, rank=rank)
                target = Target(noun, noun, attributes, (relation,), "one")
                yield Meant(target, scene.regions([order[rank - 1]]))


def _order(scene: Scene, kind: RelationKind, slots: list[int]) -> tuple[list[int], list[bool]]:
    """Slots from the one most meant by a superlative on, and whether each stands clear of the next."""
    axis: Axis
    ratio: float | None = None
    if kind in (RelationKind.LEFTMOST, RelationKind.RIGHTMOST):
        axis = scene.x
    elif kind in (RelationKind.TOPMOST, RelationKind.BOTTOMMOST):
        axis = scene.y
    elif kind in (RelationKind.NEAREST, RelationKind.FARTHEST):
        axis, ratio = scene.depth_m, DEPTH_MARGIN
    else:
        axis, ratio = scene.area, AREA_MARGIN
    if not np.isfinite(axis[slots]).all():
        return slots, [False] * len(slots)
    falling = kind in (
        RelationKind.RIGHTMOST, RelationKind.BOTTOMMOST, RelationKind.FARTHEST, RelationKind.LARGEST
    )  # fmt: skip
    order = sorted(slots, key=lambda k: float(axis[k]), reverse=falling)
    values = [float(axis[k]) for k in order]
    gap = [
        abs(a - b) >= PLACE_MARGIN if ratio is None else max(a, b) >= ratio * min(a, b)
        for a, b in pairwise(values)
    ]
    return order, [*gap, True]


def _anchored(scene: Scene, thing: int, noun: str, rng: np.random.Generator) -> Iterator[Meant]:
    """`the cup left of the laptop`: the anchor is alone of its kind, and one cup alone fulfils the relation."""
    anchors = [
        int(k) for k in scene.clear if scene.thing[k] != thing and len(scene.of(int(scene.thing[k]))) == 1
    ]
    if not anchors:
        return
    anchor = int(rng.choice(anchors))
    slots = scene.of(thing)
    for kind in ANCHORED:
        holds, near = _TESTS[kind](scene, slots, anchor), _NEAR_MISSES[kind](scene, slots, anchor)
        meant = [k for k, yes in zip(slots, holds, strict=True) if yes]
        doubtful = any(n and not h for h, n in zip(holds, near, strict=True))
        if len(meant) == 1 and not doubtful and scene.area[meant[0]] >= LEAST_AREA:
            other = scene.vocabulary.things[int(scene.thing[anchor])]
            relation = Relation(kind, Target(other, other, number="one"))
            yield Meant(Target(noun, noun, (), (relation,), "one"), scene.regions(meant))


_Test = Callable[[Scene, list[int], int], list[bool]]


def _beside(axis: str, sign: int, margin: float) -> _Test:
    def test(scene: Scene, slots: list[int], anchor: int) -> list[bool]:
        values: Axis = getattr(scene, axis)
        return [sign * float(values[k] - values[anchor]) >= margin for k in slots]

    return test


def _depth(nearer: bool, ratio: float) -> _Test:
    def test(scene: Scene, slots: list[int], anchor: int) -> list[bool]:
        there = float(scene.depth_m[anchor])
        pairs = [
            (float(scene.depth_m[k]), there) if nearer else (there, float(scene.depth_m[k])) for k in slots
        ]
        overlap = [abs(float(scene.x[k] - scene.x[anchor])) < 0.2 for k in slots]
        return [o and bool(far >= ratio * near) for o, (near, far) in zip(overlap, pairs, strict=True)]

    return test


def _next_to(reach: float) -> _Test:
    def test(scene: Scene, slots: list[int], anchor: int) -> list[bool]:
        step = [float(np.hypot(scene.x[k] - scene.x[anchor], scene.y[k] - scene.y[anchor])) for k in slots]
        return [s <= reach for s in step]

    return test


_TESTS: dict[RelationKind, _Test] = {
    RelationKind.LEFT_OF: _beside("x", -1, PLACE_MARGIN),
    RelationKind.RIGHT_OF: _beside("x", 1, PLACE_MARGIN),
    RelationKind.ABOVE: _beside("y", -1, PLACE_MARGIN),
    RelationKind.BELOW: _beside("y", 1, PLACE_MARGIN),
    RelationKind.IN_FRONT_OF: _depth(True, DEPTH_MARGIN),
    RelationKind.BEHIND: _depth(False, DEPTH_MARGIN),
    RelationKind.NEXT_TO: _next_to(0.2),
}
"""Relations that surely hold."""
_NEAR_MISSES: dict[RelationKind, _Test] = {
    RelationKind.LEFT_OF: _beside("x", -1, 0),
    RelationKind.RIGHT_OF: _beside("x", 1, 0),
    RelationKind.ABOVE: _beside("y", -1, 0),
    RelationKind.BELOW: _beside("y", 1, 0),
    RelationKind.IN_FRONT_OF: _depth(True, 1),
    RelationKind.BEHIND: _depth(False, 1),
    RelationKind.NEXT_TO: _next_to(0.32),
}
"""Relations that might be said to hold."""


def absent(scene: Scene, rng: np.random.Generator) -> Meant:
    """Something that is not in the picture: a class, or a colour of a class that is there."""
    things, colours = scene.vocabulary.things, scene.vocabulary.colours
    here = np.unique(scene.thing[scene.seen]) if len(scene.seen) else np.empty(0, np.int16)
    wrong = [
        (int(t), c)
        for t in here
        if scene.every_colour_named(int(t))
        for c in range(len(colours))
        if not scene.of(int(t), c)
    ]
    attributes: tuple[str, ...]
    if wrong and rng.random() < 0.45:
        thing, colour = wrong[rng.integers(len(wrong))]
        noun, attributes = things[thing], (colours[colour],)
    else:
        missing = [t for t in range(len(things)) if t not in here]
        if not missing:
            return Meant(Target("nothing", "nothing"), frozenset())
        noun = things[int(rng.choice(missing))]
        attributes = (colours[rng.integers(len(colours))],) if colours and rng.random() < 0.3 else ()
    relations: tuple[Relation, ...] = ()
    if rng.random() < 0.25:
        kinds = tuple(SUPERLATIVES)
        relations = (Relation(kinds[rng.integers(len(kinds))]),)
    number = "one" if relations or rng.random() < 0.5 else "all"
    text = " ".join([*attributes, noun])
    return Meant(Target(noun, text, attributes, relations, "one" if number == "one" else "all"), frozenset())
