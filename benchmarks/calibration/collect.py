"""Runs labelled items along a policy's route and writes down, for every answer on the way, its signals and its loss.

The items go through the router itself, so that a signal is made here as it is made live. Every stop of the route is
heard, and answers are mended where the route mends them, because nothing is accepted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visionrouter.benchmarks.labelled.item import Item
from visionrouter.confidence.losses import LOSSES, PIXEL_ERRORS
from visionrouter.policies import CompiledPolicy, compile_policy, load_policy
from visionrouter.router import Router
from visionrouter.schema.arrays import F32
from visionrouter.schema.decision import Reason
from visionrouter.schema.request import Request
from visionrouter.schema.result import Candidate
from visionrouter.schema.task import Task

NEVER = {"evidence": {"never_given": {"min": 0}}}
"""A gate that nothing passes."""
PIXELS_PER_IMAGE = 2048
_UNJUDGED = frozenset({Reason.NOTHING_FOUND, Reason.UNRESOLVED})
"""Answers that no gate lets pass: they are never accepted, so no calibration counts them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One answer of one subject to one item. `seconds` is the time its attempt took; of a mended answer, of both.

    `judged`: False where the answer is one that no gate lets pass.
    """

    item: str
    scene: str
    subject: str
    task: str
    tags: Mapping[str, str]
    signals: Mapping[str, float]
    loss: float
    seconds: float
    judged: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class PixelRow:
    """Raw confidence and error of pixels of one answer, float32 (N,), drawn at random where there is truth."""

    scene: str
    subject: str
    raw: F32
    error: F32


def open_route(policy: CompiledPolicy, request: Request) -> CompiledPolicy:
    """The route that `policy` gives a request, as a policy of its own under which nothing is accepted.

    So every stop is asked, with the evidence, the second opinion and the mending of the route.
    """
    rule = policy.select(request).rule
    model = policy.policy
    found = next((r.route for r in model.rules if r.name == rule), model.default.route)
    route: dict[str, Any] = found.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    route["try"] = [choice["backend"] for choice in route["try"]]
    route |= {"accept": NEVER, "otherwise": "abstain", "on_error": "continue", "uncertified": "fall_back"}
    whole = {"schema_version": 1, "name": f"{model.name}/open", "default": {"route": route}}
    if model.licences != type(model.licences)():
        whole["licences"] = model.licences.model_dump(mode="json", exclude_defaults=True)
    return compile_policy(load_policy(whole))


def collect(
    router: Router, items: Iterable[Item], seed: int = 0
) -> Iterator[tuple[Item, list[Row], list[PixelRow]]]:
    """Every item's rows, as they are made. `router` runs a policy of `open_route`."""
    rng = np.random.default_rng(seed)
    for item in items:
        boxes = item.prompts.boxes if len(item.prompts.boxes) else None
        points = item.prompts.points if len(item.prompts.points) else None
        result = router.run(
            item.image,
            item.instruction,
            boxes=boxes,
            points=points,
            point_labels=None if points is None else item.prompts.point_labels,
            tags=item.tags,
        )
        took = {a.backend: (a.latency_ms + a.evidence_ms) / 1000 for a in result.decision.attempts}
        rows = [_row(item, candidate, took) for candidate in result.candidates]
        pixels = [p for c in result.candidates if (p := _pixels(item, c, rng)) is not None]
        yield item, rows, pixels


def _row(item: Item, candidate: Candidate, took: Mapping[str, float]) -> Row:
    task = item.instruction.task
    return Row(
        item.id,
        item.scene,
        candidate.backend,
        task.value,
        item.tags,
        candidate.prediction.evidence.signals,
        LOSSES[task].measure(candidate.prediction.payload, item.truth),
        sum(took.get(source, 0.0) for source in candidate.sources),
        candidate.verdict.reason not in _UNJUDGED,
    )


def _pixels(item: Item, candidate: Candidate, rng: np.random.Generator) -> PixelRow | None:
    raw = candidate.prediction.evidence.confidence_map
    measure = PIXEL_ERRORS.get(item.instruction.task)
    if raw is None or measure is None:
        return None
    error, known = measure.measure(candidate.prediction.payload, item.truth)
    places = np.flatnonzero(known & np.isfinite(raw))
    if not places.size:
        return None
    drawn = rng.choice(places, min(PIXELS_PER_IMAGE, places.size), replace=False)
    return PixelRow(item.scene, candidate.backend, raw.ravel()[drawn], error.ravel()[drawn])


def save_rows(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(asdict(row), sort_keys=True) + "\n")


def load_rows(path: Path) -> list[Row]:
    """What `save_rows` wrote."""
    with path.open(encoding="utf-8") as file:
        return [Row(**json.loads(line)) for line in file]


def tasks_of(rows: Iterable[Row]) -> set[Task]:
    """The tasks that rows are of."""
    return {Task(row.task) for row in rows}
