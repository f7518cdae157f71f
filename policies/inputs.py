"""What a condition can read: the fields of `request` and `image`, the request's tags, and the caller's `context`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from visionrouter.schema.request import Criticality, Request
from visionrouter.schema.task import Operation, Task

Context = Mapping[str, object]
Read = Callable[[Request, Context], object]

ROOTS = ("request", "image", "context")

REQUEST: dict[str, Read] = {
    "task": lambda r, _: r.instruction.task.value,
    "family": lambda r, _: r.instruction.task.family,
    "text": lambda r, _: r.instruction.text,
    "operation": lambda r, _: r.instruction.operation or "",
    "targets": lambda r, _: [target.noun for target in r.instruction.targets],
    "tags": lambda r, _: dict(r.tags),
    "criticality": lambda r, _: r.criticality.value,
    "deadline_ms": lambda r, _: math.inf if r.deadline_ms is None else r.deadline_ms,
    "seed": lambda r, _: r.seed,
    "id": lambda r, _: r.id,
    "has_prompts": lambda r, _: bool(r.prompts),
}
IMAGE: dict[str, Read] = {
    "width": lambda r, _: r.image.width,
    "height": lambda r, _: r.image.height,
    "pixels": lambda r, _: r.image.width * r.image.height,
    "aspect": lambda r, _: r.image.width / r.image.height,
    "source": lambda r, _: r.image.source,
}
FIELDS = {"request": REQUEST, "image": IMAGE}

VALUES: dict[str, tuple[str, ...]] = {
    "request.task": tuple(Task),
    "request.family": tuple(dict.fromkeys(task.family for task in Task)),
    "request.criticality": tuple(Criticality),
    "request.operation": ("", *Operation),
}
"""Fields with a closed set of values: comparing one with anything else is a typo."""

STATIC = frozenset({"request.task", "request.family", "request.criticality"})
"""Fields that take few values, so that conditions on them alone are settled when a policy is compiled."""

_SAMPLES: dict[str, object] = {
    "request.text": "",
    "request.operation": "",
    "request.targets": ["thing"],
    "request.tags": {},
    "request.deadline_ms": 1000.0,
    "request.seed": 0,
    "request.id": "0",
    "request.has_prompts": False,
    "image.width": 640,
    "image.height": 480,
    "image.pixels": 640 * 480,
    "image.aspect": 640 / 480,
    "image.source": "",
    "context.hour": 12,
}


@dataclass(frozen=True, slots=True)
class Input:
    """One value that a condition reads.

    `path` is how people write it, `variable` its name inside the compiled program. `read` raises `KeyError` where the
    request has no such value. `sample` is a value of its type, None where the type is the caller's own.
    """

    path: str
    variable: str
    read: Read = field(compare=False)
    sample: object | None = field(compare=False)


def field_input(root: str, name: str) -> Input:
    """`request.<name>` or `image.<name>`; raises `KeyError` where there is no such field."""
    path = f"{root}.{name}"
    return Input(path, f"{root}_{name}", FIELDS[root][name], _SAMPLES.get(path))


def tag_input(key: str) -> Input:
    """One tag of the request."""
    return Input(f'request.tags["{key}"]', f"tag_{key.encode().hex()}", lambda r, _: r.tags[key], "")


def member_input(container: str, key: str) -> Input:
    """Whether `key` is in the request's tags or targets: true or false is cheaper to hand over than all of them."""
    read: Read = (lambda r, _: key in r.tags) if container == "tags" else (lambda r, _: _is_target(r, key))
    return Input(f'"{key}" in request.{container}', f"in_{container}_{key.encode().hex()}", read, False)


def _is_target(request: Request, noun: str) -> bool:
    return any(target.noun == noun for target in request.instruction.targets)


def context_input(key: str | None) -> Input:
    """One value of the caller's context, or, for None, all of it. `hour` is the local clock's unless the caller's."""
    if key is None:
        return Input("context", "context", _whole_context, None)
    path = f"context.{key}"
    read: Read = _hour if key == "hour" else lambda _, c: c[key]
    return Input(path, f"context_{key.encode().hex()}", read, _SAMPLES.get(path))


def _hour(_: Request, context: Context) -> object:
    return context["hour"] if "hour" in context else time.localtime().tm_hour


def _whole_context(request: Request, context: Context) -> dict[str, Any]:
    return {"hour": _hour(request, context), **context}
