"""The town: plain streets of flat-coloured things, the scenes that the embedded nano backbone was tuned on.

    from visionrouter.benchmarks.scenes import town

    views = town.render(town.sample(range(64)), 256, 256)    # Views, indices into the town's own vocabulary

What leaves its home ground (the richer worlds, damage, photos) is measured against what it does here. Scene, camera
and truth are those of the other worlds; the things, the look and the vocabulary are its own.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.camera import project
from visionrouter.benchmarks.scenes.motion import posed_keypoints
from visionrouter.benchmarks.scenes.render import render as render_scenes
from visionrouter.benchmarks.scenes.scene import Scenes, Views
from visionrouter.benchmarks.scenes.town.drawing import sample
from visionrouter.benchmarks.scenes.town.paint import paint
from visionrouter.benchmarks.scenes.town.things import (
    CLASSES,
    COLOUR_NAMES,
    COLOURS,
    JOINTS,
    MAX_OBJECTS,
    SKELETON,
    STUFF,
    THINGS,
)

HIDDEN_M = 0.45
"""A joint is hidden where a surface is more than this before it."""


def render(scenes: Scenes, height: int = 256, width: int = 256) -> Views:
    """Draw B town scenes with their truth. `semantic` and `class_id` index the town's CLASSES, `colour` its
    COLOUR_NAMES; `keypoints` are (B, K, 7, 3), v: 0 not a person or out of the frame, 1 occluded, 2 visible.
    Raises RequestError on a size that is not positive."""
    views = render_scenes(scenes, height, width, paint=paint)
    return replace(views, objects=replace(views.objects, keypoints=_keypoints(scenes, views)))


def _keypoints(scenes: Scenes, views: Views) -> Tensor:
    world = posed_keypoints(scenes)
    x, y, z = project(scenes.camera, world.nan_to_num(), views.height, views.width).unbind(-1)
    inside = ~world.isnan().any(-1) & (z > 0.5)
    inside &= (x >= 0) & (x < views.width) & (y >= 0) & (y < views.height)
    column, row = (torch.where(inside, c, 0.0).long() for c in (x, y))
    scene = torch.arange(len(views), device=z.device)[:, None, None]
    clear = views.depth_m[scene, row, column] > z - HIDDEN_M
    seen = torch.where(inside, torch.where(clear, 2.0, 1.0), 0.0)
    return torch.stack([torch.where(inside, x, 0.0), torch.where(inside, y, 0.0), seen], -1)


__all__ = [
    "CLASSES",
    "COLOURS",
    "COLOUR_NAMES",
    "JOINTS",
    "MAX_OBJECTS",
    "SKELETON",
    "STUFF",
    "THINGS",
    "render",
    "sample",
]
