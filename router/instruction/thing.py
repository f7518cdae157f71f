"""One thing as it was said, and what its words tell about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from visionrouter.instruction import reserved
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.inflection import INVARIANT
from visionrouter.instruction.nouns import Core
from visionrouter.schema.task import Relation, RelationKind, Target


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
class Said:
    """Modifiers read so far. `kind`: the last one's relation, where it had an anchor. `ranked`: a rank was used."""

    attributes: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    end: int = 0
    kind: RelationKind | None = None
    ranked: bool = False

    def then(self, more: Said) -> Said:
        return Said(
            self.attributes + more.attributes,
            self.relations + more.relations,
            more.end,
            more.kind,
            self.ranked or more.ranked,
        )


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


def number_of(determiner: str, core: Core, relations: tuple[Relation, ...]) -> Literal["one", "all"] | int:
    if core.number is not None:
        return core.number
    if determiner == "a":
        return 1
    if determiner in ("every", "all") or core.plural:
        return "all"
    if determiner == "the":
        return "all" if head_of(core.noun) in INVARIANT and not relations else "one"
    return "one" if any(not relation.kind.needs_anchor for relation in relations) else "all"


def head_of(noun: str) -> str:
    """The word that a noun phrase is about: "light" of "traffic light", "cup" of "cup of tea"."""
    return noun.partition(" of ")[0].rpartition(" ")[2]


def is_person(noun: str) -> bool:
    return head_of(noun) in v.PERSONS


def is_wearing(relation: Relation) -> bool:
    anchor = relation.anchor
    return relation.kind is RelationKind.WITH and anchor is not None and head_of(anchor.noun) in v.WORN


def is_worn(noun: str) -> bool:
    """Something a person wears or carries."""
    return head_of(noun) in v.WORN or head_of(noun) in v.CARRIED


def is_region(core: Core, relations: tuple[Relation, ...]) -> bool:
    """ "the bottom half": a part of the picture, no thing in it"""
    owned = any(relation.kind is RelationKind.OF for relation in relations)
    return core.noun in v.SIDE_WORDS and bool(core.relations) and not owned


def is_pointer(anchor: Thing) -> bool:
    """ "this point", "this box", "the picture": a prompt or the image, no thing in it."""
    if '"' in anchor.target.text:
        return False
    head = head_of(anchor.target.noun)
    if head in v.DEPTH_PLACES and not anchor.after:
        return True
    if head in v.SIDE_WORDS and any(r.anchor is None for r in anchor.target.relations):
        return True
    this = anchor.target.text.lower().startswith(("this ", "that ", "these ", "those "))
    meant = {head, anchor.target.noun} & (v.IMAGE_WORDS | v.POINTERS | v.QUESTIONED | reserved.ANSWERS)
    covering = anchor.own.plural and head in ("box", "bar", "rectangle") and "black" in anchor.own.attributes
    unit = head in v.UNIT_WORDS and not anchor.determiner and anchor.own.number is None
    abstract = head in v.ABSTRACT and not anchor.determiner  # "in flight", "at work"
    return bool(meant) or abstract or covering or unit or (this and head in v.FRAMES)
