"""The grammar of one thing: "the second car from the left", "the man with a hat", "the cup that is on the table".

    thing     = [determiner] core { modifier } | the superlative of core | [determiner] core 's core { modifier }
    core      = [number] { [ordinal] superlative | adjective | colour } noun
    modifier  = place                        on the left, at the top right, in the foreground
              | [ordinal] from the edge      second from the left
              | nearest to the viewer        closest to the camera, farthest away
              | relation thing               behind the tree, with a hat
              | posture                      sitting, parked
              | (that|which|who) is modifier | and modifier

English is ambiguous here, so each method yields every reading, and two readings of one instruction are an error for
the caller to report. What settles an ambiguity: "and" gives a modifier to the first thing, "that is" to the nearest;
what someone wears or holds has no place of its own; after "of" a modifier is the owner's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from visionrouter.instruction import lexicon
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.inflection import INVARIANT
from visionrouter.instruction.nouns import Core, Nouns, ordinal
from visionrouter.instruction.reader import Reader
from visionrouter.schema.task import Relation, RelationKind, Target

_MAX_NESTING = 2
_MAX_MODIFIERS = 4
_BY_DEPTH = (RelationKind.NEAREST, RelationKind.FARTHEST)


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing as said: what it means, and how it was said where that decides the task.

    `determiner`: "", "the", "a", "every" or "all". `own`: what was said before the noun. `after`: relations said after
    it. `end`: the token after it.
    """

    target: Target
    determiner: str
    own: Core
    after: tuple[Relation, ...]
    end: int

    @property
    def many(self) -> bool:
        """More than one is meant: "dogs", "every dog", "two dogs"."""
        number = self.target.number
        if isinstance(number, int):
            return number > 1
        return number == "all" and (self.own.plural or self.determiner in ("every", "all"))


@dataclass(frozen=True, slots=True)
class _Said:
    """Modifiers read so far. `kind`: the last one's relation, where it had an anchor. `ranked`: a rank was used."""

    attributes: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    end: int = 0
    kind: RelationKind | None = None
    ranked: bool = False

    def then(self, more: _Said) -> _Said:
        return _Said(
            self.attributes + more.attributes,
            self.relations + more.relations,
            more.end,
            more.kind,
            self.ranked or more.ranked,
        )


