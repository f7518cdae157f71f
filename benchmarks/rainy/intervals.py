"""Percentile intervals of means and of ratios of means, by a bootstrap over whole scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visionrouter.benchmarks.rainy.document import Estimate
from visionrouter.experiment.bootstrap import Metric, resample, values
from visionrouter.experiment.pairs import F64, Row, as_pairs

LEVEL = 0.95
Columns = Mapping[str, Callable[[int], float | None]]
"""Name to the value of the i-th item; None where it has none."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """`draws` resamples of whole scenes, the same for every column of a call."""

    draws: int = 1000
    seed: int = 0

    def estimates(
        self,
        scenes: Sequence[str],
        columns: Columns,
        weights: Sequence[float] | None = None,
        ratios: Mapping[str, tuple[str, str]] | None = None,
    ) -> dict[str, Estimate]:
        """Weighted means of columns over the items that have a value, and ratios of two such means, with their intervals.

        A column without any value, or a ratio to nothing, is left out; of one scene there is no interval.
        """
        rows = []
        for i, scene in enumerate(scenes):
            found = {name: value for name, of in columns.items() if (value := of(i)) is not None}
            rows.append(Row(str(i), found, None, scene, weight=1.0 if weights is None else weights[i]))
        pairs = as_pairs(rows)
        names = [name for name in columns if name in pairs.values]
        metrics = [Metric(name) for name in names]
        means = {name: values(pairs, metric)[0] for name, metric in zip(names, metrics, strict=True)}
        drawn = {
            name: found[:, 0]
            for name, found in zip(names, resample(pairs, metrics, self.draws, self.seed), strict=True)
        }
        for name, (over, under) in (ratios or {}).items():
            if over in means and means.get(under):
                means[name] = means[over] / means[under]
                with np.errstate(divide="ignore", invalid="ignore"):
                    drawn[name] = drawn[over] / drawn[under]
        if pairs.clusters < 2:
            return {name: Estimate(_round(value)) for name, value in means.items()}
        return {name: _estimate(value, drawn[name]) for name, value in means.items()}


def _estimate(value: float, drawn: F64) -> Estimate:
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return Estimate(_round(value))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(_round(value), _round(float(low)), _round(float(high)))


def _round(value: float) -> float:
    return round(float(value), 5)
