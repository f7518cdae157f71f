"""Bringing one depth map onto another's scale: weighted least squares with trimming, or the ratio of metres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.payload import DepthMap

F64 = npt.NDArray[np.float64]
Space = Literal["depth", "disparity", "log"]

LEAST_PIXELS = 16
"""Fewer common pixels say nothing of a scale."""
_MOST_PIXELS = 1 << 14
"""More are thinned evenly: a line has two parameters."""
_INLIER = 0.1
_ROUNDS = 20
_LARGEST_RESIDUAL = 10.0


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a map was brought onto another.

    `scale` > 0 and `shift` act in `space`: "depth" D = scale * d + shift; "disparity" the same on inverse depths; "log"
    metres on metres, D = scale * d, where `scale` is evidence of a metric error. `residual`: median relative error left
    on the common pixels (of the target's value for metres, else of its 5 to 95 % spread; at most 10). `inliers`: share
    of them within 10 %. `pixels`: how many there were.
    """

    scale: float
    shift: float
    residual: float
    inliers: float
    space: Space
    pixels: int

    @property
    def log_scale(self) -> float:
        """ln(scale): 0 where two metric maps agree, +0.405 where the target is 1.5 times as far."""
        return float(np.log(self.scale))

    def apply(self, source: DepthMap, unit: Literal["m", "relative", "disparity"]) -> F32:
        """The source's values, float32 (H, W), on the target's scale and in its `unit`.

        Sky stays sky. What would lie behind the camera or beyond infinity becomes NaN: the fit does not reach there.
        """
        if self.space == "log":
            nearer: F32 = source.values * np.float32(self.scale)
            nearer[~(nearer > 0)] = np.nan
            return nearer
        x = _in_space(source.values, source.unit, self.space)
        with np.errstate(invalid="ignore", divide="ignore"):
            line = self.scale * x + self.shift
            if unit == "m":
                line = np.where(line > 0, line, np.nan)
                if self.space == "disparity":
                    line = 1 / line
        values: F32 = np.where(np.isposinf(source.values), np.inf, line).astype(np.float32)
        return values


