"""Cost against quality: what a gate on one signal of a first backend buys for what it sends on to a second.

A policy asks the first backend, and the second where the first one's signal is beyond a threshold; the threshold sweeps.
At every share sent on, the mean utility loss is set against sending on the same share at random (a straight line from the
one alone to the other), against always asking one, and against an oracle that knows which images gain most. The figure is
the area between the gate's curve and the random line, in loss times share, and the share of the oracle's area that it is:
1 picks as the oracle does, 0 as chance does. After RouteLLM's cost-quality curves (Ong et al. 2024, arXiv 2406.18665),
with an interval by a bootstrap over scenes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from visionrouter.benchmarks.rainy.document import Estimate, Shot
from visionrouter.benchmarks.rainy.intervals import LEVEL
from visionrouter.benchmarks.rainy.matrix import Case
from visionrouter.benchmarks.rainy.systems import router_of
from visionrouter.benchmarks.rainy.trials import Bench
from visionrouter.experiment.pairs import F64
from visionrouter.policies import CompiledPolicy, compile_policy, load_policy
from visionrouter.router import Router
from visionrouter.schema.errors import RequestError
from visionrouter.schema.task import Task

STEPS = 13
"""Thresholds of a sweep: quantiles of the signal."""
Side = Literal["min", "max"]
CONFIDENCE = "confidence"


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold: the share of items sent on, the mean utility loss, relative cost and seconds an item."""

    threshold: float
    sent: float
    utility: float
    cost: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A gate on one signal. `side` is "max" where the first answer stands up to the threshold, "min" from it on.

    `points` from nothing sent on to everything. `area` is over the random line, `oracle_area` the oracle's; `share` is the
    one of the other, None where the oracle gains nothing.
    """

    signal: str
    side: Side
    points: tuple[Point, ...]
    area: Estimate
    share: float | None


@dataclass(frozen=True, slots=True)
class Frontier:
    """All gates of one pair on one task. `first_utility` and `second_utility` are those of always asking one; `oracle`:
    (share sent on, mean utility loss) of the best choice of images."""

    task: str
    first: str
    second: str
    n: int
    scenes: int
    first_utility: float
    second_utility: float
    oracle: tuple[tuple[float, float], ...]
    oracle_area: float
    curves: tuple[Curve, ...]


def sweep(
    bench: Bench,
    task: Task,
    cases: Sequence[Case],
    first: str,
    second: str,
    signals: Sequence[str] = (),
) -> Frontier:
    """Every gate on one of `signals` of the first backend, all it gives unless named; `confidence` where it is calibrated.

    A signal without a limit in the profile is tried both ways, since nothing says which way is safe. Raises `RequestError`
    where the first backend never gives a signal, or there is no case.
    """
    if not cases:
        raise RequestError(f"there is no item to ask {task.value} of")
    alone = _shots(bench, cases, [_always(first), _always(second)])
    values = _signals(bench, cases, first, CONFIDENCE in signals)
    asked = tuple(signals) or tuple(values)
    lacking = [name for name in asked if name not in values]
    if lacking:
        raise RequestError(
            f"{first} gives no {', '.join(lacking)} for {task.value}; it gives {', '.join(values) or 'nothing'}"
        )
    one, other = (np.array([shot.utility for shot in shots]) for shots in alone)
    scenes = np.unique([case.item.scene for case in cases], return_inverse=True)[1]
    ideal = _oracle(one, other)
    ideal_area = _over_random(*ideal)
    curves = []
    for signal in asked:
        for side in _sides(bench, first, task, signal):
            thresholds = [float(t) for t in _thresholds(values[signal], side)]
            gates = [_gated(first, second, signal, side, t) for t in thresholds]
            shots = list(zip(thresholds, _shots(bench, cases, gates), strict=True))
            curves.append(_curve(signal, side, shots, second, one, other, scenes, ideal_area, bench))
    return Frontier(
        task.value,
        first,
        second,
        len(cases),
        int(scenes.max()) + 1,
        round(float(one.mean()), 5),
        round(float(other.mean()), 5),
        tuple((round(float(x), 5), round(float(y), 5)) for x, y in zip(*ideal, strict=True)),
        round(ideal_area, 6),
        tuple(sorted(curves, key=lambda curve: -curve.area.value)),
    )


def _curve(
    signal: str,
    side: Side,
    sweeps: Sequence[tuple[float, Sequence[Shot]]],
    second: str,
    one: F64,
    other: F64,
    scenes: np.ndarray[Any, np.dtype[np.intp]],
    ideal_area: float,
    bench: Bench,
) -> Curve:
    sent = np.array([[float(second in shot.sources) for shot in shots] for _, shots in sweeps])
    utility = np.array([[shot.utility for shot in shots] for _, shots in sweeps])
    points = [
        Point(
            round(threshold, 6),
            round(float(sent[i].mean()), 5),
            round(float(utility[i].mean()), 5),
            round(float(np.mean([shot.cost for shot in shots])), 4),
            round(float(np.mean([shot.seconds for shot in shots])), 4),
        )
        for i, (threshold, shots) in enumerate(sweeps)
    ]
    ends = [np.zeros(len(one)), np.ones(len(one))]
    sent, utility = np.vstack([ends[0], sent, ends[1]]), np.vstack([one, utility, other])
    area = _area(sent.mean(1), utility.mean(1))
    rng = np.random.default_rng(bench.boot.seed)
    count = int(scenes.max()) + 1
    drawn = []
    for _ in range(bench.boot.draws if count > 1 else 0):
        weights = np.bincount(rng.integers(0, count, count), minlength=count)[scenes].astype(float)
        weights /= weights.sum()
        drawn.append(_area(sent @ weights, utility @ weights))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if drawn else (None, None)
    return Curve(
        signal,
        side,
        tuple(sorted(points, key=lambda point: point.sent)),
        Estimate(
            round(area, 6),
            None if low is None else round(float(low), 6),
            None if high is None else round(float(high), 6),
        ),
        round(area / ideal_area, 4) if ideal_area > 1e-9 else None,
    )


def _area(sent: F64, utility: F64) -> float:
    order = np.lexsort((utility, sent))
    return _over_random(sent[order], utility[order])


def _over_random(x: F64, y: F64) -> float:
    """Area by which a curve from (0, y0) to (1, y1) lies below the straight line between its ends."""
    line = y[0] + (y[-1] - y[0]) * x
    return float(np.trapezoid(line - y, x))


def _oracle(one: F64, other: F64) -> tuple[F64, F64]:
    """Share sent on and mean loss where those that gain most go first."""
    gain = np.sort(one - other)[::-1]
    n = len(one)
    return np.arange(n + 1) / n, one.mean() - np.concatenate([[0.0], np.cumsum(gain)]) / n


def _shots(bench: Bench, cases: Sequence[Case], policies: Sequence[CompiledPolicy]) -> list[list[Shot]]:
    """Every policy's answers to all cases, case after case, so that what is recorded is read once for all of them."""
    shots: list[list[Shot]] = [[] for _ in policies]
    with ExitStack() as stack:
        routers = [stack.enter_context(_router(bench, policy)) for policy in policies]
        for case in cases:
            marksman = bench.marksman(case)
            for own, policy, router in zip(shots, policies, routers, strict=True):
                own.append(marksman.shoot(policy.name, router).shot)
    return shots


