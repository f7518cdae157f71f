"""The same question in other words, with a slip of the pen, or about what is not there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from visionrouter.benchmarks.labelled.item import Item
from visionrouter.schema.payload import Detections, Payload, Poses, Segmentation
from visionrouter.schema.task import Task

Wording = Literal["paraphrase", "misspelling", "absent", "wrong_colour"]
"""`absent`: a class that is not in the picture. `wrong_colour`: a class that is, in a colour that none of it has. The
right answer to either is that nothing is found, or none."""
WORDINGS: tuple[Wording, ...] = get_args(Wording)

_PARAPHRASES: Mapping[Task, tuple[str, ...]] = {
    Task.DEPTH: (
        "how far away is everything?",
        "estimate the depth of this picture",
        "how deep is the scene",
        "I need the depth of every pixel, please",
    ),
    Task.NORMALS: (
        "estimate the surface normals",
        "normal map of this image, please",
        "which way do the surfaces face?",
        "predict surface normals",
    ),
    Task.POSE: (
        "find the pose of everybody",
        "skeletons of all people",
        "where are the joints of the people",
        "estimate human poses",
    ),
    Task.REFERRING: (
        "please segment {}",
        "give me a mask of {}",
        "could you mask {} for me?",
        "cut out {}",
    ),
    Task.INSTANCE: ("separate masks of {}", "instance masks of {}", "segment all {} individually"),
    Task.DETECT: ("where are {}?", "draw boxes around {}", "please locate {}", "find {} in this image"),
}
"""As people say it; whether the grammar understands them is part of what is measured. {}: the things, as the standard
wording names them."""
_THINGS = re.compile(r"^(?:segment|instance segmentation of|detect|mask of) (?P<things>.+)$")
_LEAST_LETTERS = 4


def wordings_of(task: Task) -> tuple[Wording, ...]:
    """What can be done to the words of a task. Palettes and prompts are no prose; only what is referred to has colours."""
    if task not in _PARAPHRASES:
        return ()
    if task is Task.REFERRING:
        return WORDINGS
    return WORDINGS[:3] if task in (Task.INSTANCE, Task.DETECT) else WORDINGS[:2]


def paraphrase(item: Item) -> str | None:
    """The item's question in other words, the same ones whenever it is asked; None where it has no such words."""
    some = _PARAPHRASES.get(item.instruction.task, ())
    found = _THINGS.match(item.instruction.text)
    if not some or ("{}" in some[0] and found is None):
        return None
    return some[_rng(item, "paraphrase").integers(len(some))].format(found["things"] if found else "")


def misspell(item: Item) -> str | None:
    """The item's question with two neighbouring letters inside one of its words exchanged."""
    text, rng = item.instruction.text, _rng(item, "misspelling")
    places = [
        i
        for word in re.finditer(r"[a-z]+", text)
        if len(word[0]) >= _LEAST_LETTERS
        for i in range(word.start() + 1, word.end() - 1)
        if text[i] != text[i + 1 : i + 2] and i + 1 < word.end()
    ]
    if not places:
        return None
    i = places[rng.integers(len(places))]
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def missing(item: Item) -> Wording | None:
    """What an item asks for in vain: a class or a colour that is not there; None where it is."""
    if not is_nothing(item.truth) or not item.instruction.targets:
        return None
    return "wrong_colour" if item.instruction.targets[0].attributes else "absent"


def is_nothing(truth: Payload) -> bool:
    """Whether the true answer is that nothing is there."""
    match truth:
        case Segmentation():
            return truth.mode != "semantic" and not truth.masks.any()
        case Detections() | Poses():
            return len(truth) == 0
        case _:
            return False


def _rng(item: Item, salt: str) -> np.random.Generator:
    return np.random.default_rng(list(hashlib.sha256(f"{item.id}/{salt}".encode()).digest()))


def kinds(tasks: Sequence[Task]) -> tuple[Wording, ...]:
    """Every wording that one of the tasks has."""
    return tuple(w for w in WORDINGS if any(w in wordings_of(task) for task in tasks))
