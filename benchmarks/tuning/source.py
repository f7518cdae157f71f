"""Rendered scenes as a source of labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.backends.generative.tuning.labelled import TASKS, Labelled, Vocabulary
from visionrouter.benchmarks.scenes import (
    COLOUR_NAMES,
    HELD_OUT,
    MAX_OBJECTS,
    STUFF,
    THINGS,
    Views,
    render,
    sample,
)

RENDERED_AT_ONCE = 64
DRAWN_ON_GPU = 256
"""Scenes from which on drawing their parameters on the GPU pays."""
FAR_M = 60000.0
"""Most metres that float16 holds, nearly; farther surfaces are drawn in the last place of the walk all the same."""


@dataclass(frozen=True)
class SceneSource:
    """Scene i is the one of seed `first_seed` + i. Held-out classes are no part of the vocabulary."""

    world: str = "mixed"
    first_seed: int = 0
    ood: bool = False

    @property
    def vocabulary(self) -> Vocabulary:
        """Names of the proving ground."""
        things = tuple(name for name in THINGS if name not in HELD_OUT)
        return Vocabulary(STUFF, things, COLOUR_NAMES, MAX_OBJECTS)

    def __len__(self) -> int:
        return 1 << 31

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
