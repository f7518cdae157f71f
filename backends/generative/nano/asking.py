"""From a query to the drawings that answer it: what is said to the model, and what each colour will mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from visionrouter.backends.generative.asks import Ask, Plan, apart, asked_colours, unresolved
from visionrouter.backends.generative.nano.prompts import target_words
from visionrouter.backends.generative.nano.vocabulary import Vocabulary
from visionrouter.instruction.grounding import ground
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.palette import BACKGROUND, NAMED_COLOURS
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Target, Task

MOST_CLASSES = 8
"""Most classes of one referring target; each takes a drawing."""


def plan(query: Query, vocabulary: Vocabulary) -> Plan:
    """What to draw. Raises `UnsupportedTargetError` for words that the model does not know."""
    match query.task:
        case Task.SEMANTIC:
            return _semantic(query, vocabulary)
        case Task.REFERRING:
            return _referring(query, vocabulary)
        case Task.INSTANCE:
            return _instance(query, vocabulary)
        case Task.POSE:
            return _pose(query, vocabulary)
        case _:
            return Plan((Ask(vocabulary.say(query.task)),))


def _semantic(query: Query, vocabulary: Vocabulary) -> Plan:
    asked: Sequence[Target] = [_named(entry.label) for entry in query.palette if entry.label != BACKGROUND]
    if not query.palette:
        asked = query.targets or [_named(label) for label in vocabulary.classes]
    notes: list[str] = []
    owner: dict[str, str] = {}
    for target in asked:
        for name in _known(target, vocabulary.classes, notes):
            if owner.setdefault(name, target.noun) != target.noun:
                raise UnsupportedTargetError(
                    f"the nano backbone sees {owner[name]!r} and {target.noun!r} both as {name!r}; ask for one of them"
                )
        notes += unresolved(target)
    if not owner:
        raise UnsupportedTargetError("the palette names no class; give one or more a colour")
    chosen = asked_colours(query.palette, owner)
    black = BACKGROUND if any(entry.label == BACKGROUND for entry in query.palette) else ""
    names = list(owner)
    asks = []
    for start in range(0, len(names), vocabulary.max_classes):
        group = names[start : start + vocabulary.max_classes]
        said = chosen or dict(zip(group, apart(len(group)), strict=True))
        entries = tuple(PaletteEntry(owner[name], NAMED_COLOURS[said[name]], said[name]) for name in group)
        asks.append(Ask(vocabulary.say_palette([(name, said[name]) for name in group]), black, entries))
    return Plan(tuple(asks), tuple(dict.fromkeys(notes)))


def _referring(query: Query, vocabulary: Vocabulary) -> Plan:
    if not query.targets:
        raise UnsupportedTargetError("a referring segmentation needs a target; name what to segment")
    notes: list[str] = []
    asks = []
    for number, target in enumerate(query.targets):
        names = _known(target, vocabulary.classes, notes)
        if len(names) > 1 and target.relations:
            raise UnsupportedTargetError(
                f"{target.text!r}: the nano backbone compares things of one class; name one of {', '.join(names)}"
            )
        if len(names) > MOST_CLASSES:
            raise UnsupportedTargetError(
                f"{target.text!r} means {len(names)} classes of the nano backbone; name one, such as {names[0]!r}"
            )
        label = names[0] if len(names) == 1 else target.noun
        for name in names:
            words = _words(target, name, vocabulary, notes)
            asks.append(Ask(vocabulary.say(Task.REFERRING, words), label, target=number))
    return Plan(tuple(asks), tuple(dict.fromkeys(notes)))


def _words(target: Target, name: str, vocabulary: Vocabulary, notes: list[str]) -> str:
    """The target as the model reads it, `name` being its class."""
    relations = []
    for relation in target.relations:
        anchor = relation.anchor
        if anchor is not None:
            names = _known(anchor, vocabulary.classes, notes)
            if len(names) > 1 or anchor.relations:
                raise UnsupportedTargetError(
                    f"{anchor.text!r}: the nano backbone needs an anchor of one class without relations of its own"
                )
            anchor = _known_colours(replace(anchor, noun=names[0]), vocabulary)
        relations.append(replace(relation, anchor=anchor))
    known = _known_colours(replace(target, noun=name, relations=tuple(relations)), vocabulary)
    return target_words(known)


def _instance(query: Query, vocabulary: Vocabulary) -> Plan:
    notes: list[str] = []
    names: dict[str, None] = {}
    for target in query.targets or [_named(label) for label in vocabulary.things]:
        names |= dict.fromkeys(_known(target, vocabulary.things, notes))
        notes += unresolved(target)
    asks = tuple(Ask(vocabulary.say(Task.INSTANCE, name), name) for name in names)
    return Plan(asks, tuple(dict.fromkeys(notes)))


def _pose(query: Query, vocabulary: Vocabulary) -> Plan:
    notes: list[str] = []
    for target in query.targets:
        _known(target, ("person",), notes)
        notes += unresolved(target)
    return Plan((Ask(vocabulary.say(Task.POSE), "person"),), tuple(dict.fromkeys(notes)))


def _named(label: str) -> Target:
    return Target(label, label)


def _known(target: Target, labels: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """The classes that a target means: the one of its own name, since the model was tuned on that word, or else those
    it is grounded to. Raises `UnsupportedTargetError` where there is none."""
    if target.noun in labels:
        return (target.noun,)
    grounding = ground(target, labels)
    if not grounding.labels:
        raise UnsupportedTargetError(
            f"the nano backbone does not know {target.noun!r}; it knows {', '.join(labels)}"
        )
    if not grounding.exact:
        notes.append(f"specificity_lost:{target.noun}")
    return tuple(grounding.labels)


def _known_colours(target: Target, vocabulary: Vocabulary) -> Target:
    unknown = [word for word in target.attributes if word not in vocabulary.colours]
    if unknown:
        raise UnsupportedTargetError(
            f"{target.text!r}: the nano backbone does not know {', '.join(unknown)}; "
            f"it tells things by {', '.join(vocabulary.colours)}"
        )
    return target
