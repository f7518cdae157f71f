"""A target named in words → the labels of a backend's closed vocabulary that mean it.

The words are in `synonyms.json`: synonyms ("sofa", "couch"), aspects ("woman" and "pedestrian" are persons) and kinds
("car" is a vehicle). A compound is a kind of its last word ("police car"), but for the opaque ones ("hot dog").
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from visionrouter.instruction.inflection import singular
from visionrouter.instruction.vocabulary import GENERIC
from visionrouter.schema.task import Target


@dataclass(frozen=True, slots=True)
class Grounding:
    """Labels that mean a target, in the order of the vocabulary; none where the vocabulary has no word for it.

    `exact`: the labels mean the target and nothing more. Where it is False they are broader: "woman" is answered by
    "person", so not every answer is a woman.
    """

    labels: tuple[str, ...]
    exact: bool


def ground(target: Target, labels: Sequence[str]) -> Grounding:
    """The `labels` that mean `target`.

    A label fits if it means the noun or a kind of it; failing that, if it means what the noun is a kind of. Labels are
    compared in lower case and singular; one with commas ("tabby, tabby cat") is a list of synonyms, as in ImageNet.
    Attributes and relations are for `selection.select`.
    """
    noun = target.noun
    if noun in GENERIC:
        return Grounding(tuple(labels), exact=True)
    means = [_meanings(label) for label in labels]
    for exact, wanted in ((True, _name(noun)), (False, _base(noun))):
        fitting = [label for label, meanings in zip(labels, means, strict=True) if wanted in meanings.all]
        if wanted is not None and fitting:
            return Grounding(tuple(dict.fromkeys(fitting)), exact)
    for broader in _broader(_name(noun)):
        fitting = [label for label, meanings in zip(labels, means, strict=True) if broader in meanings.own]
        if fitting:
            return Grounding(tuple(dict.fromkeys(fitting)), exact=False)
    return Grounding((), exact=False)


@dataclass(frozen=True, slots=True)
class _Meanings:
    """What a label means (`own`), and that with all it is a kind of (`all`)."""

    own: frozenset[str]
    all: frozenset[str]


@lru_cache(maxsize=8192)
def _meanings(label: str) -> _Meanings:
    first, *others = (_name(singular(name.replace("_", " ").strip().lower())) for name in label.split(","))
    known = (other for other in others if other in _words().known)  # "lion, king of beasts" is no king
    return _Meanings(
        frozenset((first, *others)), frozenset((first, *others)).union(*map(_broader, (first, *known)))
    )


@dataclass(frozen=True, slots=True)
class _Words:
    names: dict[str, str]  # synonym → the name of its meaning
    base: dict[str, str]  # aspect → what it is an aspect of
    parents: dict[str, tuple[str, ...]]  # name → what it is a kind or aspect of
    known: frozenset[str]  # all words of the file
    opaque: frozenset[str]


@cache
def _words() -> _Words:
    data = json.loads(files(__package__).joinpath("synonyms.json").read_text("utf-8"))
    names = {singular(word): group[0] for group in data["same"] for word in group}
    base: dict[str, str] = {}
    parents: dict[str, list[str]] = {}
    for table in ("aspects", "kinds"):
        for whole, narrower in data[table].items():
            for word in map(singular, narrower):
                parents.setdefault(names.get(word, word), []).append(names.get(whole, whole))
                if table == "aspects":
                    base[names.get(word, word)] = names.get(whole, whole)
    opaque = frozenset(data["opaque"])
    known = opaque.union(names, parents, data["aspects"], data["kinds"])
    return _Words(names, base, {name: tuple(p) for name, p in parents.items()}, known, opaque)


def _name(noun: str) -> str:
    return _words().names.get(noun, noun)


def _base(noun: str) -> str | None:
    """What the noun is an aspect of: "person" for "woman" and for "tall woman"."""
    for name in (_name(noun), _head(noun)):
        if name in _words().base:
            return _words().base[name]
    return None


def _head(noun: str) -> str:
    """The last word of a compound, or the word before "of": "fast car" → "car", "cup of tea" → "cup"."""
    if noun in _words().known:
        return noun
    return _name(noun.partition(" of ")[0].rpartition(" ")[2])


@lru_cache(maxsize=8192)
def _broader(name: str) -> tuple[str, ...]:
    """All that a meaning is a kind of, nearest first."""
    words = _words()
    found: dict[str, None] = {}
    front = [name]
    while front:
        parents = [
            parent
            for word in front
            for parent in (*words.parents.get(word, ()), *((_head(word),) if _head(word) != word else ()))
        ]
        front = [parent for parent in dict.fromkeys(parents) if parent not in found and parent != name]
        found.update(dict.fromkeys(front))
    return tuple(found)
