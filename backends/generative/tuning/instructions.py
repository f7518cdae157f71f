"""Instructions for pictures: words, and the colour in which each region is to be drawn.

Everything is written and tokenised before training starts, by as many processes as there are cores, so that a
training step only looks tables up on its device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.nano.prompts import (
    ALIASES,
    MAX_CLASSES,
    PHRASES,
    instruct,
    palette_words,
    target_words,
)
from visionrouter.backends.generative.tuning.facts import Facts
from visionrouter.backends.generative.tuning.labelled import TASKS, Vocabulary
from visionrouter.backends.generative.tuning.referring import Scene, choose
from visionrouter.schema.palette import BACKGROUND, NAMED_COLOURS
from visionrouter.schema.task import Target, Task

U8 = npt.NDArray[np.uint8]
PAINTS = tuple(name for name in NAMED_COLOURS if name != "black")
FIXED_SHARE = 0.2
"""Share of palettes with each class in its own fixed colour; the rest are drawn at random."""
ALIAS_SHARE = 0.12
BACKGROUND_SHARE = 0.15
EMPTY_POSE_SHARE = 0.1
"""Pictures without people for which pose is asked all the same; the answer is black."""


@dataclass(frozen=True)
class Written:
    """One instruction of one picture. `colours`: uint8 (R, 3), how each region is drawn (segmentation tasks)."""

    task: Task
    mirrored: bool
    words: str
    colours: U8


@dataclass(frozen=True)
class Rows:
    """N instructions as arrays; `task` indexes TASKS, `picture` the pictures they were written for."""

    task: U8
    picture: npt.NDArray[np.int32]
    mirrored: npt.NDArray[np.bool_]
    tokens: npt.NDArray[np.int32]
    """(N, L) token ids as the learner's tokenizer gives them"""
    colours: U8
    """(N, R, 3)"""

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """One table of several; picture numbers are kept."""
        names = ("task", "picture", "mirrored", "tokens", "colours")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def fixed_paint(label: str, vocabulary: Vocabulary) -> str:
    """The colour that a class has when nobody asked for another."""
    labels = (*vocabulary.stuff, *vocabulary.things)
    return PAINTS[labels.index(label) * 4 % len(PAINTS)]


