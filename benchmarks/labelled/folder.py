"""Labelled pictures in a folder as a source, whatever their format.

A picture is a scene, and belongs to calibration or to test by a hash of its name. Frames of one video are not
exchangeable: keep one of each.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from visionrouter.benchmarks.labelled.condition import (
    CLEAN,
    CORRUPTIONS,
    DEPTH_FREE,
    Condition,
    damaged,
    parse_conditions,
)
from visionrouter.benchmarks.labelled.item import Item, Split
from visionrouter.benchmarks.labelled.picture import Picture, Words
from visionrouter.benchmarks.labelled.questions import ask
from visionrouter.schema.errors import RequestError
from visionrouter.schema.image import Image
from visionrouter.schema.task import Task

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FolderSource:
    """`scenes`: names of the pictures, each unique. `read` opens one of them. `files`: all that its data are, for the
    digest. `has_depth`: whether every picture has its true depth, without which there is no fog; where a pixel's depth
    is unknown, damages take it to be far away."""

    name: str
    words: Words
    tasks: frozenset[Task]
    scenes: tuple[str, ...]
    read: Callable[[str], Picture]
    files: tuple[Path, ...]
    has_depth: bool
    split: Split = "calibration"

    @property
    def digest(self) -> str:
        """Of the split and the bytes of all files; reads them all."""
        sha = hashlib.sha256(self.split.encode())
        for content in sorted(map(_digest, self.files)):
            sha.update(content)
        return sha.hexdigest()

    @property
    def conditions(self) -> tuple[str, ...]:
        if not self.has_depth:
            return (CLEAN, *damaged((*DEPTH_FREE, *CORRUPTIONS)))
        from visionrouter.benchmarks.scenes import DAMAGES

        return (CLEAN, *damaged(tuple(DAMAGES)))

    def items(
        self, task: Task, count: int, *, seed: int = 0, conditions: Sequence[str] = (CLEAN,)
    ) -> Iterator[Item]:
        """As `Source.items`; `seed` orders the pictures."""
        if task not in self.tasks:
            raise RequestError(
                f"{self.name} has no labels for {task}; it has {', '.join(sorted(self.tasks))}"
            )
        shown = parse_conditions(conditions, self.conditions, self.name)
        mine = [scene for scene in self.scenes if split_of(scene) == self.split]
        order = np.random.default_rng(seed).permutation(len(mine))
        items = (item for i in order for item in self._items(task, mine[i], shown))
        return islice(items, count * len(shown))

    def _items(self, task: Task, scene: str, conditions: tuple[Condition, ...]) -> Iterator[Item]:
        picture = self.read(scene)
        question = ask(picture, self.words, task)
        if question is None:
            return
        for condition in conditions:
            pixels = condition.show(picture.pixels, picture.depth_m, zlib.crc32(scene.encode()))
            yield Item(
                id=f"{self.name}/{scene}/{condition.name}/{task}",
                scene=f"{self.name}/{scene}",
                image=Image(pixels, source=scene),
                instruction=question.instruction,
                truth=question.truth,
                prompts=question.prompts,
                tags={"source": self.name, "world": "photos", **picture.tags, **condition.tags},
            )


def split_of(scene: str) -> Split:
    """Half of all names are for calibration."""
    return "calibration" if hashlib.sha256(scene.encode()).digest()[0] < 128 else "test"


def _digest(path: Path) -> bytes:
    sha = hashlib.sha256(path.name.encode())
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
    return sha.digest()
