"""From answers to figures: every cell of every system, and every system over conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from visionrouter.benchmarks.rainy.answers import Answers, Held
from visionrouter.benchmarks.rainy.document import (
    ORACLE,
    Certified,
    Condition,
    Score,
    Summary,
)
from visionrouter.benchmarks.rainy.intervals import Bootstrap, Columns
from visionrouter.benchmarks.rainy.targets import VIOLATED_AT
from visionrouter.benchmarks.tuning.scores import summarise
from visionrouter.confidence.bounds import clopper_pearson
from visionrouter.confidence.losses import LOSSES
from visionrouter.schema.task import Task

LEAST_GAP = 0.005
"""Of utility: what the oracle must gain over the best backend alone for there to be a gap."""
_OVERALL = ("clean", "damage", "odd")
Systems = Mapping[str, Sequence[Held]]


def score_cell(
    task: str, condition: str, systems: Systems, alone: Sequence[str], boot: Bootstrap
) -> list[Score]:
    """Every system's figures in one cell, all on the same items."""
    best = best_alone(systems, alone)
    return [
        _score(task, condition, name, helds, systems.get(ORACLE), best, systems, boot)
        for name, helds in systems.items()
    ]


def best_alone(systems: Systems, alone: Sequence[str]) -> str | None:
    """The backend that alone costs least; the first of equals."""
    there = [name for name in alone if name in systems]
    return min(there, key=lambda name: mean_utility(systems[name]), default=None)


def mean_utility(helds: Sequence[Held]) -> float:
    return float(np.mean([held.shot.utility for held in helds]))


def _score(
    task: str,
    condition: str,
    system: str,
    helds: Sequence[Held],
    oracle: Sequence[Held] | None,
    best: str | None,
    systems: Systems,
    boot: Bootstrap,
) -> Score:
    shots = [held.shot for held in helds]
    losses = [shot.loss for shot in shots if shot.loss is not None]
    is_bad = LOSSES[Task(task)].is_bad
    unvouched = [shot for shot in shots if not shot.vouched]
    wrongly = [s for s in unvouched if s.would_be is not None and not is_bad(s.would_be)]
    found = boot.estimates(
        [shot.scene for shot in shots], _columns(task, helds, oracle, systems.get(best or ""))
    )
    return Score(
        task,
        condition,
        system,
        len(shots),
        len({shot.scene for shot in shots}),
        utility=found["utility"],
        answered=_share(len(losses), shots),
        coverage=found["coverage"],
        loss=found.get("loss"),
        bad=round(float(np.mean([is_bad(loss) for loss in losses])), 5) if losses else None,
        risk=found.get("risk"),
        abstained_right=_share(len(unvouched) - len(wrongly), shots),
        abstained_wrong=_share(len(wrongly), shots),
        regret=found.get("regret"),
        best=best,
        versus=found.get("versus"),
        seconds=_mean([shot.seconds for shot in shots]),
        cost=_mean([shot.cost for shot in shots]),
        metrics=own_metrics(helds),
        certified=_certified(task, helds),
    )


def _columns(
    task: str, helds: Sequence[Held], oracle: Sequence[Held] | None, best: Sequence[Held] | None
) -> Columns:
    shots, is_bad = [held.shot for held in helds], LOSSES[Task(task)].is_bad

    def risk(i: int) -> float | None:
        loss = shots[i].loss
        return float(is_bad(loss)) if shots[i].vouched and loss is not None else None

    def against(others: Sequence[Held] | None, i: int) -> float | None:
        return None if others is None else shots[i].utility - others[i].shot.utility

    return {
        "utility": lambda i: shots[i].utility,
        "coverage": lambda i: float(shots[i].vouched),
        "loss": lambda i: shots[i].loss,
        "risk": risk,
        "regret": lambda i: against(oracle, i),
        "versus": lambda i: against(best, i),
    }


def own_metrics(helds: Sequence[Held]) -> dict[str, float]:
    """The task's own figures over the answers given, as the backends' benchmark has them."""
    found = summarise(part for held in helds for part in held.parts)
    return {name: round(value, 5) for name, value in found.items()}


def _certified(task: str, helds: Sequence[Held]) -> Certified | None:
    shots = [h.shot for h in helds if h.shot.certificate_alpha is not None and h.shot.loss is not None]
    if not shots:
        return None
    alpha = max(shot.certificate_alpha or 0.0 for shot in shots)
    bad = sum(LOSSES[Task(task)].is_bad(shot.loss or 0.0) for shot in shots)
    low = 1 - clopper_pearson(len(shots) - bad, len(shots), VIOLATED_AT)
    return Certified(len(shots), bad, alpha, low > alpha)


