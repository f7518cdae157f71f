"""Two policies on the same labelled images: paired results for a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from visionrouter.backends.profile import load_profile
from visionrouter.benchmarks.labelled.item import Item
from visionrouter.benchmarks.labelled.size import object_share
from visionrouter.confidence.losses import LOSSES
from visionrouter.describe import verdict_line
from visionrouter.experiment.compare_report import Witness
from visionrouter.experiment.pairs import Row
from visionrouter.ledger.writer import as_jpeg
from visionrouter.policies import CompiledPolicy
from visionrouter.render import overlay
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome
from visionrouter.schema.image import Image
from visionrouter.schema.result import Result

_PICTURE_SIDE = 640


def run_both(
    policies: tuple[CompiledPolicy, CompiledPolicy],
    profile: str | Path,
    items: Iterable[Item],
    keep: Callable[[str, Witness], None] | None = None,
) -> Iterator[Row]:
    """A row an item, as they are made: both policies over one set of backends, in turn first.

    Each arm has `loss` in [0, 1] where it answered, `abstained`, `degraded`, `latency_ms`, `cost`, and `confidence` where
    it is calibrated. Clusters are scenes, slices the items' tags and the size of what is asked for. `keep` is handed both decisions, and the
    picture with both answers drawn on it.
    """
    made = load_profile(profile)
    costs = {name: backend.spec.cost for name, backend in made.backends.items()}
    with (
        Router(made.backends, policies[0], limits=made.limits, opinions=made.opinions) as a,
        Router(made.backends, policies[1], limits=made.limits, opinions=made.opinions) as b,
    ):
        for i, item in enumerate(items):
            order = (a, b) if i % 2 == 0 else (b, a)
            results = {id(router): _ask(router, item) for router in order}
            pair = results[id(a)], results[id(b)]
            if keep is not None:
                keep(item.id, _witness(item, pair))
            sides = [_metrics(result, item, costs) for result in pair]
            yield Row(item.id, sides[0], sides[1], item.scene, dict(item.tags), size=object_share(item))


def _witness(item: Item, pair: tuple[Result, Result]) -> Witness:
    said_a, said_b = (verdict_line(result.decision) for result in pair)
    a, b = (as_jpeg(Image(overlay(result, item.image)), _PICTURE_SIDE) for result in pair)
    return Witness(said_a, said_b, item.instruction.text, as_jpeg(item.image, _PICTURE_SIDE), (a, b))


def _ask(router: Router, item: Item) -> Result:
    prompts = item.prompts
    return router.run(
        item.image,
        item.instruction,
        boxes=prompts.boxes if len(prompts.boxes) else None,
        points=prompts.points if len(prompts.points) else None,
        point_labels=prompts.point_labels if len(prompts.points) else None,
        tags=item.tags,
    )


def _metrics(result: Result, item: Item, costs: Mapping[str, float]) -> dict[str, float]:
    attempts = result.decision.attempts
    made = {
        "abstained": float(not result.answered),
        "degraded": float(result.outcome is Outcome.DEGRADED),
        "latency_ms": sum(attempt.latency_ms for attempt in attempts),
        "cost": sum(costs.get(attempt.backend, 0.0) for attempt in attempts),
    }
    if result.payload is not None:
        made["loss"] = LOSSES[item.instruction.task].measure(result.payload, item.truth)
    if result.confidence is not None:
        made["confidence"] = result.confidence
    return made
