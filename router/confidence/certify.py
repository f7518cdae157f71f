"""Certifying: from calibration items to a threshold with a proven risk.

**The statement** of the Learn-then-Test methods, for items exchangeable with the calibration items:

    P[ E(loss | confidence >= threshold) <= alpha ] >= 1 - delta

over the draw of the calibration sample. For a 0/1 loss that is the risk P(wrong | accepted), conditional on acceptance.
`crc-joint` states another thing, E[loss x accepted] <= alpha, with no delta (`bounds.crc_joint_threshold`).

**The procedure** (Angelopoulos et al. 2021, arXiv 2110.01052: fixed-sequence testing). Items are ranked by confidence,
safest first, ties in a seeded random order. For j = s, s+1, ..., n the hypothesis "the risk of what passes the
threshold of the top j is > alpha" is tested at level delta with the losses of the top j; the first that is not
rejected ends it. The threshold is the lowest one reached that does not cut through a tie.

**Why ranks are allowed**, though they are taken from the sample tested. Let R(t) be the risk given confidence > t. Seen
with the random order of ties, confidence has no atoms and R is continuous. Write T_j for the (j+1)-th confidence.
1. Given T_j, the top j are independent draws given confidence > T_j; given how many items lie above a fixed t, those
   are independent draws given confidence > t. So with the number accepted held fixed, the number bad is exactly
   Bin(j, R), and the binomial p-value is valid although that number is random.
2. An error is to pass into a run of thresholds with R > alpha. Either the start T_s lies in such a run: then the first
   test must err, and given T_s it does so with probability <= delta. Or the start lies above the run, whose upper end
   is a fixed b with R(b) = alpha. Every rank is tested, so the set of all items above b is too, and must be rejected.
   Where an earlier run lies above the start, its lower end g has R(g) = alpha as well, hence so has the band between
   g and b; given how many items lie above g and above b, which settles where the start lies, the number bad above b
   is still Bin(N, alpha). These cases exclude each other, and each has its error with probability <= delta.
No monotonicity of R is assumed, and no grid is chosen. The start s may depend on n, alpha and delta only: it is the
larger of the least number that could ever be rejected, and the share `first_share` of n. A safest set too small to
reject therefore does not end the sequence; one unlucky item at the very top does not either. For losses in [0, 1] the
same holds with the Hoeffding-Bentkus p-value, since its inequalities ask only for independent losses of that mean.

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

FIRST_SHARE = 0.25
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
    first_share: float = FIRST_SHARE,
    made_by: str = "",
    seed: int = 0,
) -> tuple[Certificate | Infeasible, ...]:
    """The lowest certified threshold, for everything or for each value of a tag.

    `confidence` (N,) and `loss` (N,), one row an independent item. `ltt-binomial` takes losses 0 and 1, the others
    losses in [0, 1]. With `groups` (N,), the item's value of `tag`, each group stands alone (Mondrian): its certificate
    uses its own items only and holds however the groups are mixed later. Each group's statement holds with
    probability 1 - delta; for all of G groups at once, give delta / G.

    `first_share` is the share of the ranks where testing starts. Choose it, alpha, delta and the groups before looking
    at the losses. Raises ValueError for NaN, for losses out of range and for lengths that differ.
    """
    check_levels(alpha, delta)
    confidence, loss = np.asarray(confidence, np.float64), np.asarray(loss, np.float64)
    _check(confidence, loss, method, first_share)

    def threshold_at(level: float, member: npt.NDArray[np.bool_]) -> float | None:
        if method == "crc-joint":
            return crc_joint_threshold(confidence[member], loss[member], level)
        return ltt_threshold(
            confidence[member],
            loss[member],
            alpha=level,
            delta=delta,
            method=method,
            first_share=first_share,
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
    first_share: float = FIRST_SHARE,
    seed: int = 0,
) -> float | None:
    """The bare procedure: accept where confidence >= the threshold, or None. See the module for why it holds."""
    n = len(loss)
    start = max(least_accepted(alpha, delta), round(first_share * n))
    if n < start:
        return None
    order = np.lexsort((np.random.default_rng(seed).random(n), -confidence))
    ranked, spent = confidence[order], np.cumsum(loss[order])[start - 1 :]
    counts = np.arange(start, n + 1)
    if method == "ltt-binomial":
        p = binomial_p(np.rint(spent).astype(np.int64), counts, alpha)
    else:
        p = hoeffding_bentkus_p(spent / counts, counts, alpha)
    over = p > delta
    passed = start - 1 + (int(over.argmax()) if over.any() else len(p))
    while start <= passed < n and ranked[passed - 1] == ranked[passed]:
        passed -= 1
    if passed < start:
        return None
    return 0.0 if passed == n else float(np.nextafter(ranked[passed], np.inf))


def one_per_unit(units: Sequence[str], seed: int = 0) -> npt.NDArray[np.intp]:
    """Sorted indices of one row of each unit, drawn at random: rows of one scene or clip are not independent."""
    order = np.random.default_rng(seed).permutation(len(units))
    _, first = np.unique(np.asarray(units, dtype=str)[order], return_index=True)
    return np.sort(order[first])


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


def _check(confidence: F64, loss: F64, method: Method, first_share: float) -> None:
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
    if not 0 <= first_share <= 1:
        raise ValueError(f"first_share {first_share!r} should lie in [0, 1]")
