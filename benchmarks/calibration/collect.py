"""Runs labelled items along a policy's route and writes down, for every answer on the way, its signals and its loss.

The items go through the router itself, so that a signal is made here as it is made live. Every stop of the route is
heard, and answers are mended where the route mends them, because nothing is accepted.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visionrouter.benchmarks.labelled.item import Item
from visionrouter.confidence.losses import LOSSES, PIXEL_ERRORS
from visionrouter.policies import CompiledPolicy, compile_policy, load_policy
from visionrouter.router import Router
from visionrouter.schema.decision import Reason
from visionrouter.schema.request import Request
from visionrouter.schema.result import Candidate

NEVER = {"evidence": {"never_given": {"min": 0}}}
"""A gate that nothing passes."""
PIXELS_PER_IMAGE = 512
_UNJUDGED = frozenset({Reason.NOTHING_FOUND, Reason.UNRESOLVED})
"""Answers that no gate lets pass: they are never accepted, so no calibration counts them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One answer of one subject to one item. `seconds` is the time its attempt took, `evidence_seconds` of it that of the
    evidence beyond the answer; of a mended answer, of both backends.

    `judged`: False where the answer is one that no gate lets pass. `raw` and `error`: confidence, uncalibrated, and error
    of up to 512 pixels of a dense answer, drawn at random where there is truth.
    """

    item: str
    scene: str
    subject: str
    task: str
    tags: Mapping[str, str]
    signals: Mapping[str, float]
    loss: float
    seconds: float
    evidence_seconds: float = 0.0
    judged: bool = True
    raw: Sequence[float] = ()
    error: Sequence[float] = ()


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


def collect(router: Router, items: Iterable[Item], seed: int = 0) -> Iterator[tuple[Item, list[Row]]]:
    """Every item with its rows, as they are made. `router` runs a policy of `open_route`."""
    for item in items:
        result = router.answer(item.request)
        took = {a.backend: (a.latency_ms / 1000, a.evidence_ms / 1000) for a in result.decision.attempts}
        rng = np.random.default_rng((seed, zlib.crc32(item.id.encode())))
        yield item, [_row(item, candidate, took, rng) for candidate in result.candidates]


def _row(
    item: Item, candidate: Candidate, took: Mapping[str, tuple[float, float]], rng: np.random.Generator
) -> Row:
    task, prediction = item.instruction.task, candidate.prediction
    raw, error = _pixels(item, candidate, rng)
    return Row(
        item.id,
        item.scene,
        candidate.backend,
        task.value,
        dict(item.tags),
        dict(prediction.evidence.signals),
        LOSSES[task].measure(prediction.payload, item.truth),
        sum(sum(took.get(source, (0.0, 0.0))) for source in candidate.sources),
        sum(took.get(source, (0.0, 0.0))[1] for source in candidate.sources),
        candidate.verdict.reason not in _UNJUDGED,
        raw,
        error,
    )


def _pixels(item: Item, candidate: Candidate, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    raw = candidate.prediction.evidence.confidence_map
    measure = PIXEL_ERRORS.get(item.instruction.task)
    if raw is None or measure is None:
        return [], []
    error, known = measure.measure(candidate.prediction.payload, item.truth)
    places = np.flatnonzero(known & np.isfinite(raw))
    drawn = rng.choice(places, min(PIXELS_PER_IMAGE, places.size), replace=False)
    return raw.ravel()[drawn].round(4).tolist(), error.ravel()[drawn].round(4).tolist()


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object a line."""
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(asdict(row), sort_keys=True) + "\n")


def load_rows(path: Path) -> list[Row]:
    """What `append_rows` wrote, but for comments and a last line that was cut."""
    rows = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n") and not line.startswith("#"):
                rows.append(Row(**json.loads(line)))
    return rows
