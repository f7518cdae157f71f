"""What every overhead benchmark asks: one detection on a 640x480 image in memory, of a backend that takes no time."""

from __future__ import annotations

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.router import Router
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import Detections
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Instruction, Target, Task

IMAGE = load_image(np.zeros((480, 640, 3), np.uint8))
ASKED = Instruction(Task.DETECT, "find the dog", (Target("dog", "the dog"),))
ANSWER = Answer(
    Detections(
        np.tile(np.array([[1, 2, 30, 40]], np.float32), (10, 1)), np.full(10, 0.9, np.float32), ("dog",) * 10
    )
)
LIMITS = {"fake": {Task.DETECT: {"score": Limit(min=0.5)}}}


def router(backend: Backend) -> Router:
    return Router([backend], limits=LIMITS)


def fake(*, inline: bool) -> FakeBackend:
    return FakeBackend(script=ANSWER, inline=inline, remember=False)
