"""How well a confidence tells good from bad, and how honest it is.

Confidence (N,), higher is safer; loss (N,) in [0, 1], or bad (N,) as bool. Equal confidences are treated as put in a
random order, in expectation, so that no figure depends on the order of the rows. NaN raises ValueError; where a figure
is not defined (AUROC of one class, anything of no item) it is NaN, which JSON readers here refuse, so that nobody
averages it in by mistake.

Sources: AUROC by ranks, Mann & Whitney 1947; AURC and E-AURC, Geifman, Uziel & El-Yaniv 2019 (arXiv 1805.08206); ECE,
Naeini et al. 2015, with bins of equal mass as Nixon et al. 2019 (arXiv 1904.01685) advise; Brier 1950; sparsification and
AUSE, Ilg et al. 2018 (arXiv 1802.07095); AURG, Poggi et al. 2020 (arXiv 2005.06209).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.confidence.bounds import F64, clopper_pearson

_STEPS = 50
"""Shares removed in a sparsification: 0, 2, ..., 98 %."""


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Mean loss of the most confident, by how many are kept: `coverage` (N,) = 1/N, ..., 1; `risk` (N,)."""

    coverage: F64
    risk: F64

    @property
    def aurc(self) -> float:
        """Area under the curve, lower is better."""
        return float(self.risk.mean()) if self.risk.size else math.nan


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Items of like confidence: their number, mean confidence, share good, and its 95 % Clopper-Pearson interval."""

    n: int
    confidence: float
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sparsification:
    """Mean error of the pixels that are left once the least confident share `removed` (K,) is taken away.

    `by_confidence`, `by_error` (the oracle: worst first) and `random` (K,), in the error's unit, each a mean over images.
    """

    removed: F64
    by_confidence: F64
    by_error: F64
    random: F64
    images: int

    @property
    def ause(self) -> float:
        """Area between confidence and oracle: 0 is perfect."""
        return float((self.by_confidence - self.by_error).mean())

    @property
    def ause_random(self) -> float:
        """The same of a random order: what `ause` must stay below to be worth anything."""
        return float((self.random - self.by_error).mean())

    @property
    def aurg(self) -> float:
        """Area gained over random: `ause_random` - `ause`."""
        return float((self.random - self.by_confidence).mean())


def auroc(confidence: F64, bad: npt.NDArray[Any]) -> float:
    """P(a good item is more confident than a bad one), ties counting half; NaN where all are good or all bad."""
    from scipy.stats import rankdata

    confidence, bad = _checked(confidence, bad)
    is_bad = bad.astype(np.bool_)
    n_bad = int(is_bad.sum())
    n_good = len(bad) - n_bad
    if not n_bad or not n_good:
        return math.nan
    ranks = float(rankdata(confidence)[~is_bad].sum())
    return (ranks - n_good * (n_good + 1) / 2) / (n_good * n_bad)


def risk_coverage(confidence: F64, loss: npt.NDArray[Any]) -> RiskCoverage:
    """The risk-coverage curve, from the most confident item to all."""
    confidence, loss = _checked(confidence, loss)
    kept = np.arange(1, len(loss) + 1)
    return RiskCoverage(kept / max(len(loss), 1), np.cumsum(_ranked(confidence, loss)) / kept)


def aurc(confidence: F64, loss: npt.NDArray[Any]) -> float:
    """Area under the risk-coverage curve."""
    return risk_coverage(confidence, loss).aurc


def excess_aurc(confidence: F64, loss: npt.NDArray[Any]) -> float:
    """AURC less that of the best possible order of these losses: 0 is perfect, and the base rate no longer counts."""
    loss = np.asarray(loss, np.float64)
    return aurc(confidence, loss) - aurc(-loss, loss)


def reliability(confidence: F64, good: npt.NDArray[Any], bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Confidence against share good in up to `bins` bins of equally many items, least confident first."""
    confidence, good = _checked(confidence, good)
    order = np.argsort(confidence, kind="stable")
    ranked, rates = confidence[order], _ranked(-confidence, good)
    table = []
    for part in np.array_split(np.arange(len(good)), min(bins, len(good)) or 1):
        if not part.size:
            continue
        n, hits = int(part.size), round(float(rates[part].sum()))
        table.append(
            ReliabilityBin(
                n,
                float(ranked[part].mean()),
                float(rates[part].mean()),
                1 - clopper_pearson(n - hits, n, 0.025),
                clopper_pearson(hits, n, 0.025),
            )
        )
    return tuple(table)


def ece(confidence: F64, good: npt.NDArray[Any], bins: int = 10) -> float:
    """Expected calibration error over bins of equal mass: the mean gap between confidence and share good."""
    table = reliability(confidence, good, bins)
    total = sum(b.n for b in table)
    return sum(b.n * abs(b.confidence - b.rate) for b in table) / total if total else math.nan


def brier(confidence: F64, good: npt.NDArray[Any]) -> float:
    """Mean squared gap between confidence and outcome: 0 is perfect, .25 a coin's."""
    confidence, good = _checked(confidence, good)
    return float(((confidence - good) ** 2).mean()) if good.size else math.nan


def sparsification(maps: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]]) -> Sparsification:
    """Curves over pairs of confidence and error maps of one shape; pixels without truth (NaN error) are left out.

    The error is any that averages over pixels (AbsRel, an angle in degrees). Curves are made per image and averaged, so
    that an image counts once however many pixels of truth it has. Raises ValueError where no image has a pixel.
    """
    removed = np.arange(_STEPS) / _STEPS
    by_confidence, by_error, random = [], [], []
    for confidence, error in maps:
        known = np.isfinite(error)
        if not known.any():
            continue
        sure, wrong = _checked(confidence[known], error[known])
        by_confidence.append(_left(sure, wrong, removed))
        by_error.append(_left(-wrong, wrong, removed))
        random.append(np.full(_STEPS, wrong.mean()))
    if not random:
        raise ValueError("no image has a pixel with truth, so there is nothing to sparsify")
    return Sparsification(
        removed, np.mean(by_confidence, 0), np.mean(by_error, 0), np.mean(random, 0), len(random)
    )


def _left(confidence: F64, error: F64, removed: F64) -> F64:
    """Mean error of what stays when each share is removed, least confident first; at least one pixel stays."""
    total = np.cumsum(_ranked(confidence, error))
    kept = np.maximum(np.ceil(len(error) * (1 - removed) - 1e-9).astype(np.intp), 1)
    return np.asarray(total[kept - 1] / kept, np.float64)


def _ranked(confidence: F64, values: F64) -> F64:
    """Values from the most confident down, those of equal confidence replaced by their mean."""
    order = np.argsort(-confidence, kind="stable")
    ranked, values = confidence[order], values[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))[: len(ranked)]
    if len(starts) == len(ranked):
        return values
    counts = np.diff(np.concatenate([starts, [len(ranked)]]))
    return np.repeat(np.add.reduceat(values, starts) / counts, counts)


def _checked(confidence: npt.NDArray[Any], values: npt.NDArray[Any]) -> tuple[F64, F64]:
    confidence, values = np.asarray(confidence, np.float64), np.asarray(values, np.float64)
    if confidence.ndim != 1 or confidence.shape != values.shape:
        raise ValueError(f"{confidence.shape} and {values.shape} should be two arrays (N,) of one length")
    if not (np.isfinite(confidence).all() and np.isfinite(values).all()):
        raise ValueError("NaN or infinite values cannot be ranked; decide what such an item counts as")
    return confidence, values
