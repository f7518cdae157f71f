"""What a user asks (`Request`) and what a backend is asked (`Query`)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from visionrouter.schema.arrays import F32, U8, Boxes, Points, check
from visionrouter.schema.errors import RequestError
from visionrouter.schema.image import Image
from visionrouter.schema.quick import quick_init
from visionrouter.schema.task import Instruction, Palette, Target, Task


class Criticality(StrEnum):
    """What a wrong answer costs. Policies read it; under load the lower ones are shed first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    SAFETY = "safety"


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """Where to look, for promptable segmentation.

    `boxes`: float32 (N, 4) xyxy pixels. `points`: float32 (M, 2) xy pixels with `point_labels` uint8 (M,),
    1 on the thing, 0 off it.
    """

    boxes: Boxes = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    points: Points = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    point_labels: U8 = field(default_factory=lambda: np.zeros(0, np.uint8))

    def __post_init__(self) -> None:
        check(self.boxes, "Prompts", "boxes", np.float32, (None, 4))
        check(self.points, "Prompts", "points", np.float32, (None, 2))
        check(self.point_labels, "Prompts", "point_labels", np.uint8, (len(self.points),))

    def __bool__(self) -> bool:
        return len(self.boxes) > 0 or len(self.points) > 0


NO_PROMPTS = Prompts()


@quick_init
@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One request.

    `deadline_ms`: budget for the whole request, milliseconds from its start; None: none. `tags`: what policies and
    experiments key on (camera, customer, weather). `context`: anything else conditions read (`context.hour` is the
    clock's unless given). `seed`: of every random draw made for it.
    """

    image: Image
    instruction: Instruction
    prompts: Prompts = NO_PROMPTS
    tags: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, object] = field(default_factory=dict)
    deadline_ms: float | None = None
    criticality: Criticality = Criticality.NORMAL
    seed: int = 0
    id: str = field(default_factory=lambda: os.urandom(8).hex())

    def __post_init__(self) -> None:
        if self.deadline_ms is not None and not (self.deadline_ms > 0 and math.isfinite(self.deadline_ms)):
            raise RequestError(
                f"deadline_ms is {self.deadline_ms}; give a positive number of milliseconds or None"
            )
        if not 0 <= self.seed < 2**63:
            raise RequestError(f"seed is {self.seed}; give an integer from 0 to 2^63-1")
        if self.instruction.task is Task.PROMPTABLE and not self.prompts:
            raise RequestError("a promptable segmentation needs a box or a point; give boxes= or points=")
        for name, coordinates in (("boxes", self.prompts.boxes), ("points", self.prompts.points)):
            if coordinates.size and not _inside(coordinates, self.image):
                raise RequestError(
                    f"{name} lie outside the image of {self.image.width}x{self.image.height} pixels"
                )


def _inside(coordinates: F32, image: Image) -> bool:
    xs, ys = coordinates[:, 0::2], coordinates[:, 1::2]
    return bool(
        (xs >= 0).all() and (ys >= 0).all() and (xs <= image.width).all() and (ys <= image.height).all()
    )


@quick_init
@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One question to one backend: a single task on a single image, with all that a backend may need.

    `palette` is never empty for semantic segmentation asked of a generative backend. `text` is the user's own words.
    `style` is the instruction's.
    `tags` and `criticality` are the request's: queues are fair between tags and shed the less critical first.
    """

    task: Task
    image: Image
    targets: tuple[Target, ...] = ()
    palette: Palette = ()
    prompts: Prompts = NO_PROMPTS
    seed: int = 0
    text: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    criticality: Criticality = Criticality.NORMAL
    style: str | None = None
