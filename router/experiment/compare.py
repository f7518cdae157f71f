"""Is B better than A? One primary metric, guardrails that must not suffer, and a verdict that may be "not yet known"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from visionrouter.experiment.bootstrap import resample
from visionrouter.experiment.eprocess import anytime_p, confidence_sequence
from visionrouter.experiment.evidence import Estimate, Evidence, estimate, live, once, series
from visionrouter.experiment.pairs import F64, Bools, Pairs
from visionrouter.experiment.plan import Plan
from visionrouter.experiment.significance import holm, mcnemar_exact, sign_flip
from visionrouter.schema.errors import ExperimentError

_SMALL = 30
"""Clusters below which an interval is not to be relied on."""
_FEW = 10
"""Clusters below which nothing is compared."""
_MOST_VALUES = 20
"""Values of a tag above which it names things rather than kinds of them, and makes no slices."""


class Verdict(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"  # within the margin, whichever way
    INCONCLUSIVE = "inconclusive"


class Held(StrEnum):
    """What became of a guardrail."""

    HELD = "held"  # shown not to suffer by more than its margin
    VIOLATED = "violated"  # shown to suffer by more
    UNSETTLED = "unsettled"


@dataclass(frozen=True, slots=True)
class GuardrailResult:
    """`p`: adjusted by Holm, that B suffers by the margin or more."""

    estimate: Estimate
    margin: float
    held: Held
    p: float


@dataclass(frozen=True, slots=True)
class SliceResult:
    """The primary metric on one slice. Exploratory: not corrected for looking at many. `small`: too few clusters."""

    key: str
    value: str
    rows: int
    clusters: int
    estimate: Estimate
    small: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """`more`: about how many more rows like these would settle an inconclusive verdict, None where none would or none
    are needed. `p_mcnemar` is None without a limit of badness, and where clusters have several rows, which are not independent.
    `p_sign_flip` and it are None where the data is not paired. `p_anytime`:
    of no difference, valid however often one looked; live it is what decides. `variance_kept`: what the covariate left of
    the variance. `low_over_time`, `high_over_time`: the confidence sequence, a cluster at a time.
    """

    plan: Plan
    rows: int
    clusters: int
    paired: bool
    verdict: Verdict
    why: str
    more: int | None
    primary: Estimate
    p_mcnemar: float | None
    p_sign_flip: float | None
    p_anytime: float | None
    variance_kept: float | None
    guardrails: tuple[GuardrailResult, ...]
    slices: tuple[SliceResult, ...]
    warnings: tuple[str, ...]
    low_over_time: tuple[float, ...] = ()
    high_over_time: tuple[float, ...] = ()


def compare(pairs: Pairs, plan: Plan, *, unpaired: bool = False, slices: bool = True) -> Comparison:
    """Judge B against A as `plan` asks.

    Raises `ExperimentError` for a metric the data has not, rows that only one arm has (unless `unpaired`, which compares
    clusters of one arm with those of the other), fewer than ten clusters, or live values out of bounds.
    """
    for guard in plan.guardrails:
        pairs.of(guard.metric.column)
    column = pairs.of(plan.primary.column)
    both = pairs.both(plan.primary.column)
    _check(pairs, plan, both, unpaired)
    evidence = live(pairs, plan) if plan.live else once(pairs, plan, paired=not unpaired)
    guardrails = _guardrails(plan, evidence)
    verdict, why = _verdict(plan, evidence, guardrails)
    bounded = None if unpaired else _bounded(pairs, plan)
    low, high = ((), ()) if bounded is None else _over_time(bounded, plan)
    alone = pairs.clusters == len(pairs)
    once_paired = not unpaired and not plan.live
    return Comparison(
        plan=plan,
        rows=len(pairs),
        clusters=pairs.clusters,
        paired=not unpaired,
        verdict=verdict,
        why=why,
        more=_more(plan, evidence.primary, len(pairs)) if verdict is Verdict.INCONCLUSIVE else None,
        primary=evidence.primary,
        p_mcnemar=None
        if unpaired or plan.bad is None or not alone
        else _mcnemar(column[:, both], plan, plan.bad),
        p_sign_flip=sign_flip(_differences(pairs, column, both), seed=plan.seed) if once_paired else None,
        p_anytime=None if bounded is None else min(1.0, 2 * min(anytime_p(bounded), anytime_p(-bounded))),
        variance_kept=evidence.variance_kept,
        guardrails=guardrails,
        slices=_slices(pairs, plan) if slices and not plan.live else (),
        warnings=tuple(_warnings(pairs, plan, both, unpaired)),
        low_over_time=low,
        high_over_time=high,
    )


def _check(pairs: Pairs, plan: Plan, both: Bools, unpaired: bool) -> None:
    if pairs.clusters < _FEW:
        raise ExperimentError(f"{pairs.clusters} clusters are too few to tell anything; bring {_FEW} or more")
    if plan.live and len(set(pairs.weights)) > 1:
        raise ExperimentError("live comparisons count every row once; leave the weights out, or look once")
    column = plan.primary.column
    known = ~np.isnan(pairs.of(column))
    if not known[0].any() or not known[1].any():
        raise ExperimentError(f"{'A' if not known[0].any() else 'B'} has no {column!r} on any row")
    if unpaired:
        if plan.live:
            raise ExperimentError("live comparisons need pairs: set `shadow` in the experiment")
        return
    abstained = pairs.values.get("abstained", np.zeros_like(known, np.float64)) == 1
    alone = int(((known[0] ^ known[1]) & ~(abstained & ~known).any(axis=0)).sum())
    if alone:
        raise ExperimentError(
            f"{alone} of {len(pairs)} rows have {column!r} of one arm only; set `shadow` in the experiment so that both "
            "are run, label both answers, or compare clusters with --unpaired"
        )
    if not both.any():
        raise ExperimentError(f"no row has {column!r} of both arms")


def _warnings(pairs: Pairs, plan: Plan, both: Bools, unpaired: bool) -> list[str]:
    warnings = []
    if pairs.clusters < _SMALL:
        warnings.append(f"only {pairs.clusters} clusters: intervals from so few are too short")
    if unpaired:
        warnings.append(
            "not paired: differences between images count as noise, so far more of them are needed"
        )
    elif not both.all():
        warnings.append(
            f"{int((~both).sum())} rows were not answered by both arms: each arm's {plan.primary.column} is over what it "
            "answered, the tests of pairs over what both did; keep abstentions among the guardrails"
        )
    named = [key for key, given in pairs.slices.items() if len(set(given)) > _MOST_VALUES]
    if named:
        warnings.append(
            f"no slices by {', '.join(named)}: more than {_MOST_VALUES} values each; is one of them the cluster?"
        )
    return warnings


def _differences(pairs: Pairs, column: F64, both: Bools) -> F64:
    """Weighted sums of B - A of the clusters that have rows of both."""
    weights = pairs.weights[both]
    d = np.bincount(pairs.cluster[both], weights * (column[1] - column[0])[both], pairs.clusters)
    return np.asarray(d, np.float64)[np.bincount(pairs.cluster[both], weights, pairs.clusters) > 0]


def _bounded(pairs: Pairs, plan: Plan) -> F64 | None:
    """The primary's series where its values keep the bound, else None."""
    column = pairs.of(plan.primary.column)
    inside = np.isnan(column) | ((column >= 0) & (column <= plan.bound))
    if inside.all():
        return series(pairs, plan.primary, plan.bound)
    if plan.live:
        raise ExperimentError(
            f"live, {plan.primary.column!r} must lie from 0 to {plan.bound:g}; set the bound, or scale it"
        )
    return None


