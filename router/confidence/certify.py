"""Certifying: from calibration items to a threshold with a proven risk.

**The statement** of the Learn-then-Test methods, for items exchangeable with the calibration items:

    P[ E(loss | confidence >= threshold) <= alpha ] >= 1 - delta

over the draw of the calibration sample. For a 0/1 loss that is the risk P(wrong | accepted), conditional on acceptance.
`crc-joint` states another thing, E[loss x accepted] <= alpha, with no delta (`bounds.crc_joint_threshold`).

**The procedure** (Angelopoulos et al. 2021, arXiv 2110.01052: fixed-sequence testing; with several starts, the fallback
procedure of Wiens 2003). Items are ranked by confidence, safest first, ties in a seeded random order. The hypothesis of
rank j is "the risk of what passes the threshold T_j of the top j is > alpha". A chain of tests begins at each of m starts
with a level of delta / m, goes down rank by rank and ends at the first that is not rejected; where it reaches the next
start, the two go on as one with their levels added. The threshold is the lowest one rejected that cuts through no tie.

The starts depend on n, alpha and delta only, never on the losses. A safest set too small to reject therefore ends
nothing, and one unlucky or overconfident item at the very top ends one chain only.

**Why ranks are allowed**, though they are taken from the sample tested. Let R(t) be the risk given confidence > t, and
T_j the (j+1)-th confidence. Seen with the random order of ties, confidence has no atoms and R is continuous. Call a
maximal interval of thresholds with R > alpha a run; at its ends R = alpha.
1. Hold fixed how many items lie above each end of each run. Between two neighbouring ends the risk is alpha on the
   whole if it is so above both, hence the number bad above any end is exactly Bin(its number of items, alpha). And if a
   rank's T_j lies in a run, the items between the run's upper end and T_j are riskier than alpha on the whole, so
   the number bad of the top j is stochastically at least Bin(j, alpha). In both cases the p-value is valid.
2. These counts settle where every start lies. To err, some chain must first reject at its barrier: its own start, if
   that lies in a run, or else the rank of all items above the upper end of the next run below. (Every rank is tested,
   so none is skipped.) The chains that share a barrier reach it with at most the sum of their levels. So the chance of
   an error is at most the sum over barriers, which is delta, whatever the counts.
No monotonicity of R is assumed, and no grid is chosen. For losses in [0, 1] the same holds with the Hoeffding-Bentkus
p-value, since its inequalities ask only for independent losses of that mean.

**What must be independent**: items are images or scenes, never pixels, boxes or frames of one clip (`one_per_unit`). The
confidence must have been fitted on other items than these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from visionrouter.confidence.bounds import (
    F64,
    binomial_p,
    check_levels,
    clopper_pearson,
    crc_joint_threshold,
    hoeffding_bentkus,
    hoeffding_bentkus_p,
    least_accepted,
)
from visionrouter.confidence.certificate import Certificate, Infeasible, Method
from visionrouter.confidence.scope import Digests, Scope

STARTS = (1 / 8, 1 / 4, 1 / 2)
"""Shares of the ranks where chains of tests begin; fewer where n is too small for so many."""

_LADDER = 1.05
"""How finely `Infeasible.best_alpha` is searched."""


def certify(
    confidence: F64,
    loss: F64,
    *,
    scope: Scope,
    digests: Digests,
    alpha: float,
    delta: float,
    method: Method = "ltt-binomial",
    groups: Sequence[str] | None = None,
    tag: str = "group",
    starts: Sequence[float] = STARTS,
    made_by: str = "",
    seed: int = 0,
) -> tuple[Certificate | Infeasible, ...]:
    """The lowest certified threshold, for everything or for each value of a tag.

    `confidence` (N,) and `loss` (N,), one row an independent item. `ltt-binomial` takes losses 0 and 1, the others
    losses in [0, 1]. With `groups` (N,), the item's value of `tag`, each group stands alone (Mondrian): its certificate
    uses its own items only and holds however the groups are mixed later. Each group's statement holds with
    probability 1 - delta; for all of G groups at once, give delta / G.

    `starts` are the shares of the ranks where chains of tests begin. Choose them, alpha, delta and the groups before
    looking at the losses. Raises ValueError for NaN, for losses out of range and for lengths that differ.
    """
    check_levels(alpha, delta)
    confidence, loss = np.asarray(confidence, np.float64), np.asarray(loss, np.float64)
    _check(confidence, loss, method, starts)

    def threshold_at(level: float, member: npt.NDArray[np.bool_]) -> float | None:
        if method == "crc-joint":
            return crc_joint_threshold(confidence[member], loss[member], level)
        return ltt_threshold(
            confidence[member],
            loss[member],
            alpha=level,
            delta=delta,
            method=method,
            starts=starts,
            seed=seed,
        )

    stated = None if method == "crc-joint" else delta
    outcomes: list[Certificate | Infeasible] = []
    for group, member in _members(groups, tag, len(loss)):
        n = int(member.sum())
        threshold = threshold_at(alpha, member)
        passed = member & (confidence >= (np.inf if threshold is None else threshold))
        accepted, bad = int(passed.sum()), float(loss[passed].sum())
        if threshold is None or not accepted:
            levels = alpha * _LADDER ** np.arange(1, 1 + int(np.log(1 / alpha) / np.log(_LADDER)))
            best = next((float(a) for a in levels if a < 1 and threshold_at(a, member) is not None), None)
            outcomes.append(
                Infeasible(scope, method, alpha, stated, n, _least(method, alpha, delta), best, group)
            )
            continue
        bound = _bound(method, bad, accepted, n, delta)
        outcomes.append(
            Certificate(
                scope, method, alpha, stated, threshold, n, accepted, bad, bound, digests, group, made_by
            )
        )
    return tuple(outcomes)


def ltt_threshold(
    confidence: F64,
    loss: F64,
    *,
    alpha: float,
    delta: float,
    method: Literal["ltt-binomial", "ltt-hb"] = "ltt-binomial",
    starts: Sequence[float] = STARTS,
    seed: int = 0,
) -> float | None:
    """The bare procedure: accept where confidence >= the threshold, or None. See the module for why it holds."""
    n = len(loss)
    firsts = _first_ranks(n, alpha, delta, starts)
    if n < firsts[0]:
        return None
    order = np.lexsort((np.random.default_rng(seed).random(n), -confidence))
    ranked, spent, counts = confidence[order], np.cumsum(loss[order]), np.arange(1, n + 1)
    if method == "ltt-binomial":
        p = binomial_p(np.rint(spent).astype(np.int64), counts, alpha)
    else:
        p = hoeffding_bentkus_p(spent / counts, counts, alpha)
    whole = np.append(ranked[1:] != ranked[:-1], True)
    kept = np.flatnonzero(_rejected(p, firsts, delta) & whole)
    if not kept.size:
        return None
    last = int(kept[-1])
    return 0.0 if last == n - 1 else float(np.nextafter(ranked[last + 1], np.inf))


def one_per_unit(units: Sequence[str], seed: int = 0) -> npt.NDArray[np.intp]:
    """Sorted indices of one row of each unit, drawn at random: rows of one scene or clip are not independent."""
    order = np.random.default_rng(seed).permutation(len(units))
    _, first = np.unique(np.asarray(units, dtype=str)[order], return_index=True)
    return np.sort(order[first])


def _first_ranks(n: int, alpha: float, delta: float, starts: Sequence[float]) -> list[int]:
    """As many of the later starts as could each reject at their share of delta; else one, as early as it could."""
    for chains in range(len(starts), 1, -1):
        firsts = [round(share * n) for share in starts[-chains:]]
        if firsts[0] >= least_accepted(alpha, delta / chains):
            return firsts
    return [max(least_accepted(alpha, delta), round(starts[0] * n))]


def _rejected(p: F64, firsts: Sequence[int], delta: float) -> npt.NDArray[np.bool_]:
    """Which ranks the chains reject; `p` (n,) by rank, `firsts` the ranks, from 1, where chains begin."""
    rejected = np.zeros(len(p), np.bool_)
    level = 0.0
    for first, after in zip(firsts, [*firsts[1:], len(p) + 1], strict=True):
        level += delta / len(firsts)
        over = p[first - 1 : after - 1] > level
        end = first - 1 + int(over.argmax()) if over.any() else after - 1
        rejected[first - 1 : end] = True
        if end < after - 1:
            level = 0.0
    return rejected


def _members(
    groups: Sequence[str] | None, tag: str, n: int
) -> list[tuple[tuple[str, str] | None, npt.NDArray[np.bool_]]]:
    if groups is None:
        return [(None, np.ones(n, np.bool_))]
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups for {n} items")
    values = np.asarray(groups, dtype=str)
    return [((tag, str(value)), values == value) for value in np.unique(values)]


def _least(method: Method, alpha: float, delta: float) -> int:
    return int(np.ceil(1 / alpha - 1 - 1e-9)) if method == "crc-joint" else least_accepted(alpha, delta)


def _bound(method: Method, bad: float, accepted: int, n: int, delta: float) -> float:
    if method == "crc-joint":
        return (bad + 1) / (n + 1)
    if method == "ltt-binomial":
        return clopper_pearson(round(bad), accepted, delta)
    return hoeffding_bentkus(bad / accepted, accepted, delta)


def _check(confidence: F64, loss: F64, method: Method, starts: Sequence[float]) -> None:
    if confidence.ndim != 1 or confidence.shape != loss.shape:
        raise ValueError(
            f"confidence {confidence.shape} and loss {loss.shape} should be two arrays (N,) of one length"
        )
    for name, array in (("confidence", confidence), ("loss", loss)):
        if not np.isfinite(array).all():
            raise ValueError(
                f"{int((~np.isfinite(array)).sum())} values of {name} are NaN or infinite: "
                "decide what such an item counts as (a failure is a loss of 1) before certifying"
            )
    if ((confidence < 0) | (confidence > 1)).any():
        raise ValueError("confidence should lie in [0, 1]: give the calibrated confidence, not a raw score")
    if ((loss < 0) | (loss > 1)).any():
        raise ValueError("losses should lie in [0, 1]: divide by their largest possible value")
    if method == "ltt-binomial" and not np.isin(loss, (0, 1)).all():
        raise ValueError("ltt-binomial takes losses 0 and 1; use ltt-hb for losses between them")
    if not starts or list(starts) != sorted(set(starts)) or not 0 <= starts[0] <= starts[-1] <= 1:
        raise ValueError(f"starts {starts!r} should be shares in [0, 1] that rise")
