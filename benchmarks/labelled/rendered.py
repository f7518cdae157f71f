"""Rendered scenes as a source: the town, and the four worlds of the proving ground.

A scene's seed is `FIRST_SEED[split] + seed * SCENES_A_SEED + place`. Tuning draws its seeds below `HELD_OUT_SEED`, so
no scene given here was ever learnt from; calibration and test have ranges of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from visionrouter.benchmarks.labelled.condition import (
    CLEAN,
    ODD,
    TILTED,
    Condition,
    damaged,
    parse_conditions,
)
from visionrouter.benchmarks.labelled.item import Item, Split
from visionrouter.benchmarks.labelled.occlusion import TAG, occluded_share
from visionrouter.benchmarks.labelled.picture import Picture, Thing, Words
from visionrouter.benchmarks.labelled.questions import Question, ask
from visionrouter.benchmarks.scenes import DAMAGES, WORLDS, render, sample, tilted, town, vocabulary
from visionrouter.benchmarks.tuning.evaluate import HELD_OUT_SEED
from visionrouter.schema.errors import RequestError
from visionrouter.schema.image import load_image
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from visionrouter.benchmarks.scenes import Scenes, Views

FIRST_SEED: dict[Split, int] = {"calibration": HELD_OUT_SEED, "test": 2 * HELD_OUT_SEED}
SCENES_A_SEED = 1_000_000
SEEDS = HELD_OUT_SEED // SCENES_A_SEED
AT_ONCE = 8
"""Scenes rendered and held together, at most."""
MOST_BARREN = 256
EDITION = 1
"""Raise it when a world's look or truth changes: certificates made on the old one then no longer fit."""
TASKS = frozenset(
    {
        Task.DEPTH, Task.NORMALS, Task.SEMANTIC, Task.REFERRING, Task.INSTANCE, Task.PROMPTABLE, Task.DETECT,
        Task.POSE,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """How to draw scenes of given seeds, odd ones where there are any, how to render them at a size, and what their indices
    mean."""

    draw: Callable[[Sequence[int], bool], Scenes]
    render: Callable[[Scenes, int, int], Views]
    words: Words
    places: tuple[str, ...]
    """World names, by `Views.world`"""
    has_odd: bool = False

    def views(self, seeds: Sequence[int], shown: str, size: int) -> Views:
        """`shown`: CLEAN, ODD or TILTED."""
        scenes = self.draw(seeds, shown == ODD)
        return self.render(tilted(scenes) if shown == TILTED else scenes, size, size)


def town_world() -> World:
    words = Words(
        stuff=town.STUFF,
        things=town.THINGS,
        colours=town.COLOUR_NAMES,
        detected={"person": "person", "car": "car", "ball": "sports ball"},
        joints=town.JOINTS,
        bones=town.SKELETON,
    )

    return World(lambda seeds, _odd: town.sample(seeds), town.render, words, ("town",))


def proving_ground(world: str) -> World:
    """`world`: one of WORLDS, or "mixed"."""
    words = Words(
        stuff=vocabulary.STUFF,
        things=vocabulary.THINGS,
        colours=vocabulary.COLOUR_NAMES,
        detected={name: name for name in vocabulary.COCO_THINGS},
        joints=vocabulary.KEYPOINTS,
        bones=vocabulary.SKELETON,
    )

    return World(lambda seeds, odd: sample(world, seeds, ood=odd), render, words, WORLDS, has_odd=True)


@dataclass(frozen=True, slots=True)
class RenderedSource:
    """Scenes of one world, `size` pixels square."""

    name: str
    world: World
    split: Split = "calibration"
    size: int = 256

    @property
    def digest(self) -> str:
        what = f"{self.name} edition {EDITION}, {self.split}, {self.size} pixels"
        return hashlib.sha256(what.encode()).hexdigest()

    @property
    def tasks(self) -> frozenset[Task]:
        return TASKS

    @property
    def conditions(self) -> tuple[str, ...]:
        return (CLEAN, *((ODD,) if self.world.has_odd else ()), TILTED, *damaged(tuple(DAMAGES)))

    def items(
        self, task: Task, count: int, *, seed: int = 0, conditions: Sequence[str] = (CLEAN,)
    ) -> Iterator[Item]:
        """As `Source.items`; `seed` from 0 to 999."""
        if task not in self.tasks:
            raise RequestError(
                f"{self.name} has no labels for {task}; it has {', '.join(sorted(self.tasks))}"
            )
        if not 0 <= seed < SEEDS:
            raise RequestError(f"seed is {seed}; {self.name} has scenes for 0 to {SEEDS - 1}")
        shown = parse_conditions(conditions, self.conditions, self.name)
        first = FIRST_SEED[self.split] + seed * SCENES_A_SEED
        return islice(self._all(task, first, shown, min(AT_ONCE, max(1, count))), count * len(shown))

    def _all(self, task: Task, first: int, conditions: tuple[Condition, ...], at_once: int) -> Iterator[Item]:
        barren = 0
        for start in range(first, first + SCENES_A_SEED, at_once):
            barren += at_once
            for item in self._items(task, range(start, start + at_once), conditions):
                barren = 0
                yield item
            if barren >= MOST_BARREN:
                raise RequestError(
                    f"{self.name}: {barren} scenes in a row show nothing that {task} could be asked of; take another world"
                )

    def _items(self, task: Task, seeds: range, conditions: tuple[Condition, ...]) -> Iterator[Item]:
        kinds = sorted({condition.scenes for condition in conditions})
        views = {kind: self.world.views(seeds, kind, self.size) for kind in kinds}
        for i, scene_seed in enumerate(seeds):
            pictures = {kind: self._picture(views[kind], i, kind) for kind in kinds}
            asked = {kind: ask(pictures[kind], self.world.words, task) for kind in kinds}
            for condition in conditions:
                picture, question = pictures[condition.scenes], asked[condition.scenes]
                if question is None or None in asked.values():
                    continue
                yield Item(
                    id=f"{self.name}/{scene_seed}/{condition.name}/{task}",
                    scene=picture.scene,
                    image=load_image(condition.show(picture.pixels, picture.depth_m, scene_seed)),
                    instruction=question.instruction,
                    truth=question.truth,
                    prompts=question.prompts,
                    tags={
                        "source": self.name,
                        **picture.tags,
                        **condition.tags,
                        **_hidden(picture, question),
                    },
                )

    def _picture(self, views: Views, i: int, kind: str) -> Picture:
        words, objects = self.world.words, views.objects
        classes = (*words.stuff, *words.things)
        instance, semantic = views.instance[i].numpy(), views.semantic[i].numpy()
        normals = views.normals[i].permute(1, 2, 0).numpy().copy()
        normals[(normals == 0).all(-1)] = np.nan
        things = []
        for k in (objects.visible_px[i] > 0).nonzero()[:, 0].tolist():
            label, colour = classes[int(objects.class_id[i, k])], int(objects.colour[i, k])
            joints = objects.keypoints[i, k].numpy() if label == "person" else None
            mask = instance == k + 1
            hidden = float(objects.occluded[i, k])
            things.append(Thing(label, mask, words.colours[colour] if colour >= 0 else None, joints, hidden))
        stuff = {classes[c]: (semantic == c) & (instance == 0) for c in np.unique(semantic[instance == 0])}
        seed = int(views.seed[i])
        return Picture(
            scene=f"{self.name}/{seed}{'' if kind == CLEAN else f'-{kind}'}",
            pixels=(views.rgb[i].permute(1, 2, 0) * 255).round().byte().numpy(),
            things=tuple(things),
            stuff=stuff,
            depth_m=views.depth_m[i].numpy(),
            normals=normals,
            tags={"world": self.world.places[int(views.world[i])]},
        )


def _hidden(picture: Picture, question: Question) -> dict[str, str]:
    share = occluded_share(picture, question.truth)
    return {} if share is None else {TAG: f"{share:.3f}"}