class Things:
    """Readings of single things in the tokens of `reader`."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.nouns = Nouns(reader)
        self._things: dict[tuple[int, int, bool], list[Thing]] = {}

    def at(self, i: int, depth: int = 0, modified: bool = True) -> list[Thing]:
        """Every reading of one thing at token `i`. `depth`: how many anchors deep; `modified`: may modifiers follow."""
        key = (i, depth, modified)
        if key not in self._things:
            self.reader.spend()
            self._things[key] = list(self._read(i, depth, modified))
        return self._things[key]

    def _read(self, i: int, depth: int, modified: bool) -> Iterator[Thing]:
        people = self.reader.take(v.PEOPLE, i)
        if people is not None:
            determiner, j = people
            person = Core("person", None, None, (), (), False, j)
            yield from self._modified(i, determiner, person, (), depth, modified)
            return
        if self.reader.word(i) in ("everything", "anything"):
            anything = Core("thing", None, None, (), (), False, i + 1)
            found = self._modified(i, "all", anything, (), depth, modified)
            yield from (thing for thing in found if thing.after or thing.target.attributes)
            return
        determiner, j = self.reader.take(v.DETERMINERS, i) or ("", i)
        superlative = self.reader.take(v.SUPERLATIVES, j)
        best = superlative is not None and self.reader.word(superlative[1] - 1).endswith("st")
        if (
            superlative is not None
            and best
            and self.reader.word(superlative[1]) == "of"
            and determiner == "the"
        ):
            yield from self._one_of(i, superlative[0], superlative[1] + 1)
        core = self.nouns.core(j)
        if core is None:
            return
        yield from self._modified(i, determiner, core, (), depth, modified)
        owned = self.nouns.core(core.end + 1) if self.reader.word(core.end) == "'s" else None
        if owned is not None:
            owner = self._thing(i, determiner, core, (), _Said(end=core.end))
            owns = (Relation(RelationKind.OF, owner.target),)
            every = determiner if determiner in ("every", "all") else "the"
            yield from self._modified(i, every, owned, owns, depth, modified)

    def _one_of(self, i: int, kinds: v.Kinds, j: int) -> Iterator[Thing]:
        """ "the largest of the three dogs" """
        among = self.reader.take(v.DETERMINERS, j)
        core = self.nouns.core(among[1] if among else j)
        if core is not None and core.plural:
            one = replace(core, number=None, plural=False, relations=tuple(Relation(k) for k in kinds))
            yield self._thing(i, "the", one, (), _Said(end=core.end))

    def _modified(
        self, i: int, determiner: str, core: Core, owns: tuple[Relation, ...], depth: int, modified: bool
    ) -> Iterator[Thing]:
        said_already = _Said(relations=owns, end=core.end)
        every = self._modifiers(said_already, core, depth, _MAX_MODIFIERS) if modified else [said_already]
        for said in every:
            if core.rank is not None and not said.ranked:
                self.reader.note(
                    core.end,
                    f'"{self.reader.text(i, core.end)}" does not say from which side to count',
                    f"detect the {ordinal(core.rank)} {core.noun} from the left",
                )
                continue
            if self._is_region(core, said.relations):
                self.reader.note(
                    core.end, f'"{self.reader.text(i, core.end)}" is a part of the picture, no thing in it'
                )
                continue
            yield self._thing(i, determiner, core, said.relations, said)

    def _is_region(self, core: Core, relations: tuple[Relation, ...]) -> bool:
        """ "the bottom half": a part of the picture, no thing in it"""
        owned = any(relation.kind is RelationKind.OF for relation in relations)
        return core.noun in v.SIDE_WORDS and bool(core.relations) and not owned

    def _thing(self, i: int, determiner: str, core: Core, after: tuple[Relation, ...], said: _Said) -> Thing:
        relations = in_order(core.relations + after)
        target = Target(
            noun=core.noun,
            text=self.reader.text(i, said.end),
            attributes=colours_first(core.attributes + said.attributes),
            relations=relations,
            number=_number(determiner, core, relations),
        )
        self.reader.reach(said.end)
        return Thing(target, determiner, core, after, said.end)

    # ---- modifiers

    def _modifiers(self, said: _Said, core: Core, depth: int, left: int) -> Iterator[_Said]:
        yield said
        if not left:
            return
        for more in self._next(said, core, depth):
            yield from self._modifiers(said.then(more), core, depth, left - 1)

    def _next(self, said: _Said, core: Core, depth: int) -> Iterator[_Said]:
        """One more modifier after those `said`, with what links it."""
        i, word = said.end, self.reader.word(said.end)
        anchored = said.kind is not None and said.kind is not RelationKind.WITH
        if word == "and" and depth == 0 and (said.relations or said.attributes):
            j = i + 1
            if self.reader.word(j) in ("that", "which", "who"):
                be = self.reader.take(lexicon.BE, j + 1)
                j = be[1] if be else len(self.reader)
            yield from self._simple(j, core, depth, predicate=j > i + 1)
        elif word in ("that", "which", "who"):
            if anchored and not (word == "who" and _is_person(core.noun)):
                return
            be = self.reader.take(lexicon.BE, i + 1)
            if be is not None:
                yield from self._simple(be[1], core, depth, predicate=True)
            has = self.reader.take(v.HAS, i + 1)
            if has is not None:
                yield from self._anchored(has[0], has[1], core, depth)
        elif said.kind is not RelationKind.OF:
            wearer = said.relations[-1].anchor if said.kind is not None else None
            for more in self._simple(i, core, depth, predicate=False):
                worn = bool(more.relations) and _is_wearing(more.relations[0]) and not _is_person(core.noun)
                if not (worn and (depth or (wearer and _is_person(wearer.noun)))):
                    yield more  # the hat in "the car behind the man with a hat" is the man's

    def _predicates(self, i: int, core: Core) -> Iterator[_Said]:
        """What may follow "is": "on the sofa", "red", "the largest"."""
        for said in self._simple(i, core, 0, predicate=True):
            yield from self._modifiers(said, core, 0, _MAX_MODIFIERS - 1)

    def described(self, i: int) -> Iterator[Thing]:
        """ "dogs are on the sofa", "car is the nearest": a thing and what is said of it."""
        for thing in self.at(i):
            be = self.reader.take(lexicon.BE, thing.end)
            if be is not None and not thing.after:
                singular = self.reader.word(thing.end) == "is"  # "which of the dogs is the largest"
                own = replace(thing.own, number=None, plural=False) if singular else thing.own
                for said in self._predicates(be[1], own):
                    yield self._thing(i, "the" if singular else thing.determiner, own, said.relations, said)

    def _simple(self, i: int, core: Core, depth: int, predicate: bool) -> Iterator[_Said]:
        yield from self._place(i, core)
        if any(relation.kind in _BY_DEPTH for relation in core.relations):
            viewer = self.reader.take(v.FROM_VIEWER, i)  # "the closest dog to the camera"
            if viewer is not None:
                yield _Said(end=viewer[1])
        after = self.reader.take(v.SUPERLATIVES_AFTER if predicate else v.NEAREST_AFTER, i)
        if after is not None:
            viewer = self.reader.take(v.FROM_VIEWER, after[1])
            yield _Said(relations=(Relation(after[0]),), end=viewer[1] if viewer else after[1])
        yield from self._states(i, core, depth, predicate)
        for kind, j in self.reader.takes(v.RELATIONS, i):
            yield from self._anchored(kind, j, core, depth)
            return

    def _place(self, i: int, core: Core) -> Iterator[_Said]:
        rank, j = self.nouns.ordinal(i) or (core.rank, i)
        start = self.reader.take(v.COUNTED_FROM if rank is not None else v.PLACE_STARTS, j)
        for kinds, edge in self.reader.takes(v.EDGES, start[1]) if start else ():
            side = self.reader.take(v.SIDES, edge)
            end = side[1] if side else edge
            image = self.reader.take(lexicon.IMAGE, end + 1) if self.reader.word(end) == "of" else None
            if image is None and self.reader.word(end) == "of":
                continue  # "on the left of the road"
            relations = tuple(Relation(kind, rank=rank or 1) for kind in kinds)
            yield _Said(relations=relations, end=image[1] if image else end, ranked=rank is not None)

    def _states(self, i: int, core: Core, depth: int, predicate: bool) -> Iterator[_Said]:
        word = self.reader.word(i)
        if word in v.PLACED:
            yield from self._simple(i + 1, core, depth, predicate=False)
        elif predicate:
            described = self.nouns.adjective(i)
            if described is not None:
                yield _Said(attributes=(described[0],), end=described[1])
        elif word in v.POSTURES:
            yield _Said(attributes=(word,), end=i + 1)

    def _anchored(self, kind: RelationKind, i: int, core: Core, depth: int) -> Iterator[_Said]:
        said_with = self.reader.text(i - 1, i).lower()
        if said_with == "to" and self.reader.take(v.VIEWERS, i):
            return  # "closest to the camera" is a superlative
        if said_with in ("in", "wearing") and (said_with == "wearing" or _is_person(core.noun)):
            colour = self.nouns.adjective(i)
            if colour is not None and colour[0].split(" ")[-1] in v.COLOURS and self.nouns.core(i) is None:
                clothing = Target("clothing", self.reader.text(i, colour[1]), (colour[0],))
                yield _Said(
                    relations=(Relation(RelationKind.WITH, clothing),), end=colour[1], kind=RelationKind.WITH
                )
                return
        if depth >= _MAX_NESTING:
            return
        for anchor in self.at(i, depth + 1, modified=kind is not RelationKind.WITH):
            if self._is_pointer(anchor):
                continue
            if said_with == "in" and anchor.target.text.lower() in v.COLOURS:
                continue  # "the dog in orange" is no dog in a fruit
            worn = said_with == "in" and _is_person(core.noun) and _head(anchor.target.noun) in v.WORN
            this = RelationKind.WITH if worn else kind
            said = _Said(relations=(Relation(this, anchor.target),), end=anchor.end, kind=this)
            yield said
            yield from self._second_anchor(said, anchor, depth)

    def _is_pointer(self, anchor: Thing) -> bool:
        """ "this point", "this box", "the picture": a prompt or the image, no thing in it."""
        if '"' in anchor.target.text:
            return False
        head = _head(anchor.target.noun)
        if head in v.DEPTH_PLACES and not anchor.after:
            return True
        if head in v.SIDE_WORDS and any(r.anchor is None for r in anchor.target.relations):
            return True
        this = anchor.target.text.lower().startswith(("this ", "that ", "these ", "those "))
        meant = {head, anchor.target.noun} & (v.IMAGE_WORDS | v.POINTERS | lexicon.ANSWERS)
        covering = (
            anchor.own.plural and head in ("box", "bar", "rectangle") and "black" in anchor.own.attributes
        )
        unit = head in v.UNIT_WORDS and not anchor.determiner and anchor.own.number is None
        return bool(meant) or covering or unit or (this and head in v.FRAMES)

    def _second_anchor(self, said: _Said, first: Thing, depth: int) -> Iterator[_Said]:
        """ "with a hat and a scarf", "next to the dog and the cat": one relation to two anchors."""
        separator = self.reader.take(lexicon.SEPARATOR, said.end)
        if separator is None or separator[0] == "hard" or first.after:
            return
        kind = said.relations[0].kind
        for second in self.at(separator[1], depth + 1, modified=False):
            definite = second.determiner == "the" and first.determiner != "the"
            if kind is RelationKind.WITH and definite and not is_worn(second.target.noun):
                continue
            both = (*said.relations, Relation(kind, second.target))
            more = replace(said, relations=both, end=second.end)
            yield more
            yield from self._second_anchor(more, second, depth)


def colours_first(attributes: tuple[str, ...]) -> tuple[str, ...]:
    """Attributes with the colours in front, each once."""
    return tuple(dict.fromkeys(sorted(attributes, key=lambda a: a.split(" ")[-1] not in v.COLOURS)))


def in_order(relations: tuple[Relation, ...]) -> tuple[Relation, ...]:
    """Relations in their standard order: superlatives by kind, then anchors as said, those with their own last."""
    kinds = list(RelationKind)

    def key(relation: Relation) -> tuple[int, int]:
        if relation.anchor is None:
            return 0, kinds.index(relation.kind)
        return 1, any(r.anchor for r in relation.anchor.relations)

    return tuple(sorted(relations, key=key))


def _number(determiner: str, core: Core, relations: tuple[Relation, ...]) -> Literal["one", "all"] | int:
    if core.number is not None:
        return core.number
    if determiner == "a":
        return 1
    if determiner in ("every", "all") or core.plural:
        return "all"
    if determiner == "the":
        return "all" if _head(core.noun) in INVARIANT and not relations else "one"
    return "one" if any(not relation.kind.needs_anchor for relation in relations) else "all"


def _head(noun: str) -> str:
    return noun.partition(" of ")[0].rpartition(" ")[2]


def _is_person(noun: str) -> bool:
    return _head(noun) in v.PERSONS


def _is_wearing(relation: Relation) -> bool:
    anchor = relation.anchor
    return relation.kind is RelationKind.WITH and anchor is not None and _head(anchor.noun) in v.WORN


def is_worn(noun: str) -> bool:
    """Something a person wears or carries."""
    return _head(noun) in v.WORN or _head(noun) in v.CARRIED
