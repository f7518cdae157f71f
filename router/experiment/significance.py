"""Exact and permutation tests of paired results, and Holm's correction. Plain functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.experiment.pairs import F64, Bools


def mcnemar_exact(a_bad: Bools, b_bad: Bools) -> float:
    """Two-sided p that both arms fail equally often, from the pairs that only one of them failed: 2 P[Bin(n, 1/2) <= k]."""
    from scipy.stats import binom

    only_a, only_b = int((a_bad & ~b_bad).sum()), int((b_bad & ~a_bad).sum())
    n = only_a + only_b
    return 1.0 if n == 0 else min(1.0, 2 * float(binom.cdf(min(only_a, only_b), n, 0.5)))


def sign_flip(differences: F64, count: int = 10_000, seed: int = 0) -> float:
    """Two-sided p that differences (one a cluster) are symmetric about 0: (1 + #{|T*| >= |T|}) / (1 + count)."""
    rng = np.random.default_rng(seed)
    observed = abs(differences.sum()) * (1 - 1e-12)
    extreme = 0
    step = max(1, 4_000_000 // len(differences))
    for begin in range(0, count, step):
        signs = rng.integers(0, 2, (min(step, count - begin), len(differences)), np.int8)
        flipped = signs @ (2 * differences) - differences.sum()
        extreme += int((np.abs(flipped) >= observed).sum())
    return (1 + extreme) / (1 + count)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: those at most alpha may be rejected, all together at level alpha."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def cuped(differences: F64, covariate: F64) -> F64:
    """Differences less what the covariate explains of them, their mean kept: d - theta (x - mean x), theta = cov / var.

    Deng et al., "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data", 2013.
    """
    centred = covariate - covariate.mean()
    spread = float(centred @ centred)
    return differences if spread == 0 else differences - (float(centred @ differences) / spread) * centred
