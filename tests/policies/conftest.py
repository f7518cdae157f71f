from collections.abc import Callable

import numpy as np
import pytest

from visionrouter.schema.image import load_image
from visionrouter.schema.request import Criticality, Prompts, Request
from visionrouter.schema.task import Instruction, Operation, Target, Task


@pytest.fixture(scope="session")
def ask() -> Callable[..., Request]:
    """Make a request on a small image."""

    def make(
        task: Task = Task.DETECT,
        *,
        nouns: tuple[str, ...] = ("car",),
        text: str = "find the cars",
        operation: Operation | None = None,
        tags: dict[str, str] | None = None,
        criticality: Criticality = Criticality.NORMAL,
        deadline_ms: float | None = None,
        size: tuple[int, int] = (16, 12),
        prompts: bool = False,
    ) -> Request:
        given = prompts or task is Task.PROMPTABLE
        return Request(
            load_image(np.zeros((size[1], size[0], 3), np.uint8)),
            Instruction(task, text, tuple(Target(noun, noun) for noun in nouns), operation=operation),
            prompts=Prompts(boxes=np.array([[0, 0, 1, 1]], np.float32)) if given else Prompts(),
            tags=tags or {},
            criticality=criticality,
            deadline_ms=deadline_ms,
        )

    return make


@pytest.fixture(scope="session")
def with_rules() -> Callable[..., dict[str, object]]:
    """A policy as plain data: rules r0, r1, ... with these conditions, each trying a backend of its own name."""

    def make(*conditions: str) -> dict[str, object]:
        return {
            "schema_version": 1,
            "name": "under-test",
            "rules": [
                {"name": f"r{i}", "when": w, "route": {"try": [f"b{i}"]}} for i, w in enumerate(conditions)
            ],
            "default": {"route": {"try": ["any"]}},
        }

    return make
