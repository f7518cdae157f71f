"""From a raw confidence map to P(this pixel is good), pixel by pixel.

Calibrated on average over images. It is no guarantee: pixels of one image are not independent, so no certificate is
made from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from visionrouter.confidence.scope import Scope
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import CalibrationError

KNOTS = 256
_PIXELS_PER_IMAGE = 4096
_BINS = 128


@dataclass(frozen=True, slots=True)
class PixelCalibrator:
    """P(error <= `scope.loss_threshold`) at raw confidence 0, 1/255, ..., 1, linear between; never falls.

    Fitted on `images` images, of equal weight.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}

    scope: Scope
    table: tuple[float, ...]
    images: int

    def __post_init__(self) -> None:
        steps = np.diff(self.table)
        if len(self.table) != KNOTS or (steps < 0).any() or not 0 <= self.table[0] <= self.table[-1] <= 1:
            raise ValueError(f"the table should be {KNOTS} probabilities that never fall")

    def apply(self, raw: F32) -> F32:
        """float32 (H, W) in [0, 1] to float32 (H, W); values beyond are clipped, and a NaN, which vouches for nothing, gives 0."""
        table = np.asarray(self.table, np.float32)
        place = np.nan_to_num(raw, nan=0.0).clip(0, 1) * np.float32(KNOTS - 1)
        left = np.minimum(place, KNOTS - 2).astype(np.uint8)  # equal knots: no search, unlike np.interp
        share = place - left
        mapped = table[left] + share * np.diff(table, append=table[-1])[left]
        return np.where(np.isnan(raw), np.float32(0), mapped)

    @classmethod
    def fit(cls, maps: Iterable[tuple[F32, F32]], *, scope: Scope, seed: int = 0) -> PixelCalibrator:
        """Fit on pairs of raw confidence (H, W) in [0, 1] and error (H, W), NaN where there is no truth.

        Of each image up to 4,096 pixels with truth are drawn and share one weight. They are binned by raw confidence
        into bins of equal weight, and an isotonic regression of P(good) runs through the bins' means.
        Raises `CalibrationError`.
        """
        threshold = scope.loss_threshold
        if threshold is None:
            raise CalibrationError(f"{scope}: a pixel calibrator needs the error above which a pixel is bad")
        rng = np.random.default_rng(seed)
        raws, goods, weights = [], [], []
        for raw, error in maps:
            if raw.shape != error.shape:
                raise CalibrationError(
                    f"{scope}: confidence {raw.shape} and error {error.shape} differ in shape"
                )
            known = np.flatnonzero(np.isfinite(error) & np.isfinite(raw))
            if not known.size:
                continue
            drawn = known if known.size <= _PIXELS_PER_IMAGE else rng.choice(known, _PIXELS_PER_IMAGE, False)
            raws.append(raw.ravel()[drawn].astype(np.float64))
            goods.append(error.ravel()[drawn] <= threshold)
            weights.append(np.full(len(drawn), 1 / len(drawn)))
        if not raws:
            raise CalibrationError(f"{scope}: no image has a pixel with truth")
        table = _monotone_table(np.concatenate(raws), np.concatenate(goods), np.concatenate(weights))
        return cls(scope, table, len(raws))


def _monotone_table(raw: np.ndarray, good: np.ndarray, weight: np.ndarray) -> tuple[float, ...]:
    from scipy.optimize import isotonic_regression

    order = np.argsort(raw, kind="stable")
    raw, good, weight = raw[order], good[order], weight[order]
    # equal raw values go to one bin, that of the first of them
    share = np.cumsum(weight) - weight
    _, first, at = np.unique(raw, return_index=True, return_inverse=True)
    bins = (share[first][at] / weight.sum() * _BINS).astype(np.intp)
    mass = np.bincount(bins, weight)
    used = mass > 0
    centres = np.bincount(bins, weight * raw)[used] / mass[used]
    rates = np.bincount(bins, weight * good)[used] / mass[used]
    fitted = np.asarray(isotonic_regression(rates, weights=mass[used]).x)
    table = np.interp(np.linspace(0, 1, KNOTS), centres, np.clip(fitted, 0, 1))
    return tuple(float(p) for p in np.maximum.accumulate(table))