def fixed_palette(labels: Sequence[str], vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Each class in its fixed colour, or the next free one where two would share it. At most 15 classes."""
    taken: dict[str, str] = {}
    for label in labels:
        start = PAINTS.index(fixed_paint(label, vocabulary))
        taken[label] = next(
            paint for paint in (*PAINTS[start:], *PAINTS[:start]) if paint not in taken.values()
        )
    return list(taken.items())


def write(
    facts: Facts, picture: int, vocabulary: Vocabulary, counts: Mapping[Task, int], seed: int
) -> list[Written]:
    """The instructions of one picture, `counts` of each task, drawn from (seed, picture)."""
    rng = np.random.default_rng((seed, picture))
    asked = bool((facts.thing[0] == _person(vocabulary)).any()) or rng.random() < EMPTY_POSE_SHARE
    out = []
    for mirrored, view in ((False, facts), (True, facts.mirrored())):
        scene = Scene(view, 0, vocabulary)
        for index, task in enumerate(TASKS):
            if not facts.answers[0, index] or (task is Task.POSE and not asked):
                continue
            for number in range(counts[task]):
                if (number % 2 == 1) == mirrored:
                    words, colours = _WRITERS[task](scene, rng)
                    phrase = int(rng.integers(len(PHRASES[task])))
                    out.append(Written(task, mirrored, instruct(task, words, phrase), colours))
    return out


def _person(vocabulary: Vocabulary) -> int:
    return vocabulary.things.index("person") if "person" in vocabulary.things else len(vocabulary.things)


def _blank(scene: Scene) -> U8:
    return np.zeros((scene.vocabulary.regions, 3), np.uint8)


def _no_words(scene: Scene, rng: np.random.Generator) -> tuple[str, U8]:  # noqa: ARG001
    return "", _blank(scene)


def _semantic(scene: Scene, rng: np.random.Generator) -> tuple[str, U8]:
    vocabulary = scene.vocabulary
    stuff_here = [vocabulary.stuff[i] for i in np.flatnonzero(scene.stuff_area > 0)]
    things_here = [vocabulary.things[t] for t in np.unique(scene.thing[scene.seen])]
    labels = list(rng.permutation([*stuff_here, *things_here]))
    if rng.random() < 0.6:
        labels = labels[: rng.integers(1, MAX_CLASSES + 1)]
    known = (*vocabulary.stuff, *vocabulary.things)
    extra = rng.choice(len(known), size=rng.integers(0, 4), replace=False)
    backed = rng.random() < BACKGROUND_SHARE
    labels = list(dict.fromkeys([*labels, *(known[i] for i in extra)]))[: MAX_CLASSES - backed]
    labels = [str(label) for label in rng.permutation(labels)] or [known[rng.integers(len(known))]]
    if rng.random() < FIXED_SHARE:
        pairs = fixed_palette(labels, vocabulary)
    else:
        paints = rng.choice(len(PAINTS), size=len(labels), replace=False)
        pairs = [(label, PAINTS[i]) for label, i in zip(labels, paints, strict=True)]
    colours = _blank(scene)
    free = [paint for paint in PAINTS if paint not in dict(pairs).values()]
    said = [(_alias(label, rng), paint) for label, paint in pairs]
    if backed:
        paint = free[rng.integers(len(free))]
        said.append((BACKGROUND, paint))
        colours[:] = NAMED_COLOURS[paint]
    for label, paint in pairs:
        if label in vocabulary.stuff:
            colours[1 + vocabulary.stuff.index(label)] = NAMED_COLOURS[paint]
        else:
            slots = scene.of(vocabulary.things.index(label))
            colours[sorted(scene.regions(slots))] = NAMED_COLOURS[paint]
    return palette_words(said), colours


def _referring(scene: Scene, rng: np.random.Generator) -> tuple[str, U8]:
    meant = choose(scene, rng)
    colours = _blank(scene)
    colours[sorted(meant.regions)] = 255
    target = meant.target
    said = Target(_alias(target.noun, rng), target.text, target.attributes, target.relations, target.number)
    return target_words(said, int(rng.integers(2))), colours


def _instance(scene: Scene, rng: np.random.Generator) -> tuple[str, U8]:
    things = scene.vocabulary.things
    here = np.unique(scene.thing[scene.seen])
    thing = int(rng.choice(here)) if len(here) and rng.random() < 0.9 else int(rng.integers(len(things)))
    colours = _blank(scene)
    for k in scene.of(thing):
        colours[scene.first_object + k] = instance_colour(float(scene.x[k]), float(scene.y[k]))
    return _alias(things[thing], rng), colours


def instance_colour(x: float, y: float) -> tuple[int, int, int]:
    """The colour of an instance with its centroid at (x, y) as shares of the sides, after Painter (arXiv
    2212.02499), where place decides too: every pixel can tell it without counting its fellows. Red and blue go
    round a loop twice across the picture, green rises and falls once; no channel is under a quarter."""
    red, green, blue = _wave(4 * x), _wave(1.5 * y), _wave(4 * x + 0.5)
    return tuple(round(255 * (0.25 + 0.75 * level)) for level in (red, green, blue))  # type: ignore[return-value]


def _wave(phase: float) -> float:
    """Triangle wave of period 2 between 0 and 1."""
    return 1 - abs(phase % 2 - 1)


def _alias(name: str, rng: np.random.Generator) -> str:
    others = [alias for alias, meant in ALIASES.items() if meant == name]
    return others[rng.integers(len(others))] if others and rng.random() < ALIAS_SHARE else name


_WRITERS: Mapping[Task, Callable[[Scene, np.random.Generator], tuple[str, U8]]] = {
    Task.DEPTH: _no_words,
    Task.NORMALS: _no_words,
    Task.SEMANTIC: _semantic,
    Task.REFERRING: _referring,
    Task.INSTANCE: _instance,
    Task.POSE: _no_words,
}

Tokenize = Callable[[Sequence[str]], npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Job:
    """What one process writes: all instructions of a run of pictures that starts at number `start`."""

    facts: Facts
    start: int
    vocabulary: Vocabulary
    counts: Mapping[Task, int]
    seed: int
    tokenize: Tokenize

    def __call__(self) -> Rows:
        written, picture = [], []
        for i in range(len(self.facts)):
            some = write(self.facts[i : i + 1], self.start + i, self.vocabulary, self.counts, self.seed)
            written += some
            picture += [self.start + i] * len(some)
        return Rows(
            task=np.array([TASKS.index(w.task) for w in written], np.uint8),
            picture=np.array(picture, np.int32),
            mirrored=np.array([w.mirrored for w in written], np.bool_),
            tokens=self.tokenize([w.words for w in written]),
            colours=np.stack([w.colours for w in written]),
        )


def _run(job: Job) -> Rows:
    return job()


class Writers:
    """A pool of processes that write instructions while pictures are still being made; with one worker or
    none, writes in this process. Rows come out in the order the jobs went in."""

    def __init__(self, workers: int) -> None:
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None
        self._pending: list[Callable[[], Rows]] = []

    def submit(self, job: Job) -> None:
        """Start a job."""
        if self._pool is None:
            rows = job()
            self._pending.append(lambda: rows)
        else:
            self._pending.append(self._pool.submit(_run, job).result)

    def collect(self) -> Rows:
        """All rows, after the last job; ends the pool."""
        rows = Rows.joined([result() for result in self._pending])
        if self._pool is not None:
            self._pool.shutdown()
        return rows
