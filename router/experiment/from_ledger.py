"""Pairs out of a ledger: the answer of one arm, the shadow of the other, and the labels of both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from visionrouter.describe import verdict_line
from visionrouter.experiment.compare_report import Witness
from visionrouter.experiment.pairs import Row
from visionrouter.ledger.reader import Filter, LedgerReader, Record
from visionrouter.schema.decision import Decision, Outcome, VariantReason
from visionrouter.schema.errors import ExperimentError

_NO_ANSWER = (Outcome.ABSTAINED, Outcome.FAILED)


def rows_of(
    reader: LedgerReader,
    experiment: str,
    arms: tuple[str, str],
    *,
    task: str | None = None,
    cluster: str | None = None,
    costs: Mapping[str, float] | None = None,
) -> Iterator[Row]:
    """A row for each request of `experiment` that one of `arms` (A, B) answered.

    Metrics of each arm: `latency_ms` (in backends), `cost` (where `costs` of backends are given), `abstained`,
    `degraded`, `fell_back`, and whatever it was labelled with. Slices: the request's tags and its task. `cluster`: the tag
    that names the scene; without it each request is one. A labelled request that was drawn for an audit weighs one
    over its probability. Raises `ExperimentError` for an experiment or arm that never answered.
    """
    labels = _labels(reader)
    grouped: dict[str, dict[str, Record]] = defaultdict(dict)
    met: set[str] = set()
    for record in reader.records(Filter(task=task, experiment=experiment)):
        variant = record.decision.variant
        if variant is not None:
            met.add(variant)
        if variant in arms:
            grouped[record.decision.request_id][variant] = record
    for arm in arms:
        if arm not in met:
            raise ExperimentError(
                f"{reader.name}: experiment {experiment!r} has no decision of arm {arm!r}"
                f" (arms met: {', '.join(sorted(met)) or 'none'})"
            )
    for request_id, found in grouped.items():
        given = next(
            (r for r in found.values() if r.decision.variant_reason is not VariantReason.SHADOW), None
        )
        if given is None:  # a shadow of another arm's answer
            continue
        decision = given.decision
        sides = [
            _metrics(found[arm].decision, labels.get(request_id, {}), costs) if arm in found else None
            for arm in arms
        ]
        weight = 1 / given.audit_probability if given.audited and request_id in labels else 1.0
        yield Row(
            request_id,
            sides[0],
            sides[1],
            cluster=decision.tags.get(cluster, "") if cluster else "",
            slices={**{k: v for k, v in decision.tags.items() if k != cluster}, "task": decision.task.value},
            weight=weight,
        )


def witness_of(reader: LedgerReader, request_id: str, arms: tuple[str, str]) -> Witness:
    """Both decisions of a request in words, and its picture where one was kept."""
    decisions = [record.decision for record in reader.show(request_id)]
    said = {decision.variant: verdict_line(decision) for decision in decisions}
    asked, picture = decisions[0].instruction, reader.image(request_id)
    return Witness(said.get(arms[0], ""), said.get(arms[1], ""), asked, picture)


def _labels(reader: LedgerReader) -> dict[str, dict[str | None, dict[str, float]]]:
    found: dict[str, dict[str | None, dict[str, float]]] = {}
    for label in reader.labels():
        found.setdefault(label.request_id, {}).setdefault(label.variant, {})[label.metric] = label.value
    return found


def _metrics(
    decision: Decision, labels: Mapping[str | None, Mapping[str, float]], costs: Mapping[str, float] | None
) -> dict[str, float]:
    parts = decision.children or (decision,)
    shadow = decision.variant_reason is VariantReason.SHADOW
    made = {
        "latency_ms": max(sum(attempt.latency_ms for attempt in part.attempts) for part in parts),
        "abstained": float(decision.outcome in _NO_ANSWER),
        "degraded": float(decision.outcome is Outcome.DEGRADED),
        "fell_back": float(decision.outcome is Outcome.FELL_BACK),
    }
    if costs is not None:
        made["cost"] = sum(costs.get(a.backend, 0.0) for part in parts for a in part.attempts)
    own = {**({} if shadow else labels.get(None, {})), **labels.get(decision.variant, {})}
    return {**made, **own}
