"""What can be asked: tasks, composites, the things named in words and how they relate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Task(StrEnum):
    """One kind of question about an image. `family` groups the four ways to segment."""

    DETECT = "detect"
    SEMANTIC = "segment.semantic"
    INSTANCE = "segment.instance"
    REFERRING = "segment.referring"
    PROMPTABLE = "segment.promptable"
    DEPTH = "depth"
    NORMALS = "normals"
    INTRINSICS = "intrinsics"  # albedo, and what light makes of it; not the camera's parameters
    POSE = "pose"
    CLASSIFY = "classify"
    COMPOSITE = "composite"

    @property
    def family(self) -> str:
        """`segment` for the four segmentations, else the task's own name."""
        return self.value.partition(".")[0]


class Operation(StrEnum):
    """What a composite does with the parts it is made of."""

    DISTANCE = "distance"  # detections joined with depth: how far is each
    COUNT = "count"  # how many
    REDACT = "redact"  # blur, pixelate or black out every one


class RelationKind(StrEnum):
    """How a target is singled out: alone among its kind, or against an anchor."""

    LEFTMOST = "leftmost"
    RIGHTMOST = "rightmost"
    TOPMOST = "topmost"
    BOTTOMMOST = "bottommost"
    MIDDLE = "middle"
    NEAREST = "nearest"
    FARTHEST = "farthest"
    LARGEST = "largest"
    SMALLEST = "smallest"
    LEFT_OF = "left_of"
    RIGHT_OF = "right_of"
    ABOVE = "above"
    BELOW = "below"
    NEXT_TO = "next_to"
    IN_FRONT_OF = "in_front_of"
    BEHIND = "behind"
    ON = "on"
    IN = "in"
    WITH = "with"  # wearing, holding, riding, carrying: "the man with a hat"
    OF = "of"  # part of, belonging to: "the wheels of the car"

    @property
    def by_depth(self) -> bool:
        """True where how far things are tells it."""
        return self in (
            RelationKind.NEAREST,
            RelationKind.FARTHEST,
            RelationKind.IN_FRONT_OF,
            RelationKind.BEHIND,
        )

    @property
    def needs_anchor(self) -> bool:
        """True for relations to another thing, False for superlatives."""
        return self in _ANCHORED


_ANCHORED = frozenset(
    {
        RelationKind.LEFT_OF,
        RelationKind.RIGHT_OF,
        RelationKind.ABOVE,
        RelationKind.BELOW,
        RelationKind.NEXT_TO,
        RelationKind.IN_FRONT_OF,
        RelationKind.BEHIND,
        RelationKind.ON,
        RelationKind.IN,
        RelationKind.WITH,
        RelationKind.OF,
    }
)


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation of a target.

    `anchor` is the other thing where `kind.needs_anchor`, else None. `rank` counts from 1:
    "the second car from the left" is (LEFTMOST, rank 2).
    """

    kind: RelationKind
    anchor: Target | None = None
    rank: int = 1


@dataclass(frozen=True, slots=True)
class Target:
    """A thing named in words, open vocabulary.

    `noun` is the head noun phrase, lower case and singular ("traffic light"); `text` the words as written;
    `attributes` the adjectives that are not relations, colours first among them ("red", "striped");
    `number` says how many are meant: "one" (the dog), "all" (every dog, dogs) or a count ("2" for "two dogs").
    """

    noun: str
    text: str
    attributes: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    number: Literal["one", "all"] | int = "all"

    @property
    def by_depth(self) -> bool:
        """True where a relation of it, or of what it is placed against, is one of depth."""
        return any(r.kind.by_depth or (r.anchor is not None and r.anchor.by_depth) for r in self.relations)


@dataclass(frozen=True, slots=True)
class PaletteEntry:
    """One class of a palette and its 8-bit sRGB colour."""

    label: str
    rgb: tuple[int, int, int]
    colour: str | None = None


Palette = tuple[PaletteEntry, ...]
"""Which colour means which class, in the order asked."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction understood.

    `operation` is set for `Task.COMPOSITE` alone. `palette` holds the colours the words asked for (semantic
    segmentation), empty where none were. `style` refines a redaction ("blur", "pixelate", "black"), a depth request
    ("metric", "relative") or one for intrinsics (the map that must be among them, "roughness"), None where the words
    left it open.
    """

    task: Task
    text: str
    targets: tuple[Target, ...] = ()
    palette: Palette = ()
    operation: Operation | None = None
    style: str | None = None
