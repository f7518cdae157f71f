"""What the data says of each metric: once, by the cluster bootstrap, or live, by evidence that may be looked at any time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from visionrouter.experiment.bootstrap import Metric, resample, values
from visionrouter.experiment.eprocess import anytime_p, confidence_sequence
from visionrouter.experiment.pairs import F64, Bools, Ints, Pairs
from visionrouter.experiment.plan import Guardrail, Plan
from visionrouter.experiment.significance import cuped
from visionrouter.schema.errors import ExperimentError


@dataclass(frozen=True, slots=True)
class Estimate:
    """Both arms, B - A, and the interval of it at 1 - alpha."""

    metric: str
    a: float
    b: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """`better`, `worse`, `equal`: what is shown of the primary metric at the plan's level. `p_held`, `p_broken`: for each
    guardrail, that B suffers by the margin or more, and by the margin or less. `variance_kept`: what the covariate left.
    """

    primary: Estimate
    guardrails: tuple[Estimate, ...]
    better: bool
    worse: bool
    equal: bool
    p_held: tuple[float, ...]
    p_broken: tuple[float, ...]
    variance_kept: float | None = None


def once(pairs: Pairs, plan: Plan, *, paired: bool) -> Evidence:
    """For data that is looked at one time. With a covariate, the primary's interval is CUPED's."""
    metrics = [plan.primary, *(guard.metric for guard in plan.guardrails)]
    draws = [drawn[:, 1] - drawn[:, 0] for drawn in resample(pairs, metrics, plan.resamples, plan.seed)]
    estimates = [estimate(pairs, m, d, plan.alpha) for m, d in zip(metrics, draws, strict=True)]
    kept = None
    if paired and pairs.covariate is not None and plan.primary.statistic == "mean":
        estimates[0], kept = _with_covariate(pairs, pairs.covariate, plan, estimates[0])
    low, high = sorted(plan.primary.sign * end for end in (estimates[0].low, estimates[0].high))
    harm = [m.sign * d for m, d in zip(metrics, draws, strict=True)]
    return Evidence(
        estimates[0],
        tuple(estimates[1:]),
        better=high < 0,
        worse=low > 0,
        equal=bool(plan.margin) and -plan.margin < low and high < plan.margin,
        p_held=tuple(_share(h >= g.margin) for g, h in zip(plan.guardrails, harm[1:], strict=True)),
        p_broken=tuple(_share(h <= g.margin) for g, h in zip(plan.guardrails, harm[1:], strict=True)),
        variance_kept=kept,
    )


def live(pairs: Pairs, plan: Plan) -> Evidence:
    """For data that grows and is looked at meanwhile. Clusters count in the order they end, and only once they have."""
    primary = series(pairs, plan.primary, plan.bound)
    guards = [(g, series(pairs, g.metric, g.bound)) for g in plan.guardrails]
    inner = plan.margin / plan.bound
    return Evidence(
        _live_estimate(pairs, Guardrail(plan.primary, plan.margin, plan.bound), primary, plan.alpha),
        tuple(_live_estimate(pairs, guard, found, plan.alpha) for guard, found in guards),
        better=anytime_p(-primary) <= plan.alpha / 2,
        worse=anytime_p(primary) <= plan.alpha / 2,
        equal=inner > 0 and max(anytime_p(-primary, -inner), anytime_p(primary, -inner)) <= plan.alpha,
        p_held=tuple(anytime_p(-found, -g.margin / g.bound) for g, found in guards),
        p_broken=tuple(anytime_p(found, g.margin / g.bound) for g, found in guards),
    )


def series(pairs: Pairs, metric: Metric, bound: float) -> F64:
    """Harm by cluster, mean B - A (A - B where high is better) over `bound`, cut off at 1, in the order clusters end."""
    found, both = pairs.of(metric.column), pairs.both(metric.column)
    if not both.any():
        raise ExperimentError(f"no row has {metric.column!r} of both arms")
    cluster = pairs.cluster[both]
    sums = np.bincount(cluster, (found[1] - found[0])[both], pairs.clusters)
    counts = np.bincount(cluster, minlength=pairs.clusters)
    last = np.full(pairs.clusters, -1)
    last[pairs.cluster] = np.arange(len(pairs))
    order = np.argsort(last, kind="stable")
    order = order[counts[order] > 0]
    found_harm: F64 = np.clip(metric.sign * sums[order] / counts[order] / bound, -1.0, 1.0)
    return found_harm


def estimate(pairs: Pairs, metric: Metric, draws: F64, alpha: float) -> Estimate:
    """Of a metric whose resampled differences are `draws`: the percentile interval."""
    a, b = values(pairs, metric)
    known = draws[~np.isnan(draws)]
    low, high = np.quantile(known, (alpha / 2, 1 - alpha / 2)) if len(known) else (math.nan, math.nan)
    return Estimate(metric.name, a, b, b - a, float(low), float(high))


def _live_estimate(pairs: Pairs, guard: Guardrail, found: F64, alpha: float) -> Estimate:
    low, high = confidence_sequence(found, alpha)
    scale = guard.bound * guard.metric.sign
    ends = sorted((float(low[-1]) * scale, float(high[-1]) * scale))
    a, b = values(pairs, guard.metric)
    return Estimate(guard.metric.name, a, b, b - a, ends[0], ends[1])


def _share(hits: Bools) -> float:
    return (1 + int(hits.sum())) / (1 + len(hits))


def _with_covariate(pairs: Pairs, covariate: F64, plan: Plan, plain: Estimate) -> tuple[Estimate, float]:
    """The estimate moved and its interval shortened by what the covariate explains; and the variance it leaves (CUPED).

    The covariate's mean is taken over all rows, answered by both arms or not.
    """
    found, both = pairs.of(plan.primary.column), pairs.both(plan.primary.column)
    d, x = (found[1] - found[0])[both], covariate[both]
    adjusted = cuped(d, x)
    before = float(np.var(_by_cluster(d, pairs.cluster[both])))
    kept = min(1.0, float(np.var(_by_cluster(adjusted, pairs.cluster[both]))) / before) if before else 1.0
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ d) / spread if spread else 0.0
    middle = plain.difference - slope * float(x.mean() - covariate.mean())
    low, high = (middle + (end - plain.difference) * math.sqrt(kept) for end in (plain.low, plain.high))
    return Estimate(plain.metric, plain.a, plain.b, middle, low, high), kept


def _by_cluster(rows: F64, cluster: Ints) -> F64:
    _, codes = np.unique(cluster, return_inverse=True)
    means: F64 = np.bincount(codes, rows) / np.bincount(codes)
    return means
