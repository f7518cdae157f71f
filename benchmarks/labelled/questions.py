"""From a picture to a question of each task, with its true answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from visionrouter.benchmarks.labelled.picture import LEAST_AREA, Picture, Thing, Words
from visionrouter.benchmarks.labelled.referring import refer
from visionrouter.instruction import canonical, parse
from visionrouter.schema.arrays import Bool
from visionrouter.schema.palette import NAMED_COLOURS
from visionrouter.schema.payload import (
    DepthMap,
    Detections,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
    boxes_of,
)
from visionrouter.schema.request import NO_PROMPTS, Prompts
from visionrouter.schema.task import Instruction, Palette, PaletteEntry, Target, Task

Mode = Literal["semantic", "instance", "referring", "promptable"]
MOST_CLASSES = 8
"""Of one semantic question."""
MOST_DETECTED = 3
ABSENT_SHARE = 0.2
"""Share of semantic and detection questions that name something absent too."""
HIDDEN_SCORE = 0.5
"""Of joints that are labelled but hidden."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of a picture, and the true answer."""

    instruction: Instruction
    truth: Payload
    prompts: Prompts = NO_PROMPTS


def ask(picture: Picture, words: Words, task: Task) -> Question | None:
    """The question of a task, the same whenever it is asked of the same scene; None where the labels hold none."""
    key = hashlib.sha256(f"{picture.scene}/{task}".encode()).digest()
    return _QUESTIONS[task](_Asked(picture, words, np.random.default_rng(list(key))))


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What every question is made from."""

    picture: Picture
    words: Words
    rng: np.random.Generator


def say(task: Task, targets: Sequence[Target] = (), palette: Palette = ()) -> Instruction:
    """An instruction in words, as they are understood."""
    return parse(canonical(Instruction(task, "", tuple(targets), palette)))


def _depth(asked: _Asked) -> Question | None:
    depth_m = asked.picture.depth_m
    return None if depth_m is None else Question(say(Task.DEPTH), DepthMap(depth_m, "m"))


def _normals(asked: _Asked) -> Question | None:
    normals = asked.picture.normals
    return None if normals is None else Question(say(Task.NORMALS), NormalMap(normals))


def _semantic(asked: _Asked) -> Question | None:
    """The classes that are there, up to eight, in random colours and order."""
    picture, words, rng = asked.picture, asked.words, asked.rng
    names = (*words.stuff, *words.things)
    area = picture.semantic(names).mean((1, 2))
    there = [name for name, share in zip(names, area, strict=True) if share >= LEAST_AREA]
    if not there:
        return None
    there = [there[i] for i in rng.permutation(len(there))][:MOST_CLASSES]
    missing = [name for name, share in zip(names, area, strict=True) if share == 0]
    if missing and rng.random() < ABSENT_SHARE:
        there[-1 if len(there) == MOST_CLASSES else len(there) :] = [missing[rng.integers(len(missing))]]
    colours = [name for name in NAMED_COLOURS if name != "black"]
    chosen = rng.permutation(len(colours))[: len(there)]
    palette = tuple(
        PaletteEntry(name, NAMED_COLOURS[colours[c]], colours[c])
        for name, c in zip(there, chosen, strict=True)
    )
    return Question(say(Task.SEMANTIC, (), palette), _masks(picture.semantic(there), there, "semantic"))


def _referring(asked: _Asked) -> Question | None:
    picture, words, rng = asked.picture, asked.words, asked.rng
    meant = refer(picture, words, rng)
    if meant is None:
        return None
    target, mask = meant
    return Question(say(Task.REFERRING, [target]), _masks(mask[None], [target.noun], "referring"))


def _instance(asked: _Asked) -> Question | None:
    """Every clear thing of one class, which is sometimes absent."""
    picture, words, rng = asked.picture, asked.words, asked.rng
    here = sorted({thing.label for thing in picture.clear})
    if not here or rng.random() < ABSENT_SHARE / 2:
        seen = {thing.label for thing in picture.things}
        here = [name for name in words.things if name not in seen]
        if not here:
            return None
    label = here[rng.integers(len(here))]
    masks = [thing.mask for thing in picture.clear if thing.label == label]
    found = np.stack(masks) if masks else np.zeros((0, *picture.pixels.shape[:2]), np.bool_)
    return Question(
        say(Task.INSTANCE, [Target(label, label)]), _masks(found, [label] * len(masks), "instance")
    )


def _promptable(asked: _Asked) -> Question | None:
    """The box of one thing is given."""
    picture, rng = asked.picture, asked.rng
    if not picture.clear:
        return None
    thing = picture.clear[rng.integers(len(picture.clear))]
    truth = _masks(thing.mask[None], [thing.label], "promptable")
    return Question(say(Task.PROMPTABLE), truth, Prompts(boxes=thing.box[None]))


def _detect(asked: _Asked) -> Question | None:
    """Every clear thing of up to three classes, of which some may be absent."""
    picture, words, rng = asked.picture, asked.words, asked.rng
    names = words.detected
    here = sorted({thing.label for thing in picture.clear if thing.label in names})
    seen = {thing.label for thing in picture.things}
    missing = [label for label in names if label not in seen]
    labels = [here[i] for i in rng.permutation(len(here))][:MOST_DETECTED]
    if missing and (not labels or rng.random() < ABSENT_SHARE):
        labels.append(missing[rng.integers(len(missing))])
    if not labels:
        return None
    things = [thing for thing in picture.clear if thing.label in labels]
    truth = Detections(
        boxes=boxes_of(_stacked(things, picture)),
        scores=np.ones(len(things), np.float32),
        labels=tuple(names[thing.label] for thing in things),
    )
    return Question(say(Task.DETECT, [Target(names[label], names[label]) for label in labels]), truth)


def _pose(asked: _Asked) -> Question | None:
    """Everybody of whom a joint is seen."""
    picture, words = asked.picture, asked.words
    people = [t for t in picture.things if t.joints is not None and (t.joints[:, 2] == 2).any()]
    if not people:
        return None
    joints = np.stack([thing.joints for thing in people if thing.joints is not None]).astype(np.float32)
    scores = np.choose(joints[..., 2].astype(int), (0.0, HIDDEN_SCORE, 1.0)).astype(np.float32)
    truth = Poses(
        keypoints=np.ascontiguousarray(joints[..., :2]),
        keypoint_scores=scores,
        boxes=boxes_of(_stacked(people, picture)),
        scores=np.ones(len(people), np.float32),
        names=words.joints,
        edges=words.bones,
    )
    return Question(say(Task.POSE), truth)


def _stacked(things: Sequence[Thing], picture: Picture) -> Bool:
    empty = np.zeros((0, *picture.pixels.shape[:2]), np.bool_)
    return np.stack([thing.mask for thing in things]) if things else empty


def _masks(masks: Bool, labels: Sequence[str], mode: Mode) -> Segmentation:
    return Segmentation(masks, np.ones(len(labels), np.float32), tuple(labels), mode)


_QUESTIONS: dict[Task, Callable[[_Asked], Question | None]] = {
    Task.DEPTH: _depth,
    Task.NORMALS: _normals,
    Task.SEMANTIC: _semantic,
    Task.REFERRING: _referring,
    Task.INSTANCE: _instance,
    Task.PROMPTABLE: _promptable,
    Task.DETECT: _detect,
    Task.POSE: _pose,
}