def _over_time(found: F64, plan: Plan) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The confidence sequence of B - A in the metric's own unit."""
    low, high = confidence_sequence(found, plan.alpha)
    scale = plan.bound * plan.primary.sign
    below, above = (low, high) if scale > 0 else (high, low)
    return tuple((below * scale).tolist()), tuple((above * scale).tolist())


def _guardrails(plan: Plan, evidence: Evidence) -> tuple[GuardrailResult, ...]:
    p_held, p_broken = holm(evidence.p_held), holm(evidence.p_broken)
    results = []
    for i, guard in enumerate(plan.guardrails):
        held = Held.UNSETTLED
        if p_held[i] <= plan.alpha:
            held = Held.HELD
        elif p_broken[i] <= plan.alpha:
            held = Held.VIOLATED
        results.append(GuardrailResult(evidence.guardrails[i], guard.margin, held, p_held[i]))
    return tuple(results)


def _verdict(plan: Plan, evidence: Evidence, guardrails: tuple[GuardrailResult, ...]) -> tuple[Verdict, str]:
    name = plan.primary.name
    broken = [g.estimate.metric for g in guardrails if g.held is Held.VIOLATED]
    unsettled = [g.estimate.metric for g in guardrails if g.held is Held.UNSETTLED]
    if evidence.worse and not evidence.equal:
        return Verdict.WORSE, f"{name} is worse"
    if broken:
        return Verdict.WORSE, f"{', '.join(broken)} suffers by more than its margin"
    if unsettled and (evidence.better or evidence.equal):
        return (
            Verdict.INCONCLUSIVE,
            f"{name} would do, but {', '.join(unsettled)} is not shown to keep its margin",
        )
    if evidence.equal:
        return Verdict.EQUIVALENT, f"{name} differs by less than {plan.margin:g}"
    if evidence.better:
        return Verdict.BETTER, f"{name} is better" + (" and every guardrail holds" if guardrails else "")
    return Verdict.INCONCLUSIVE, f"the interval of {name} holds both better and worse"


def _more(plan: Plan, found: Estimate, rows: int) -> int | None:
    """Rows beyond these for an interval short enough to exclude 0, or to fit inside the margin: it shrinks as 1/sqrt(n)."""
    half = (found.high - found.low) / 2
    room = [abs(found.difference)]
    if abs(found.difference) < plan.margin:
        room.append(plan.margin - abs(found.difference))
    widest = max(room)
    if not (half > 0 and widest > half * 1e-3):
        return None
    return max(1, math.ceil(rows * ((half / widest) ** 2 - 1)))


def _mcnemar(column: F64, plan: Plan, limit: float) -> float:
    bad = column < limit if plan.primary.higher_is_better else column > limit
    return mcnemar_exact(bad[0], bad[1])


def _slices(pairs: Pairs, plan: Plan) -> tuple[SliceResult, ...]:
    results = []
    for key, given in pairs.slices.items():
        kinds = sorted(set(given) - {""})
        if len(kinds) > _MOST_VALUES or len(set(given)) < 2:
            continue
        for value in kinds:
            part = pairs.select(np.array([x == value for x in given]))
            known = ~np.isnan(part.of(plan.primary.column))
            if not known[0].any() or not known[1].any():
                continue
            drawn = resample(part, [plan.primary], max(200, plan.resamples // 4), plan.seed)[0]
            found = estimate(part, plan.primary, drawn[:, 1] - drawn[:, 0], plan.alpha)
            results.append(SliceResult(key, value, len(part), part.clusters, found, part.clusters < _SMALL))
    return tuple(results)
