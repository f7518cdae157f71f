"""From the signals of one attempt to a calibrated confidence: the probability that the answer is good.

What runs for every attempt is plain Python floats. Fitting is in `visionrouter.confidence.fitting`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from visionrouter.confidence.scope import Scope
from visionrouter.schema.errors import CalibrationError

Transform = Literal["identity", "log1p", "ranks"]
CalibrationMethod = Literal["logistic", "isotonic"]

_SATURATED = 700.0
"""exp overflows a double just above it."""


class EvidenceMissingError(CalibrationError):
    """A signal that the calibrator reads is absent or not finite. It is never imputed: `signal` names it."""

    def __init__(self, signal: str, value: float | None) -> None:
        said = "is absent" if value is None else f"is {value}"
        super().__init__(
            f"signal {signal!r} {said}, and the calibrator reads it: run the probe that gives it, "
            "or calibrate without it"
        )
        self.signal = signal


@dataclass(frozen=True, slots=True)
class Reading:
    """`confidence` in (0, 1); `outside` names the signals beyond what calibration saw, read as the last value it knows."""

    confidence: float
    outside: tuple[str, ...] = ()

    @property
    def extrapolated(self) -> bool:
        return bool(self.outside)


@dataclass(frozen=True, slots=True)
class Feature:
    """One signal on its way into the score: weight x (transform(value) - centre) / spread.

    Transforms rise with the value: `identity`; `log1p`, sign(x) log(1 + |x| / unit); `ranks`, linear between `knots`
    (quantiles of the calibration sample, rising), from -1 at the first to 1 at the last and flat beyond. `low` and
    `high` bound what calibration saw, with a margin.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}

    name: str
    transform: Transform
    centre: float
    spread: float
    weight: float
    low: float
    high: float
    unit: float = 1.0
    knots: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not (self.spread > 0 and self.unit > 0 and self.low <= self.high):
            raise ValueError(f"signal {self.name!r}: spread and unit must be over 0, and low not over high")
        if self.transform == "ranks" and not _rising(self.knots):
            raise ValueError(f"signal {self.name!r}: ranks need at least two knots that rise")

    def term(self, value: float) -> float:
        """What a finite value adds to the score."""
        if self.transform == "log1p":
            value = math.copysign(math.log1p(abs(value) / self.unit), value)
        elif self.transform == "ranks":
            value = _rank(self.knots, value)
        return self.weight * (value - self.centre) / self.spread


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Maps signals to P(good) for one scope, as fitted on `n` items of which `bad` were bad.

    score = intercept + sum of the features' terms. `logistic`: p = 1 / (1 + exp(-score)). `isotonic`: p is linear
    between (`scores`, `rates`), the centres and rates of the blocks of a monotone regression, and flat beyond them.
    The confidence is (n p + 1) / (n + 2), Laplace's rule: from n items no rate can be told nearer to 0 or 1 than
    1 / (n + 2), and being an affine map it ties nothing. `dropped` says which signals were left out and why.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}

    scope: Scope
    method: CalibrationMethod
    features: tuple[Feature, ...]
    intercept: float
    n: int
    bad: int
    l2: float
    scores: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.features or not 0 <= self.bad <= self.n:
            raise ValueError("a calibrator reads at least one signal, and bad is a count of its n items")
        if self.method == "isotonic":
            falls = any(b < a for a, b in pairwise(self.rates))
            if not _rising(self.scores) or len(self.rates) != len(self.scores) or falls:
                raise ValueError(
                    "isotonic needs scores that rise, each with a rate, and rates that never fall"
                )

    @property
    def signals(self) -> tuple[str, ...]:
        """What it reads, in order."""
        return tuple(feature.name for feature in self.features)

    def read(self, signals: Mapping[str, float]) -> Reading:
        """Confidence, and which signals lie beyond the calibration sample. Raises `EvidenceMissingError`."""
        score = self.intercept
        outside: tuple[str, ...] = ()
        for feature in self.features:
            value = signals.get(feature.name)
            if value is None or not math.isfinite(value):
                raise EvidenceMissingError(feature.name, value)
            if not feature.low <= value <= feature.high:
                outside += (feature.name,)
                value = feature.low if value < feature.low else feature.high
            score += feature.term(value)
        return Reading((self.n * self._good(score) + 1) / (self.n + 2), outside)

    def confidence(self, signals: Mapping[str, float]) -> float:
        """P(good) in (0, 1). Raises `EvidenceMissingError`."""
        return self.read(signals).confidence

    def _good(self, score: float) -> float:
        if self.method == "isotonic":
            return _interpolate(self.scores, self.rates, score)
        return 1 / (1 + math.exp(-score)) if score > -_SATURATED else 0.0

    @classmethod
    def fit(
        cls,
        rows: Sequence[Mapping[str, float]],
        good: npt.NDArray[np.bool_],
        *,
        scope: Scope,
        signals: Sequence[str] | None = None,
        method: CalibrationMethod = "logistic",
        units: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Calibrator:
        """See `visionrouter.confidence.fitting.fit_calibrator`."""
        from visionrouter.confidence.fitting import fit_calibrator

        return fit_calibrator(rows, good, scope=scope, signals=signals, method=method, units=units, seed=seed)


def _rising(values: Sequence[float]) -> bool:
    return len(values) > 1 and all(a < b for a, b in pairwise(values))


def _rank(knots: tuple[float, ...], value: float) -> float:
    if value <= knots[0]:
        return -1.0
    if value >= knots[-1]:
        return 1.0
    i = bisect_right(knots, value)
    low = knots[i - 1]
    return 2 * (i - 1 + (value - low) / (knots[i] - low)) / (len(knots) - 1) - 1


def _interpolate(xs: tuple[float, ...], ys: tuple[float, ...], x: float) -> float:
    if x <= xs[0]:
        return ys[0]
    if x >= xs[-1]:
        return ys[-1]
    i = bisect_right(xs, x)
    share = (x - xs[i - 1]) / (xs[i] - xs[i - 1])
    return ys[i - 1] + share * (ys[i] - ys[i - 1])
