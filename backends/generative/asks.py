"""The drawings that answer a query: what is said to a model, and what each colour of its drawing will mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from visionrouter.schema.palette import BLACK, NAMED_COLOURS, separated_colours
from visionrouter.schema.task import Palette, Target


@dataclass(frozen=True, slots=True)
class Ask:
    """One drawing.

    `label`: what its masks show; of a semantic drawing, what black means, "" for nothing. `palette`: what its other
    colours mean; a label may have several. `target`: masks of one target are one.
    """

    prompt: str
    label: str = ""
    palette: Palette = ()
    target: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The drawings of one query, and notes for its answer."""

    asks: tuple[Ask, ...]
    notes: tuple[str, ...] = ()


def asked_colours(palette: Palette, owner: Mapping[str, str]) -> dict[str, str] | None:
    """The user's colour word for each class where a model can be told all of them, each once; else None.

    `owner`: class to the palette's label it answers to. Black is never told: it is the ground.
    """
    wanted = {entry.label: _WORDS.get(entry.rgb) for entry in palette}
    told = {name: colour for name, label in owner.items() if (colour := wanted.get(label))}
    return told if len(told) == len(owner) == len(set(told.values())) else None


_WORDS = {rgb: name for name, rgb in NAMED_COLOURS.items() if rgb != BLACK}


def apart(n: int) -> list[str]:
    """`n` colour words far from each other and from black."""
    return [colour.name for colour in separated_colours(n, avoid=(BLACK,))]


def unresolved(target: Target) -> list[str]:
    """Notes for the words of a target that the drawing does not heed."""
    words = (*target.attributes, *(relation.kind.value for relation in target.relations))
    return [f"unresolved:{word}" for word in words]
