"""The words the nano backbone is tuned on: the one contract between tuning and inference.

Tuning draws any phrase of a task, inference says the first. What is not here the model has never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.task import Relation, RelationKind, Target, Task

MAX_TOKENS = 64
"""Tokens of a prompt, start and end included; the text encoder has as many positions."""
MAX_CLASSES = 12
"""Classes of one palette prompt that surely fit in `MAX_TOKENS`."""

PHRASES = MappingProxyType(
    {
        Task.DEPTH: (
            "depth map", "metric depth", "make a depth map of this image", "estimate metric depth",
            "how far is everything",
        ),
        Task.NORMALS: (
            "surface normals", "normal map", "make a surface normal map of this image", "estimate surface normals",
        ),
        Task.SEMANTIC: (
            "semantic segmentation: {}", "segment by class: {}", "color each class: {}", "paint {}",
        ),
        Task.REFERRING: ("segment {}", "mask of {}", "where is {}", "show {} in white on black"),
        Task.INSTANCE: (
            "instances of {}", "instance segmentation of each {}", "segment each {} in its own color", "count the {}",
        ),
        Task.POSE: (
            "pose keypoints", "human pose", "mark the joints of every person", "estimate the pose of each person",
        ),
    }
)  # fmt: skip
"""Phrasings of each task; the first is what inference says. `{}` takes a palette, a target or a class."""

SUPERLATIVES = MappingProxyType(
    {
        RelationKind.LEFTMOST: ("leftmost {}", "{} on the left"),
        RelationKind.RIGHTMOST: ("rightmost {}", "{} on the right"),
        RelationKind.TOPMOST: ("topmost {}", "{} at the top"),
        RelationKind.BOTTOMMOST: ("bottommost {}", "{} at the bottom"),
        RelationKind.NEAREST: ("nearest {}", "closest {}"),
        RelationKind.FARTHEST: ("farthest {}", "most distant {}"),
        RelationKind.LARGEST: ("largest {}", "biggest {}"),
        RelationKind.SMALLEST: ("smallest {}",),
    }
)
"""Relations that single one out among its kind, and their words."""
RANKED = MappingProxyType(
    {
        RelationKind.LEFTMOST: "second {} from the left",
        RelationKind.RIGHTMOST: "second {} from the right",
        RelationKind.NEAREST: "second nearest {}",
    }
)
"""Words for rank 2."""
ANCHORED = MappingProxyType(
    {
        RelationKind.LEFT_OF: ("left of",),
        RelationKind.RIGHT_OF: ("right of",),
        RelationKind.ABOVE: ("above",),
        RelationKind.BELOW: ("below", "under"),
        RelationKind.IN_FRONT_OF: ("in front of",),
        RelationKind.BEHIND: ("behind",),
        RelationKind.NEXT_TO: ("next to", "beside"),
    }
)
"""Relations to another thing, and their words."""

ALIASES = MappingProxyType(
    {
        "man": "person", "woman": "person", "pedestrian": "person", "human": "person", "bike": "bicycle",
        "automobile": "car", "vehicle": "car", "motorbike": "motorcycle", "lorry": "truck", "ship": "boat",
        "hydrant": "fire hydrant", "ball": "sports ball", "mug": "cup", "sofa": "couch", "plant": "potted plant",
        "table": "dining table", "television": "tv", "monitor": "tv", "fridge": "refrigerator", "puppy": "dog",
        "kitten": "cat", "traffic cone": "cone", "box": "crate", "stone": "rock", "house": "building",
        "street lamp": "street light", "sidewalk": "pavement", "lawn": "grass", "street": "road", "sea": "water",
        "ground": "dirt", "hill": "mountain", "shrub": "bush",
    }
)  # fmt: skip
"""Other words for the classes of the vocabulary."""


def instruct(task: Task, words: str = "", phrase: int = 0) -> str:
    """The prompt of a task. `words` fills the phrase's gap: a palette, a target or a class name."""
    return PHRASES[task][phrase].format(words)


def palette_words(pairs: Sequence[tuple[str, str]]) -> str:
    """`[("sky", "cyan"), ("car", "red")]` -> `sky = cyan, car = red`. Classes left out are drawn black."""
    return ", ".join(f"{label} = {colour}" for label, colour in pairs)


def target_words(target: Target, phrase: int = 0) -> str:
    """A target as the model reads it: `the nearest red car`, `every person`, `the cup left of the laptop`.

    Raises `UnsupportedTargetError` for a relation the model has never read.
    """
    name = " ".join([*target.attributes, target.noun])
    if not target.relations:
        return f"every {name}" if target.number == "all" else f"the {name}"
    first, *rest = target.relations
    if rest:
        raise UnsupportedTargetError(
            f"'{target.text}': the nano backbone reads one relation at a time; drop one"
        )
    return f"the {_related(first, name, target.text, phrase)}"


def _related(relation: Relation, name: str, text: str, phrase: int) -> str:
    kind = relation.kind
    if kind in SUPERLATIVES and relation.rank == 1:
        forms = SUPERLATIVES[kind]
        return forms[phrase % len(forms)].format(name)
    if kind in RANKED and relation.rank == 2:
        return RANKED[kind].format(name)
    if kind in ANCHORED and relation.anchor is not None:
        forms = ANCHORED[kind]
        anchor = " ".join([*relation.anchor.attributes, relation.anchor.noun])
        return f"{name} {forms[phrase % len(forms)]} the {anchor}"
    raise UnsupportedTargetError(
        f"'{text}': the nano backbone has not learnt '{kind.value}' at rank {relation.rank}; "
        f"ask for one of {', '.join(k.value for k in (*SUPERLATIVES, *ANCHORED))}",
    )


def corpus(classes: Sequence[str], colours: Sequence[str]) -> Iterator[str]:
    """Every word of every prompt, for training the tokenizer."""
    for phrases in PHRASES.values():
        yield from (phrase.replace("{}", " ") for phrase in phrases)
    for forms in (*SUPERLATIVES.values(), *ANCHORED.values(), tuple(RANKED.values())):
        yield from (f"the {form.replace('{}', ' ')} every" for form in forms)
    for name in (*classes, *ALIASES):
        yield from (f"every {name} = {colour}, the {colour} {name}" for colour in colours)
