"""Rendered scenes as a source of labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.backends.generative.tuning.labelled import TASKS, Labelled, Source, Vocabulary
from visionrouter.benchmarks.scenes import (
    COLOUR_NAMES,
    HELD_OUT,
    MAX_OBJECTS,
    STUFF,
    THINGS,
    Views,
    render,
    sample,
    town,
)
from visionrouter.schema.task import Task

RENDERED_AT_ONCE = 64
DRAWN_ON_GPU = 256
"""Scenes from which on drawing their parameters on the GPU pays."""
OTHER_NAMES = {"ball": "sports ball"}
"""Town things that the proving ground calls otherwise."""
FAR_M = 60000.0
"""Most metres that float16 holds, nearly; farther surfaces are drawn in the last place of the walk all the same."""


class _Rendered:
    """What all rendered sources share: the names of the proving ground, and as many scenes as there are seeds."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Held-out classes are no part of it."""
        things = tuple(name for name in THINGS if name not in HELD_OUT)
        return Vocabulary(STUFF, things, COLOUR_NAMES, MAX_OBJECTS)

    def __len__(self) -> int:
        return 1 << 31


@dataclass(frozen=True)
class SceneSource(_Rendered):
    """Scene i is the one of seed `first_seed` + i. Held-out classes are no part of the vocabulary."""

    world: str = "mixed"
    first_seed: int = 0
    ood: bool = False

    def pictures(self, start: int, count: int, size: int, device: torch.device) -> Labelled:
        """Render scenes."""
        seeds = range(self.first_seed + start, self.first_seed + start + count)
        drawn_on = device if count >= DRAWN_ON_GPU else torch.device("cpu")
        scenes = sample(self.world, seeds, ood=self.ood, device=drawn_on).to(device)
        parts = [
            labelled(render(scenes[i : i + RENDERED_AT_ONCE], size, size))
            for i in range(0, count, RENDERED_AT_ONCE)
        ]
        return Labelled.joined(parts)


@dataclass(frozen=True)
class TownSource(_Rendered):
    """Town scenes under the names of the proving ground; what it has no name for is unlabelled. Scene i is the one of seed
    `first_seed` + i."""

    first_seed: int = 0

    def pictures(self, start: int, count: int, size: int, device: torch.device) -> Labelled:
        """Render scenes."""
        seeds = range(self.first_seed + start, self.first_seed + start + count)
        scenes = town.sample(seeds).to(device)
        parts = [
            renamed(town.render(scenes[i : i + RENDERED_AT_ONCE], size, size), self.vocabulary)
            for i in range(0, count, RENDERED_AT_ONCE)
        ]
        return Labelled.joined(parts)


@dataclass(frozen=True)
class EverywhereSource(_Rendered):
    """The town and the four worlds by turns: even places are the town's."""

    first_seed: int = 0

    def pictures(self, start: int, count: int, size: int, device: torch.device) -> Labelled:
        """Render scenes."""
        town_scenes = range(-(-start // 2), -(-(start + count) // 2))
        mixed = range(start // 2, (start + count) // 2)
        sources = (TownSource(self.first_seed), town_scenes), (SceneSource("mixed", self.first_seed), mixed)
        parts = [own.pictures(some.start, len(some), size, device) for own, some in sources if some]
        order = torch.tensor([place % 2 for place in range(start, start + count)]).argsort(stable=True)
        return Labelled.joined(parts)[order.argsort()]


def source_of(world: str, first_seed: int) -> Source:
    """Scenes of one world, of "mixed" ones, of the "town", or of "everywhere"."""
    match world:
        case "town":
            return TownSource(first_seed)
        case "everywhere":
            return EverywhereSource(first_seed)
        case _:
            return SceneSource(world, first_seed)


def renamed(views: Views, vocabulary: Vocabulary) -> Labelled:
    """Town views with their truth under other names."""
    stuff = torch.tensor([_place(name, vocabulary.stuff) for name in town.STUFF])
    things = torch.tensor([_place(OTHER_NAMES.get(name, name), vocabulary.things) for name in town.THINGS])
    colours = torch.tensor([_place(name, vocabulary.colours) for name in town.COLOUR_NAMES])
    instance, semantic = views.instance.long(), views.semantic.long()
    ground = 1 + stuff[semantic.clamp_max(len(stuff) - 1)]
    region = torch.where(instance > 0, instance + len(vocabulary.stuff), ground)
    region = torch.where((instance == 0) & (semantic >= len(stuff)), 0, region)
    of_class, colour = views.objects.class_id.long() - len(stuff), views.objects.colour.long()
    slots = (len(views), vocabulary.slots)
    thing, painted = torch.full(slots, -1), torch.full(slots, -1)
    thing[:, : of_class.shape[1]] = torch.where(of_class >= 0, things[of_class.clamp_min(0)], -1)
    painted[:, : colour.shape[1]] = torch.where(colour >= 0, colours[colour.clamp_min(0)], -1)
    answers = torch.tensor([task is not Task.POSE for task in TASKS])
    return Labelled(
        rgb=(views.rgb * 255).round().to(torch.uint8),
        depth_m=_half(views.depth_m),
        normals=(views.normals * 127).round().to(torch.int8),
        region=region.to(torch.uint8),
        thing=thing.to(torch.int16),
        colour=painted.to(torch.int16),
        keypoints=torch.zeros(*slots, 17, 3),
        answers=answers.expand(len(views), -1).clone(),
    )


def _place(name: str, names: tuple[str, ...]) -> int:
    return names.index(name) if name in names else -1


def labelled(views: Views) -> Labelled:
    """Rendered views with their truth as training labels."""
    stuff = len(STUFF)
    thing = views.objects.class_id - stuff
    ordinary = thing < len(THINGS) - len(HELD_OUT)
    instance, semantic = views.instance, views.semantic
    region = torch.where(instance > 0, instance + stuff, semantic + 1)
    region = torch.where((instance == 0) & (semantic >= stuff), 0, region)
    return Labelled(
        rgb=(views.rgb * 255).round().to(torch.uint8),
        depth_m=_half(views.depth_m),
        normals=(views.normals * 127).round().to(torch.int8),
        region=region.to(torch.uint8),
        thing=torch.where((views.objects.class_id >= 0) & ordinary, thing, -1).to(torch.int16),
        colour=views.objects.colour.to(torch.int16),
        keypoints=views.objects.keypoints.float(),
        answers=torch.ones(len(views), len(TASKS), dtype=torch.bool, device=views.rgb.device),
    )


def _half(depth_m: Tensor) -> Tensor:
    return torch.where(depth_m.isinf(), depth_m, depth_m.clamp_max(FAR_M)).half()