def summarise_task(
    task: str,
    answers: Answers,
    conditions: Sequence[Condition],
    alone: Sequence[str],
    boot: Bootstrap,
) -> list[Summary]:
    """Every system over the conditions of a task."""
    names = [c.name for c in conditions if c.group in _OVERALL]
    pooled = answers.all(task, names)
    best = best_alone(pooled, alone)
    by_name = {c.name: c for c in conditions}
    return [
        _summary(task, system, helds, pooled, best, by_name, boot)
        for system, helds in pooled.items()
        if helds
    ]


def _summary(
    task: str,
    system: str,
    helds: Sequence[Held],
    pooled: Systems,
    best: str | None,
    conditions: Mapping[str, Condition],
    boot: Bootstrap,
) -> Summary:
    shots, oracle = [held.shot for held in helds], pooled.get(ORACLE)
    kinds = [conditions[shot.condition] for shot in shots]

    def in_group(group: str, i: int) -> float | None:
        return 1 - shots[i].utility if kinds[i].group == group else None

    columns: Columns = {
        "utility": lambda i: shots[i].utility,
        "clean": lambda i: in_group("clean", i),
        "mpc": lambda i: in_group("damage", i),
        "regret": lambda i: None if oracle is None else shots[i].utility - oracle[i].shot.utility,
    }
    scenes = [shot.scene for shot in shots]
    plain = boot.estimates(scenes, {name: columns[name] for name in ("utility", "regret")})
    # mPC weighs every damage alike, and within it every severity, however many items each has
    weighed = boot.estimates(
        scenes,
        {name: columns[name] for name in ("clean", "mpc")},
        _weights(kinds),
        {"rpc": ("mpc", "clean")},
    )
    vouched = [s for s in shots if s.vouched and s.loss is not None]
    bad = [LOSSES[Task(task)].is_bad(shot.loss or 0.0) for shot in vouched]
    gap = None
    if best is not None and oracle is not None:
        gap = round(mean_utility(pooled[best]) - mean_utility(oracle), 5)
    regret = plain.get("regret")
    return Summary(
        task,
        system,
        len(shots),
        plain["utility"],
        _share(len([s for s in shots if s.vouched]), shots),
        clean=weighed.get("clean"),
        mpc=weighed.get("mpc"),
        rpc=weighed.get("rpc"),
        risk=round(float(np.mean(bad)), 5) if bad else None,
        best=best,
        gap=gap,
        regret=regret,
        regret_share=None
        if gap is None or gap < LEAST_GAP or regret is None
        else round(regret.value / gap, 4),
        seconds=_mean([shot.seconds for shot in shots]),
        cost=_mean([shot.cost for shot in shots]),
        metrics_clean=own_metrics([h for h, c in zip(helds, kinds, strict=True) if c.group == "clean"]),
        metrics_mpc=_mean_metrics(helds, kinds),
    )


def _weights(conditions: Sequence[Condition]) -> list[float]:
    """So that cells of a damage weigh alike, and damages do."""
    items = Counter(condition.name for condition in conditions)
    severities = Counter(kind for kind, _ in {(c.kind, c.name) for c in conditions})
    return [1 / (items[c.name] * severities[c.kind]) for c in conditions]


def _mean_metrics(helds: Sequence[Held], kinds: Sequence[Condition]) -> dict[str, float]:
    """Each figure's mean over damages of the mean over severities, where every cell has it."""
    cells: dict[str, dict[str, list[Held]]] = {}
    for held, condition in zip(helds, kinds, strict=True):
        if condition.group == "damage":
            cells.setdefault(condition.kind, {}).setdefault(condition.name, []).append(held)
    found = [[own_metrics(some) for some in by_name.values()] for by_name in cells.values()]
    every = [metrics for some in found for metrics in some]
    names = [name for name in (every[0] if every else {}) if all(name in metrics for metrics in every)]
    return {
        name: round(float(np.mean([np.mean([m[name] for m in some]) for some in found])), 5) for name in names
    }


def _share(n: int, of: Sequence[object]) -> float:
    return round(n / len(of), 5) if of else 0.0


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 5) if values else 0.0
