"""From a query to drawings, for a model that reads any words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from visionrouter.backends.generative.asks import Ask, Plan, apart, asked_colours, unresolved
from visionrouter.backends.generative.instructed.wording import Wording
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.palette import BACKGROUND, BLACK, NAMED_COLOURS
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Target, Task

MOST_CLASSES = 12
"""Classes of one palette; more are asked for in several drawings."""
_INKS = tuple(name for name, rgb in NAMED_COLOURS.items() if rgb != BLACK)


def plan(query: Query, wording: Wording, most_classes: int = MOST_CLASSES) -> Plan:
    """What to draw. Raises `UnsupportedTargetError` where nothing is named that could be drawn."""
    match query.task:
        case Task.SEMANTIC:
            return Plan(_semantic(query, wording, most_classes, None), _semantic_notes(query))
        case Task.REFERRING:
            return _referring(query, wording)
        case Task.INSTANCE:
            return _instance(query, wording)
        case _:
            return Plan((Ask(wording.say(query.task)),))


def ballots(
    query: Query, wording: Wording, votes: int, most_classes: int = MOST_CLASSES
) -> tuple[tuple[Ask, ...], ...]:
    """The drawings of a semantic query `votes` times over, each time in other colours.

    The first is `plan`'s; the others' colours are drawn by the query's seed. A model that paints a class by its colour's
    habits, and not by what is there, disagrees with itself.
    """
    random = Random(query.seed)
    return tuple(_semantic(query, wording, most_classes, random if turn else None) for turn in range(votes))


def _semantic(query: Query, wording: Wording, most_classes: int, random: Random | None) -> tuple[Ask, ...]:
    labels = _labels(query)
    if not labels:
        raise UnsupportedTargetError("the palette names no class; give one or more a colour")
    ground = BACKGROUND if any(entry.label == BACKGROUND for entry in query.palette) else ""
    asked = None if random else asked_colours(query.palette, {label: label for label in labels})
    asks = []
    for start in range(0, len(labels), most_classes):
        group = labels[start : start + most_classes]
        said = asked or _colours(group, random)
        pairs = [(label, said[label]) for label in group]
        entries = tuple(PaletteEntry(label, NAMED_COLOURS[colour], colour) for label, colour in pairs)
        asks.append(Ask(wording.say_palette(pairs, BACKGROUND), ground, entries))
    return tuple(asks)


def _labels(query: Query) -> list[str]:
    """The classes asked for, without the background, each once."""
    labels = [entry.label for entry in query.palette] or [target.noun for target in query.targets]
    return [label for label in dict.fromkeys(labels) if label != BACKGROUND]


def _colours(group: Sequence[str], random: Random | None) -> Mapping[str, str]:
    colours = random.sample(_INKS, len(group)) if random else apart(len(group))
    return dict(zip(group, colours, strict=True))


def _semantic_notes(query: Query) -> tuple[str, ...]:
    targets = () if query.palette else query.targets
    return tuple(dict.fromkeys(note for target in targets for note in unresolved(target)))


def _referring(query: Query, wording: Wording) -> Plan:
    if not query.targets:
        raise UnsupportedTargetError("a referring segmentation needs a target; name what to segment")
    return Plan(
        tuple(
            Ask(wording.say(Task.REFERRING, target.text or target.noun), target.noun, target=number)
            for number, target in enumerate(query.targets)
        )
    )


def _instance(query: Query, wording: Wording) -> Plan:
    """One drawing a class. Its adjectives are said; relations, which single out, are not for a drawing of all."""
    targets = query.targets or (Target("object", "object"),)
    asks = tuple(
        Ask(wording.say(Task.INSTANCE, " ".join((*target.attributes, target.noun))), target.noun)
        for target in targets
    )
    notes = [f"unresolved:{relation.kind.value}" for target in targets for relation in target.relations]
    return Plan(asks, tuple(dict.fromkeys(notes)))
