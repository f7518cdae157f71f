"""The cluster bootstrap: whole scenes drawn with replacement, and every metric computed anew from each draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from visionrouter.experiment.pairs import F64, Ints, Pairs

_CELLS = 4_000_000
"""Numbers held at a time."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How a column becomes one number an arm: its weighted mean over the rows that have it, or a quantile of them."""

    column: str
    statistic: Literal["mean", "quantile"] = "mean"
    q: float = 0.95
    higher_is_better: bool = False

    @property
    def sign(self) -> int:
        """1 where more is worse, -1 where it is better."""
        return -1 if self.higher_is_better else 1

    @property
    def name(self) -> str:
        return self.column if self.statistic == "mean" else f"{self.column}_p{self.q * 100:g}"


def values(pairs: Pairs, metric: Metric) -> tuple[float, float]:
    """The metric of each arm; NaN where an arm has no value at all."""
    ones = np.ones((1, pairs.clusters))
    found = _recompute(pairs, metric, ones)
    return float(found[0, 0]), float(found[0, 1])


def resample(pairs: Pairs, metrics: list[Metric], count: int, seed: int) -> list[F64]:
    """For each metric, float64 (count, 2): both arms' values on the same resampled clusters."""
    made: list[list[F64]] = [[] for _ in metrics]
    for weights in _draws(pairs.clusters, len(pairs), count, seed):
        for i, metric in enumerate(metrics):
            made[i].append(_recompute(pairs, metric, weights))
    return [np.concatenate(parts) for parts in made]


def _draws(clusters: int, rows: int, count: int, seed: int) -> Iterator[F64]:
    """How often each cluster was drawn, (some, clusters) at a time."""
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // max(rows, clusters))
    for begin in range(0, count, step):
        n = min(step, count - begin)
        drawn = rng.integers(0, clusters, (n, clusters))
        flat = drawn + np.arange(n)[:, None] * clusters
        yield np.bincount(flat.ravel(), minlength=n * clusters).reshape(n, clusters).astype(np.float64)


def _recompute(pairs: Pairs, metric: Metric, draws: F64) -> F64:
    """Float64 (draws, 2)."""
    column = pairs.of(metric.column)
    found = np.empty((len(draws), 2))
    for side in (0, 1):
        known = ~np.isnan(column[side])
        rows, cluster, weights = column[side][known], pairs.cluster[known], pairs.weights[known]
        if metric.statistic == "mean":
            found[:, side] = _mean(rows, cluster, weights, pairs.clusters, draws)
        else:
            found[:, side] = _quantile(rows, cluster, weights, metric.q, draws)
    return found


def _mean(rows: F64, cluster: Ints, weights: F64, clusters: int, draws: F64) -> F64:
    sums = np.bincount(cluster, weights * rows, clusters)
    total = np.bincount(cluster, weights, clusters)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: F64 = (draws @ sums) / (draws @ total)
    return found


def _quantile(rows: F64, cluster: Ints, weights: F64, q: float, draws: F64) -> F64:
    """The least value that at least a share q of the weight does not exceed."""
    if not len(rows):
        return np.full(len(draws), np.nan)
    order = np.argsort(rows, kind="stable")
    reached = np.cumsum(draws[:, cluster[order]] * weights[order], axis=1)
    total = reached[:, -1:]
    place = np.argmax(reached >= q * total * (1 - 1e-12), axis=1)
    return np.where(total[:, 0] > 0, rows[order][place], np.nan)
