"""Finite-sample upper bounds and p-values for a mean loss, and how many samples a bound needs.

All speak of n independent draws from one distribution. A p-value here tests H0: mean > alpha, and is at most u with
probability at most u when H0 holds; a bound U holds (mean <= U) with probability at least 1 - delta. Each p-value is
<= delta exactly where its bound is <= alpha, so that a test and the bound reported beside it never disagree.

Sources: Clopper & Pearson 1934; Hoeffding 1963, theorem 1; Bentkus 2004, theorem 1.2; Bates et al. 2021
(arXiv 2101.02703), proposition 8, for the Hoeffding-Bentkus p-value; Angelopoulos et al. 2022 (arXiv 2208.02814),
equation 4, for conformal risk control.
"""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from scipy import special

F64 = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.integer[Any]]

_STEPS = 60
"""Halvings of [0, 1] when a p-value is inverted: past the resolution of a double near 1."""


def clopper_pearson(bad: int, n: int, delta: float) -> float:
    """Upper bound on a probability of which `bad` of `n` draws were hits; 1 where all were, or where n is 0."""
    _counts(bad, n)
    return 1.0 if bad == n else float(special.betaincinv(bad + 1, n - bad, 1 - delta))


@overload
def binomial_p(bad: int, n: int, alpha: float) -> float: ...
@overload
def binomial_p(bad: _Ints, n: _Ints, alpha: float) -> F64: ...
def binomial_p(bad: Any, n: Any, alpha: float) -> Any:
    """P[Bin(n, alpha) <= bad]: the exact p-value of a 0/1 loss."""
    p = special.bdtr(np.asarray(bad, np.float64), np.asarray(n), alpha)
    return p if np.ndim(p) else float(p)


def hoeffding(mean: float, n: int, delta: float) -> float:
    """Upper bound on the mean of a loss in [0, 1] whose average over n draws is `mean`: loose, and simple."""
    return min(1.0, mean + math.sqrt(math.log(1 / delta) / (2 * n))) if n else 1.0


@overload
def hoeffding_bentkus_p(mean: float, n: int, alpha: float) -> float: ...
@overload
def hoeffding_bentkus_p(mean: F64, n: _Ints, alpha: float) -> F64: ...
def hoeffding_bentkus_p(mean: Any, n: Any, alpha: float) -> Any:
    """min{exp(-n h1(mean ^ alpha, alpha)), e P[Bin(n, alpha) <= ceil(n mean)]}, at most 1, for a loss in [0, 1]."""
    n = np.asarray(n)
    low = np.minimum(mean, alpha)
    divergence = special.rel_entr(low, alpha) + special.rel_entr(1 - low, 1 - alpha)
    total = np.asarray(mean * n)
    near = np.rint(total)  # a sum of 0/1 losses is a whole number: rounding must not push ceil one up
    whole = np.where(np.abs(total - near) < 1e-12 * np.maximum(n, 1), near, np.ceil(total))
    p = np.minimum(1.0, np.minimum(np.exp(-n * divergence), math.e * special.bdtr(whole, n, alpha)))
    return p if np.ndim(p) else float(p)


def hoeffding_bentkus(mean: float, n: int, delta: float) -> float:
    """The upper bound dual to `hoeffding_bentkus_p`: the least alpha at which it is <= delta."""
    if n == 0 or hoeffding_bentkus_p(mean, n, 1 - 1e-12) > delta:
        return 1.0
    low, high = mean, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if hoeffding_bentkus_p(mean, n, middle) <= delta else (middle, high)
    return high


def least_accepted(alpha: float, delta: float, bad: int = 0) -> int:
    """The fewest accepted items of which `bad` are bad that still show a risk <= alpha with confidence 1 - delta.

    With none bad it holds for Hoeffding-Bentkus too: both p-values are (1 - alpha)^n.
    """
    check_levels(alpha, delta)
    low, high = bad, max(bad + 1, 2)
    while binomial_p(bad, high, alpha) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if binomial_p(bad, middle, alpha) <= delta else (middle, high)
    return high


def crc_joint_threshold(confidence: F64, loss: F64, alpha: float) -> float | None:
    """Conformal risk control of the JOINT risk: the least t with n/(n+1) R(t) + 1/(n+1) <= alpha, None if there is none.

    R(t) is the average over all n items of loss x [confidence >= t], losses in [0, 1]. Accepting the next
    exchangeable item when its confidence is >= t gives E[loss x accepted] <= alpha, on average over calibration
    samples too: no delta. It bounds how often something is accepted AND wrong. It does not bound P(wrong | accepted),
    which may be many times higher where little is accepted.
    """
    n = len(loss)
    if (n + 1) * alpha < 1:
        return None
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    spent = np.cumsum(loss[order])
    over = np.flatnonzero(spent + 1 > (n + 1) * alpha * (1 + 1e-12))
    if not over.size:
        return 0.0
    return float(np.nextafter(ranked[over[0]], np.inf))


def check_levels(alpha: float, delta: float) -> None:
    """Raise ValueError unless both lie strictly between 0 and 1."""
    for name, level in (("alpha", alpha), ("delta", delta)):
        if not 0 < level < 1:
            raise ValueError(f"{name} {level!r} must lie between 0 and 1, without them")


def _counts(bad: int, n: int) -> None:
    if not 0 <= bad <= n:
        raise ValueError(f"{bad} bad of {n} is no count")
