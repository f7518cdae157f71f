"""Evidence that may be looked at whenever one likes: betting e-processes and confidence sequences for bounded means.

Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024 (arXiv 2010.09686).
"""

from __future__ import annotations

import math

import numpy as np

from visionrouter.experiment.pairs import F64

_BOLDEST_BET = 0.9
"""The share of its capital that a bet may lose at most."""
_BOLDEST_WEIGHT = 0.5
"""What one value may weigh at most in a confidence sequence."""


def e_process(differences: F64, null: float = 0.0) -> F64:
    """Capital E_t against "the mean of what comes is at most `null`": float64 (N,), starting from 1.

    `differences` lie in [-1, 1], `null` in (-1, 1). E_t = prod(1 + l_t (d_t - null)) with the bet l_t >= 0 fixed by what
    came before: mean over mean square of it (aGRAPA). By Ville's inequality it ever reaches 1/alpha with probability at
    most alpha while the null is true, however often one looks.
    """
    _check(differences, null)
    gain = differences - null
    n = len(gain)
    seen = np.arange(n)
    mean = np.concatenate([[0.0], np.cumsum(gain)[:-1]]) / (seen + 1)
    square = (0.25 + np.concatenate([[0.0], np.cumsum(gain**2)[:-1]])) / (seen + 1)
    bet = np.clip(mean / square, 0.0, _BOLDEST_BET / (1 + null))
    capital: F64 = np.exp(np.minimum(np.cumsum(np.log1p(bet * gain)), 700.0))
    return capital


def anytime_p(differences: F64, null: float = 0.0) -> float:
    """1 / the largest capital so far, at most 1: a p-value of "the mean is at most `null`" at any time."""
    return min(1.0, 1.0 / float(e_process(differences, null).max(initial=1.0)))


def confidence_sequence(differences: F64, alpha: float) -> tuple[F64, F64]:
    """Lower and upper bounds, float64 (N,) each, that hold the mean at all times together with probability 1 - alpha.

    The predictable plug-in empirical-Bernstein sequence (their Theorem 2), intersected as it runs.
    """
    _check(differences, 0.0)
    x = (differences + 1) / 2
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    before = np.concatenate([[0.5], mean[:-1]])
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    variance_before = np.concatenate([[0.25], variance[:-1]])
    bet = np.minimum(np.sqrt(2 * math.log(2 / alpha) / (variance_before * t * np.log1p(t))), _BOLDEST_WEIGHT)
    total = np.cumsum(bet)
    centre = np.cumsum(bet * x) / total
    spent = np.cumsum(4 * (x - before) ** 2 * (-np.log1p(-bet) - bet) / 4)
    half = (math.log(2 / alpha) + spent) / total
    low = np.maximum.accumulate(np.maximum(centre - half, 0.0))
    high = np.minimum.accumulate(np.minimum(centre + half, 1.0))
    return 2 * low - 1, 2 * high - 1


def _check(differences: F64, null: float) -> None:
    if not (np.abs(differences) <= 1).all():
        raise ValueError("differences lie in [-1, 1]; scale them by the metric's range first")
    if not -1 < null < 1:
        raise ValueError(f"the null {null} is not inside (-1, 1)")
