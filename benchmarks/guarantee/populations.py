"""Populations with a known risk at every threshold: synthetic ones, and recorded rows taken as one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visionrouter.confidence.bounds import F64
from visionrouter.confidence.certify import one_per_unit
from visionrouter.schema.errors import RequestError

POOL = 100_000


@dataclass(frozen=True, slots=True)
class Population:
    """Equally likely items: `confidence` (M,) falling, `loss` (M,) in [0, 1]. Draws are independent, with replacement."""

    name: str
    confidence: F64
    loss: F64

    @classmethod
    def of(cls, name: str, confidence: F64, loss: F64) -> Population:
        """From items in any order."""
        order = np.argsort(-confidence, kind="stable")
        return cls(name, confidence[order], loss[order])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[F64, F64]:
        """Confidence (n,) and loss (n,)."""
        at = rng.integers(0, len(self.loss), n)
        return self.confidence[at], self.loss[at]

    def truth(self, threshold: float) -> tuple[float, float]:
        """The true (risk, coverage) of accepting where confidence >= threshold; risk 0 where nothing is."""
        accepted = int(np.searchsorted(-self.confidence, -threshold, side="right"))
        return (float(self.loss[:accepted].mean()) if accepted else 0.0), accepted / len(self.loss)

    def best_coverage(self, alpha: float) -> float:
        """The most that any threshold with a true risk <= alpha accepts."""
        kept = np.arange(1, len(self.loss) + 1)
        whole = np.append(self.confidence[1:] != self.confidence[:-1], True)
        fits = np.flatnonzero(whole & (np.cumsum(self.loss) <= alpha * kept))
        return float(kept[fits[-1]] / len(self.loss)) if fits.size else 0.0


def synthetic(rng: np.random.Generator, alpha: float) -> list[Population]:
    """Six ways for a confidence to be good, bad or odd."""
    return [
        _population("sharp: few doubtful items", rng, lambda z: _sigmoid(-4 - 4 * z)),
        _population("blunt: risk falls slowly", rng, lambda z: _sigmoid(-2.5 - 1.2 * z)),
        _population("overconfident top 3 %", rng, lambda z: np.where(z > 1.88, 0.3, _sigmoid(-4 - 3 * z))),
        _population("risk crosses alpha three times", rng, lambda z: alpha * _crossing(z)),
        _population("ties: eleven levels", rng, lambda z: _sigmoid(-4 - 3 * z), levels=10),
        _population("6 % over alpha throughout", rng, lambda z: np.full_like(z, 1.06 * alpha)),
    ]


def _crossing(z: F64) -> F64:
    """In units of alpha: the top fifth is over it, a safe band brings the mean of the top below, the rest over again."""
    return np.where(z > 0.84, 1.2, np.where(z > 0.5, 0.4, 1.3))


def shifted(rng: np.random.Generator) -> tuple[Population, Population]:
    """Clear days and rainy ones: at the same confidence rain is ten times as risky in odds."""
    clear = _population("clear", rng, lambda z: _sigmoid(-4.5 - 2.5 * z))
    return clear, _population("rain", rng, lambda z: _sigmoid(-2.2 - 2.5 * z))


def mixed(name: str, parts: tuple[Population, ...], weights: tuple[int, ...]) -> Population:
    """Parts of one size in whole-number proportions."""
    confidence = np.concatenate([np.repeat(p.confidence, w) for p, w in zip(parts, weights, strict=True)])
    loss = np.concatenate([np.repeat(p.loss, w) for p, w in zip(parts, weights, strict=True)])
    return Population.of(name, confidence, loss)


def recorded(path: Path) -> Population:
    """JSON lines with `confidence` and `loss`, and `unit` (scene, clip) where rows hang together: then one row of each.

    Raises `RequestError` with the line.
    """
    confidence, loss, units = [], [], []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: cannot be read as text ({error})") from error
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            values = float(row["confidence"]), float(row["loss"])
        except (ValueError, KeyError, TypeError) as error:
            raise RequestError(
                f'{path}:{number}: should be {{"confidence": number, "loss": number}} ({error!r})'
            ) from error
        if not all(math.isfinite(v) and 0 <= v <= 1 for v in values):
            raise RequestError(f"{path}:{number}: confidence and loss should lie in [0, 1]")
        confidence.append(values[0])
        loss.append(values[1])
        units.append(str(row.get("unit", number)))
    if not loss:
        raise RequestError(f"{path}: has no rows")
    kept = one_per_unit(units)
    return Population.of(path.name, np.array(confidence)[kept], np.array(loss)[kept])


def _population(
    name: str, rng: np.random.Generator, risk: Callable[[F64], F64], levels: int | None = None
) -> Population:
    z = rng.normal(size=POOL)
    confidence = _sigmoid(z)
    if levels:
        confidence = np.round(confidence * levels) / levels
    return Population.of(name, confidence, (rng.random(POOL) < risk(z)).astype(np.float64))


def _sigmoid(x: npt.NDArray[np.float64]) -> F64:
    return np.asarray(1 / (1 + np.exp(-x)), np.float64)
