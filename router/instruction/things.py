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
from dataclasses import replace

from visionrouter.instruction import lexicon
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.nouns import Core, Nouns, ordinal
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.thing import (
    Said,
    Thing,
    colours_first,
    head_of,
    in_order,
    is_person,
    is_pointer,
    is_region,
    is_wearing,
    is_worn,
    number_of,
)
from visionrouter.schema.task import Relation, RelationKind, Target

_MAX_NESTING = 2
_MAX_MODIFIERS = 4
_BY_DEPTH = (RelationKind.NEAREST, RelationKind.FARTHEST)


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
        if superlative is not None and determiner == "the":
            kinds, of = superlative
            if self.reader.word(of) == "of" and self.reader.word(of - 1).endswith("st"):
                yield from self._one_of(i, kinds, of + 1)
        core = self.nouns.core(j)
        if core is None:
            return
        yield from self._modified(i, determiner, core, (), depth, modified)
        owned = self.nouns.core(core.end + 1) if self.reader.word(core.end) == "'s" else None
        if owned is not None:
            owner = self._thing(i, determiner, core, (), Said(end=core.end))
            owns = (Relation(RelationKind.OF, owner.target),)
            every = determiner if determiner in ("every", "all") else "the"
            yield from self._modified(i, every, owned, owns, depth, modified)

    def _one_of(self, i: int, kinds: v.Kinds, j: int) -> Iterator[Thing]:
        """ "the largest of the three dogs" """
        among = self.reader.take(v.DETERMINERS, j)
        core = self.nouns.core(among[1] if among else j)
        if core is not None and core.plural:
            one = replace(core, number=None, plural=False, relations=tuple(Relation(k) for k in kinds))
            yield self._thing(i, "the", one, (), Said(end=core.end))

    def _modified(
        self, i: int, determiner: str, core: Core, owns: tuple[Relation, ...], depth: int, modified: bool
    ) -> Iterator[Thing]:
        said_already = Said(relations=owns, end=core.end)
        every = self._modifiers(said_already, core, depth, _MAX_MODIFIERS) if modified else [said_already]
        for said in every:
            if core.rank is not None and not said.ranked:
                self.reader.note(
                    core.end,
                    f'"{self.reader.text(i, core.end)}" does not say from which side to count',
                    f"detect the {ordinal(core.rank)} {core.noun} from the left",
                )
                continue
            if is_region(core, said.relations):
                self.reader.note(
                    core.end, f'"{self.reader.text(i, core.end)}" is a part of the picture, no thing in it'
                )
                continue
            yield self._thing(i, determiner, core, said.relations, said)

    def _thing(self, i: int, determiner: str, core: Core, after: tuple[Relation, ...], said: Said) -> Thing:
        relations = in_order(core.relations + after)
        target = Target(
            noun=core.noun,
            text=self.reader.text(i, said.end),
            attributes=colours_first(core.attributes + said.attributes),
            relations=relations,
            number=number_of(determiner, core, relations),
        )
        self.reader.reach(said.end)
        return Thing(target, determiner, core, after, said.end)

    # ---- modifiers

    def _modifiers(self, said: Said, core: Core, depth: int, left: int) -> Iterator[Said]:
        yield said
        if not left:
            return
        for more in self._next(said, core, depth):
            yield from self._modifiers(said.then(more), core, depth, left - 1)

    def _next(self, said: Said, core: Core, depth: int) -> Iterator[Said]:
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
            who = word == "who" and is_person(core.noun)
            held = said.relations[-1].anchor if said.kind is RelationKind.WITH else None
            if not who and (anchored or (held and not is_worn(held.noun))):
                return  # it is said of the anchor, not of this
            be = self.reader.take(lexicon.BE, i + 1)
            if be is not None:
                yield from self._simple(be[1], core, depth, predicate=True)
            has = self.reader.take(v.HAS, i + 1)
            if has is not None:
                yield from self._anchored(has[0], has[1], core, depth)
        elif said.kind is not RelationKind.OF:
            wearer = said.relations[-1].anchor if said.kind is not None else None
            for more in self._simple(i, core, depth, predicate=False):
                worn = bool(more.relations) and is_wearing(more.relations[0]) and not is_person(core.noun)
                if not (worn and (depth or (wearer and is_person(wearer.noun)))):
                    yield more  # the hat in "the car behind the man with a hat" is the man's

    def _predicates(self, i: int, core: Core) -> Iterator[Said]:
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

    def _simple(self, i: int, core: Core, depth: int, predicate: bool) -> Iterator[Said]:
        yield from self._place(i, core)
        if any(relation.kind in _BY_DEPTH for relation in core.relations):
            viewer = self.reader.take(v.FROM_VIEWER, i)  # "the closest dog to the camera"
            if viewer is not None:
                yield Said(end=viewer[1])
        after = self.reader.take(v.SUPERLATIVES_AFTER if predicate else v.NEAREST_AFTER, i)
        if after is not None:
            viewer = self.reader.take(v.FROM_VIEWER, after[1])
            yield Said(relations=(Relation(after[0]),), end=viewer[1] if viewer else after[1])
        yield from self._states(i, core, depth, predicate)
        for kind, j in self.reader.takes(v.RELATIONS, i):
            yield from self._anchored(kind, j, core, depth)
            return

    def _place(self, i: int, core: Core) -> Iterator[Said]:
        rank, j = self.nouns.ordinal(i) or (core.rank, i)
        start = self.reader.take(v.COUNTED_FROM if rank is not None else v.PLACE_STARTS, j)
        for kinds, edge in self.reader.takes(v.EDGES, start[1]) if start else ():
            side = self.reader.take(v.SIDES, edge)
            end = side[1] if side else edge
            image = self.reader.take(lexicon.IMAGE, end + 1) if self.reader.word(end) == "of" else None
            if image is None and self.reader.word(end) == "of":
                continue  # "on the left of the road"
            relations = tuple(Relation(kind, rank=rank or 1) for kind in kinds)
            yield Said(relations=relations, end=image[1] if image else end, ranked=rank is not None)

    def _states(self, i: int, core: Core, depth: int, predicate: bool) -> Iterator[Said]:
        word = self.reader.word(i)
        if word in v.PLACED:
            yield from self._simple(i + 1, core, depth, predicate=False)
        elif predicate:
            described = self.nouns.adjective(i)
            if described is not None:
                yield Said(attributes=(described[0],), end=described[1])
        elif word in v.POSTURES:
            yield Said(attributes=(word,), end=i + 1)

    def _anchored(self, kind: RelationKind, i: int, core: Core, depth: int) -> Iterator[Said]:
        said_with = self.reader.text(i - 1, i).lower()
        if said_with == "to" and self.reader.take(v.VIEWERS, i):
            return  # "closest to the camera" is a superlative
        if said_with in ("in", "wearing") and (said_with == "wearing" or is_person(core.noun)):
            colour = self.nouns.adjective(i)
            if colour is not None and colour[0].split(" ")[-1] in v.COLOURS and self.nouns.core(i) is None:
                clothing = Target("clothing", self.reader.text(i, colour[1]), (colour[0],))
                yield Said(
                    relations=(Relation(RelationKind.WITH, clothing),), end=colour[1], kind=RelationKind.WITH
                )
                return
        if depth >= _MAX_NESTING:
            return
        for anchor in self.at(i, depth + 1, modified=kind is not RelationKind.WITH):
            if is_pointer(anchor):
                continue
            if said_with == "in" and anchor.target.text.lower() in v.COLOURS:
                continue  # "the dog in orange" is no dog in a fruit
            worn = said_with == "in" and is_person(core.noun) and head_of(anchor.target.noun) in v.WORN
            this = RelationKind.WITH if worn else kind
            said = Said(relations=(Relation(this, anchor.target),), end=anchor.end, kind=this)
            yield said
            yield from self._second_anchor(said, anchor, depth)

    def _second_anchor(self, said: Said, first: Thing, depth: int) -> Iterator[Said]:
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
