"""From what a user gives to a request, and from a request to the query that backends are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from visionrouter.composite import plan
from visionrouter.schema.errors import RequestError, SchemaError
from visionrouter.schema.image import ImageLimits, ImageSource, load_image
from visionrouter.schema.request import NO_PROMPTS, Criticality, Prompts, Query, Request
from visionrouter.schema.task import Instruction, Task


def request_of(
    image: ImageSource,
    instruction: str | Instruction | Task,
    limits: ImageLimits,
    *,
    boxes: object = None,
    points: object = None,
    point_labels: object = None,
    tags: Mapping[str, str],
    context: Mapping[str, object],
    deadline_ms: float | None,
    criticality: Criticality | str,
    seed: int,
) -> Request:
    """Check and parse what a user gave; see `Router.request`."""
    if isinstance(instruction, Task):
        instruction = Instruction(instruction, instruction.value)
    elif isinstance(instruction, str):
        from visionrouter.instruction import parse

        instruction = parse(instruction)
    return Request(
        load_image(image, limits),
        instruction,
        _prompts(boxes, points, point_labels),
        dict(tags),
        dict(context),
        deadline_ms,
        _criticality(criticality),
        seed,
    )


def parts_of(request: Request) -> list[tuple[str, Request]]:
    """A composite's steps as requests of their own; any other request as the one it is."""
    if request.instruction.task is not Task.COMPOSITE:
        return [(request.instruction.task.value, request)]
    return [
        (step.name, replace(request, instruction=step.instruction, id=f"{request.id}.{step.name}"))
        for step in plan(request.instruction)
    ]


def query_of(request: Request) -> Query:
    """What a backend is asked."""
    instruction = request.instruction
    return Query(
        instruction.task,
        request.image,
        instruction.targets,
        instruction.palette,
        request.prompts,
        request.seed,
        instruction.text,
        request.tags,
        request.criticality,
        instruction.style,
    )


def _prompts(boxes: object, points: object, point_labels: object) -> Prompts:
    if boxes is None and points is None:
        return NO_PROMPTS
    try:
        b = np.asarray([] if boxes is None else boxes, np.float32).reshape(-1, 4)
        p = np.asarray([] if points is None else points, np.float32).reshape(-1, 2)
        labels = np.ones(len(p), np.uint8) if point_labels is None else np.asarray(point_labels, np.uint8)
    except (TypeError, ValueError) as error:
        raise RequestError("boxes are rows of x1 y1 x2 y2 and points rows of x y, in pixels") from error
    try:
        return Prompts(b, p, labels)
    except SchemaError as error:
        raise RequestError(str(error)) from error


def _criticality(value: Criticality | str) -> Criticality:
    try:
        return Criticality(value)
    except ValueError as error:
        known = ", ".join(Criticality)
        raise RequestError(f"criticality {value!r} is not one of: {known}") from error