def align(
    source: DepthMap,
    target: DepthMap,
    *,
    where: Bool | None = None,
    weights: F32 | None = None,
    trim: float = 0.15,
) -> Alignment | None:
    """The scale and shift that bring `source` onto `target`; None where there are none to be had.

    Two metric maps give log s = median(ln D - ln d). Otherwise min Σw(s x + t - y)² over the best 1 - `trim` of the
    pixels (least trimmed squares), in inverse depth where either map is a disparity, with w further divided by D² for
    a target in metres, so that errors count relative to the distance. Only pixels that both know count, inside `where`
    if it is given, with `weights` float32 (H, W) >= 0.

    None: fewer than `LEAST_PIXELS` common pixels, a source without spread, a scale that is not positive, or a pair of
    relative depth and disparity, which no line relates.
    """
    space = _space(source, target)
    if space is None:
        return None
    both = np.isfinite(source.values) & np.isfinite(target.values)
    if source.unit == "m":
        both &= source.values > 0
    if target.unit == "m":
        both &= target.values > 0
    if where is not None:
        both &= where
    if weights is not None:
        both &= weights > 0
    places = np.flatnonzero(both)
    pixels = len(places)
    if pixels < LEAST_PIXELS:
        return None
    places = places[:: -(-pixels // _MOST_PIXELS)]
    d, truth = _at(source.values, places), _at(target.values, places)
    x, y = _in_space(d, source.unit, space), _in_space(truth, target.unit, space)
    if space == "log":
        scale, shift = float(np.exp(np.median(np.log(y) - np.log(x)))), 0.0
    else:
        w = np.ones(len(x)) if weights is None else _at(weights, places)
        fitted = _trimmed(x, y, w / y**2 if space == "depth" and target.unit == "m" else w, trim)
        if fitted is None:
            return None
        scale, shift = fitted
    line = scale * x + shift
    error = _relative(line, truth, target.unit, space)
    return Alignment(scale, shift, float(np.median(error)), float((error <= _INLIER).mean()), space, pixels)


def _space(source: DepthMap, target: DepthMap) -> Space | None:
    units = {source.unit, target.unit}
    if units == {"m"}:
        return "log"
    if units == {"relative", "disparity"}:
        return None
    return "disparity" if "disparity" in units else "depth"


def _in_space(values: npt.NDArray[np.floating], unit: str, space: Space) -> F64:
    wide = values.astype(np.float64)
    if space == "disparity" and unit == "m":
        with np.errstate(divide="ignore"):
            return 1 / wide
    return wide


def _at(values: F32, places: npt.NDArray[np.intp]) -> F64:
    return values.ravel()[places].astype(np.float64)


def _trimmed(x: F64, y: F64, w: F64, trim: float) -> tuple[float, float] | None:
    """Least trimmed squares by concentration (Rousseeuw and Van Driessen 2006): of two starts the better end.

    The starts are the line through all pixels, and one that far-off pixels do not tilt.
    """
    whole = _line(x, y, w)
    if whole is None:
        return None
    ends = [_concentrated(start, x, y, w, trim) for start in (whole, _middle_line(x, y))]
    (scale, shift), _ = min(ends, key=lambda end: end[1])
    return (scale, shift) if scale > 0 else None


def _concentrated(
    line: tuple[float, float], x: F64, y: F64, w: F64, trim: float
) -> tuple[tuple[float, float], float]:
    """Keep the pixels nearest to the line, fit them, until none changes. The line, and its trimmed sum of squares."""
    kept = np.zeros(len(x), np.bool_)
    for _ in range(_ROUNDS):
        squares = w * (line[0] * x + line[1] - y) ** 2
        nearest = squares <= np.quantile(squares, 1 - trim)
        if np.array_equal(nearest, kept):
            break
        kept = nearest
        fitted = _line(x[kept], y[kept], w[kept])
        if fitted is None:
            break
        line = fitted
    squares = np.sort(w * (line[0] * x + line[1] - y) ** 2)
    return line, float(squares[: max(1, round((1 - trim) * len(x)))].sum())


def _middle_line(x: F64, y: F64) -> tuple[float, float]:
    """The median slope between pixels half the map apart, and the median shift (after Theil and Sen)."""
    half = len(x) // 2
    run, rise = x[half : 2 * half] - x[:half], y[half : 2 * half] - y[:half]
    apart = np.abs(run) > 1e-9 * max(1e-12, float(np.abs(x).max()))
    slope = float(np.median(rise[apart] / run[apart])) if apart.any() else 0.0
    return slope, float(np.median(y - slope * x))


def _line(x: F64, y: F64, w: F64) -> tuple[float, float] | None:
    """Weighted least squares of y on x, about the means; None where x does not vary."""
    total = w.sum()
    mean_x, mean_y = (w * x).sum() / total, (w * y).sum() / total
    spread = (w * (x - mean_x) ** 2).sum() / total
    if spread <= (1e-6 * max(1e-12, np.abs(x).max())) ** 2:
        return None
    scale = (w * (x - mean_x) * (y - mean_y)).sum() / total / spread
    return float(scale), float(mean_y - scale * mean_x)


def _relative(line: F64, truth: F64, unit: str, space: Space) -> F64:
    if unit == "m":
        made = np.where(line > 0, line, np.nan)
        made = 1 / made if space == "disparity" else made
        error = np.abs(made - truth) / truth
    else:
        low, high = np.quantile(truth, (0.05, 0.95))
        error = np.abs(line - truth) / max(high - low, 1e-12)
    return np.nan_to_num(error, nan=_LARGEST_RESIDUAL, posinf=_LARGEST_RESIDUAL).clip(0, _LARGEST_RESIDUAL)
