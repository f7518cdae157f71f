"""The grammar of several things: "the dog and the cat", "cars, buses and trucks", "a cat or a dog".

    things = thing { (, | and | ;) thing }

Neighbours may share words: in "the red car and truck" the truck may be red, in "the dog and the cat on the sofa" the dog
may be on it. Both readings are given, so that the caller can refuse to choose. A semicolon shares nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from visionrouter.instruction import lexicon
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.thing import Thing, colours_first, in_order, is_worn
from visionrouter.instruction.things import Things
from visionrouter.schema.task import RelationKind

Listed = tuple[tuple[Thing, ...], int]
"""Things, and the token after them."""
_Sequence = tuple[tuple[Thing, ...], tuple[str, ...], int]  # with the separators between them


class Lists:
    """Readings of lists of things in the tokens of `reader`."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.things = Things(reader)
        self._lists: dict[int, list[Listed]] = {}

    def at(self, i: int) -> list[Listed]:
        """Every reading of a list of things at token `i`."""
        if i not in self._lists:
            self._lists[i] = [
                (reading, end)
                for things, separators, end in self._with_both(i)
                for reading in _readings(things, separators)
            ]
        return self._lists[i]

    def choices(self, i: int) -> Iterator[Listed]:
        """ "a cat, a dog or a bird": plain things of which one will be right."""
        for thing in self.things.at(i, modified=False):
            yield (thing,), thing.end
            j = thing.end + (self.reader.word(thing.end) == ",")
            j += self.reader.word(j) in ("or", "and", "vs", "versus", "/")
            if j > thing.end:
                for rest, end in self.choices(j):
                    yield (thing, *rest), end

    def described(self, i: int) -> Iterator[Listed]:
        """One thing with what is said of it: "dogs are on the sofa"."""
        for thing in self.things.described(i):
            yield (thing,), thing.end

    def _with_both(self, i: int) -> Iterator[_Sequence]:
        """ "both dogs" are two dogs, "both the dog and the cat" one of each"""
        both = self.reader.word(i) == "both"
        yield from (said for said in self._sequences(i) if not both or len(said[0]) == 1)
        if both:
            yield from (said for said in self._sequences(i + 1) if len(said[0]) == 2)

    def _sequences(self, i: int) -> Iterator[_Sequence]:
        for thing in self.things.at(i):
            yield (thing,), (), thing.end
            separator = self.reader.take(lexicon.SEPARATOR, thing.end)
            if separator is None:
                continue
            kind, j = separator
            for rest, separators, end in self._sequences(j):
                self.reader.spend()
                if kind == "hard" or not _is_worn_by(thing, rest[0]):
                    yield (thing, *rest), (kind, *separators), end


def _readings(things: tuple[Thing, ...], separators: tuple[str, ...]) -> set[tuple[Thing, ...]]:
    shared = (things, _share_adjectives(things, separators), _share_modifiers(things, separators))
    return {_share_determiner(reading, separators) for reading in shared}


def _share_determiner(things: tuple[Thing, ...], separators: tuple[str, ...]) -> tuple[Thing, ...]:
    """ "the dog and cat": the cat too."""
    shared = [things[0]]
    for separator, thing in zip(separators, things[1:], strict=True):
        before, own = shared[-1], thing.own
        single = before.determiner in ("the", "a") and not before.many and not before.own.plural
        if separator == "soft" and single and not (thing.determiner or own.plural or own.number):
            target = replace(thing.target, number="one" if before.determiner == "the" else 1)
            shared.append(replace(thing, target=target, determiner=before.determiner))
        else:
            shared.append(thing)
    return tuple(shared)


def _share_adjectives(things: tuple[Thing, ...], separators: tuple[str, ...]) -> tuple[Thing, ...]:
    """ "red cars and trucks": the trucks are red too."""
    shared = [things[0]]
    for separator, thing in zip(separators, things[1:], strict=True):
        before = shared[-1]
        own, given = thing.own, before.own
        bare = not (thing.determiner or own.attributes or own.relations or own.number)
        if separator == "soft" and bare and not before.after and (given.attributes or given.relations):
            target = replace(
                thing.target,
                attributes=colours_first(given.attributes + thing.target.attributes),
                relations=in_order(given.relations + thing.target.relations),
                number=thing.target.number if own.plural else before.target.number,
            )
            shared.append(replace(thing, target=target, own=replace(own, attributes=given.attributes)))
        else:
            shared.append(thing)
    return tuple(shared)


def _share_modifiers(things: tuple[Thing, ...], separators: tuple[str, ...]) -> tuple[Thing, ...]:
    """ "the dog and the cat on the sofa": both are on the sofa."""
    last = things[-1]
    states = tuple(a for a in last.target.attributes if a not in last.own.attributes)
    worn = any(r.kind is RelationKind.WITH and r.anchor and is_worn(r.anchor.noun) for r in last.after)
    if worn or not (last.after or states):
        return things
    shared = list(things)
    for place in range(len(things) - 2, -1, -1):
        if separators[place] == "hard" or shared[place].after:
            break
        target = shared[place].target
        relations, attributes = (
            in_order(target.relations + last.after),
            colours_first(target.attributes + states),
        )
        target = replace(target, relations=relations, attributes=attributes)
        shared[place] = replace(shared[place], target=target, after=last.after)
    return tuple(shared)


def _is_worn_by(thing: Thing, following: Thing) -> bool:
    """ "a man with a hat" and "a scarf": the second is worn by the first."""
    wears = bool(thing.after) and thing.after[-1].kind is RelationKind.WITH
    return wears and following.determiner != "the" and not following.after and is_worn(following.target.noun)