def _signals(bench: Bench, cases: Sequence[Case], first: str, calibrated: bool) -> Mapping[str, F64]:
    """The values of every signal that the first backend gives to all cases it answers."""
    found: list[Mapping[str, float]] = []
    with ExitStack() as stack:
        policy = _gated(first, None, CONFIDENCE, "min", 1e-6) if calibrated else _always(first)
        router = stack.enter_context(_router(bench, policy))
        for case in cases:
            result = bench.marksman(case).shoot(policy.name, router).result
            for attempt in () if result is None else result.decision.attempts:
                own = dict(attempt.signals)
                if attempt.verdict.confidence is not None:
                    own[CONFIDENCE] = attempt.verdict.confidence
                if own:
                    found.append(own)
    common = set.intersection(*(set(signals) for signals in found)) if found else set()
    return {name: np.array([signals[name] for signals in found]) for name in sorted(common)}


def _router(bench: Bench, policy: CompiledPolicy) -> Router:
    return router_of(policy, bench.backends, bench.limits, bench.opinions, bench.calibrations)


def _sides(bench: Bench, first: str, task: Task, signal: str) -> tuple[Side, ...]:
    if signal == CONFIDENCE:
        return ("min",)
    limit = bench.limits.get(first, {}).get(task, {}).get(signal)
    if limit is None or (limit.min is not None and limit.max is not None):
        return ("min", "max")
    return ("max",) if limit.min is None else ("min",)


def _thresholds(values: F64, side: Side) -> Iterator[float]:
    """From hardly anything sent on to nearly all."""
    shares = np.linspace(0, 1, STEPS)
    found = np.unique(np.quantile(values, shares))
    return iter(found[::-1] if side == "max" else found)


def _always(name: str) -> CompiledPolicy:
    return _policy([{"backend": name, "accept": "always"}])


def _gated(first: str, second: str | None, signal: str, side: Side, threshold: float) -> CompiledPolicy:
    accept: dict[str, Any] = {"evidence": {signal: {side: threshold}}}
    if signal == CONFIDENCE:
        accept = {"confidence": min(max(threshold, 1e-6), 1 - 1e-6)}
    tried = [{"backend": first, "accept": accept}]
    return _policy(tried if second is None else [*tried, {"backend": second, "accept": "always"}])


def _policy(tried: Sequence[Mapping[str, Any]]) -> CompiledPolicy:
    route = {"try": list(tried), "otherwise": "best_effort"}
    return compile_policy(load_policy({"schema_version": 1, "name": "frontier", "default": {"route": route}}))
