"""Fitting calibrators: a ridge logistic regression on squashed signals, and a monotone regression on its score.

Platt 1999 for the logistic map, Zadrozny & Elkan 2002 for the isotonic one (pool adjacent violators). Everything is
deterministic in the rows, their order and the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from visionrouter.confidence.bounds import F64
from visionrouter.confidence.calibrator import (
    CalibrationMethod,
    Calibrator,
    EvidenceMissingError,
    Feature,
    Transform,
)
from visionrouter.confidence.scope import Scope
from visionrouter.schema.arrays import Bool
from visionrouter.schema.errors import CalibrationError

PENALTIES = tuple(10.0**e for e in np.arange(-4, 1.01, 0.5))
"""Ridge penalties tried, each added to the mean log loss as l2 / 2 x the squared weights."""

_FOLDS = 5
_KNOTS = 17
_PER_SIGNAL = 3
"""Items of the rarer kind, good or bad, that there must be for every signal that is read."""
_MARGIN = 0.1
"""How far beyond the calibration sample a signal may lie, as a share of its range, before it is `outside`."""


def fit_calibrator(
    rows: Sequence[Mapping[str, float]],
    good: Bool,
    *,
    scope: Scope,
    signals: Sequence[str] | None = None,
    method: CalibrationMethod = "logistic",
    units: Sequence[str] | None = None,
    seed: int = 0,
) -> Calibrator:
    """Fit P(good | signals) on rows with labels (N,).

    `signals`: what to read, in order; then a row without one raises `EvidenceMissingError`. None: of the
    signals that all rows have, by name, those most useful alone, one for every three items of the rarer kind at most; the
    others are listed in `dropped`, as are constant ones. Each signal takes the transform under
    which a logistic regression on it alone is likeliest. The ridge penalty is the one with the least log loss over five
    folds, which keep the rows of one unit (scene, clip) together. For `isotonic` the monotone regression is
    fitted on scores made out of fold, since scores of rows that were fitted on are too good.

    Raises `CalibrationError` where labels are all alike, too few, or no signal varies.
    """
    good = np.asarray(good)
    if good.dtype != np.bool_ or good.shape != (len(rows),):
        raise CalibrationError(f"labels should be bool ({len(rows)},), got {good.dtype} {good.shape}")
    bad = int((~good).sum())
    if min(bad, len(rows) - bad) < _FOLDS:
        raise CalibrationError(
            f"{scope}: {bad} of {len(rows)} items are bad; a calibrator needs at least {_FOLDS} good and "
            f"{_FOLDS} bad ones: add data, or move the loss threshold"
        )
    values, dropped = _table(rows, signals)
    if not values:
        raise CalibrationError(f"{scope}: no signal varies over the {len(rows)} items, so none can tell")
    squashed = [_squash(name, column, good) for name, column in values.items()]
    if signals is None:
        squashed, passed_over = _most_useful(squashed, max(1, min(bad, len(rows) - bad) // _PER_SIGNAL))
        dropped += passed_over
    features = [feature for _, feature in squashed]
    design = np.stack([_terms(f, values[f.name]) for f in features], axis=1)
    folds = _folds(len(rows), units, seed)
    losses = [_held_out(design, good, folds, l2)[1] for l2 in PENALTIES]
    l2 = PENALTIES[int(np.argmin(losses))]
    intercept, weights = _logistic(design, good, l2)
    scores: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    if method == "isotonic":
        scores, rates = _monotone(_held_out(design, good, folds, l2)[0], good)
    return Calibrator(
        scope,
        method,
        tuple(replace(f, weight=float(w)) for f, w in zip(features, weights, strict=True)),
        intercept,
        len(rows),
        bad,
        l2,
        scores,
        rates,
        dropped,
    )


def _table(
    rows: Sequence[Mapping[str, float]], signals: Sequence[str] | None
) -> tuple[dict[str, F64], tuple[tuple[str, str], ...]]:
    """Columns that vary, by name, and what was left out with the reason."""
    names = sorted({name for row in rows for name in row}) if signals is None else list(signals)
    columns: dict[str, F64] = {}
    dropped = []
    for name in names:
        column = np.array([row.get(name, np.nan) for row in rows], np.float64)
        lacking = np.flatnonzero(~np.isfinite(column))
        if lacking.size and signals is not None:
            raise EvidenceMissingError(name, rows[lacking[0]].get(name))
        if lacking.size:
            dropped.append((name, f"absent or not finite in {lacking.size} of {len(rows)} rows"))
        elif np.ptp(column) <= 1e-12 * np.abs(column).max(initial=0.0):
            dropped.append((name, f"constant ({column[0]:g})"))
        else:
            columns[name] = column
    return columns, tuple(dropped)


def _most_useful(
    squashed: list[tuple[float, Feature]], most: int
) -> tuple[list[tuple[float, Feature]], tuple[tuple[str, str], ...]]:
    """The `most` signals that alone are likeliest, in the order given, and the others with the reason.

    Few items cannot weigh many signals: a regression on them all tells less than the best of them does.
    """
    if len(squashed) <= most:
        return squashed, ()
    worst_kept = sorted(loss for loss, _ in squashed)[most - 1]
    why = f"alone of less use than the {most} that so few items can weigh"
    passed_over = tuple((feature.name, why) for loss, feature in squashed if loss > worst_kept)
    return [(loss, feature) for loss, feature in squashed if loss <= worst_kept], passed_over


def _squash(name: str, column: F64, good: Bool) -> tuple[float, Feature]:
    """The signal under its likeliest transform, weight 1, and the mean log loss of a regression on it alone."""
    low, high = float(column.min()), float(column.max())
    margin = _MARGIN * (high - low)
    size = np.abs(column[column != 0])
    unit = max(
        float(np.quantile(size, 0.05)), 1e-6 * float(size.max())
    )  # small: identity serves the linear ones
    knots = tuple(float(k) for k in np.unique(np.quantile(column, np.linspace(0, 1, _KNOTS))))
    candidates = []
    transforms: tuple[Transform, ...] = ("identity", "log1p", "ranks")
    for transform in transforms:
        raw = Feature(name, transform, 0.0, 1.0, 1.0, low - margin, high + margin, unit, knots)
        squashed = _terms(raw, column)
        centre = float(np.median(squashed))
        quartiles = np.quantile(squashed, (0.25, 0.75))
        spread = max(float(quartiles[1] - quartiles[0]) / 1.349, 0.1 * float(squashed.std()))
        feature = replace(raw, centre=centre, spread=spread, knots=knots if transform == "ranks" else ())
        design = _terms(feature, column)[:, None]
        intercept, weights = _logistic(design, good, PENALTIES[0])
        candidates.append((_log_loss(intercept + design @ weights, good), feature))
    return min(candidates, key=lambda candidate: candidate[0])


def _terms(feature: Feature, column: F64) -> F64:
    return np.array([feature.term(value) for value in column.tolist()], np.float64)


def _folds(n: int, units: Sequence[str] | None, seed: int) -> npt.NDArray[np.intp]:
    """The fold of each row; units are dealt out whole."""
    of_unit = np.arange(n) if units is None else np.unique(np.asarray(units, str), return_inverse=True)[1]
    count = int(of_unit.max()) + 1
    if count < _FOLDS:
        raise CalibrationError(f"the rows come from {count} units; cross-validation needs at least {_FOLDS}")
    deal = np.random.default_rng(seed).permutation(count) % _FOLDS
    return np.asarray(deal[of_unit], np.intp)


def _held_out(design: F64, good: Bool, folds: npt.NDArray[np.intp], l2: float) -> tuple[F64, float]:
    """Scores of each row by a fit without its fold, and their log loss."""
    scores = np.empty(len(good))
    for fold in range(_FOLDS):
        held = folds == fold
        intercept, weights = _logistic(design[~held], good[~held], l2)
        scores[held] = intercept + design[held] @ weights
    return scores, _log_loss(scores, good)


def _logistic(design: F64, good: Bool, l2: float) -> tuple[float, F64]:
    """Intercept (not penalised) and weights that minimise mean log loss + l2 / 2 |weights|^2."""
    from scipy.optimize import minimize
    from scipy.special import expit

    x = np.column_stack([np.ones(len(good)), design])
    sign = np.where(good, 1.0, -1.0)
    ridge = np.full(x.shape[1], l2)
    ridge[0] = 0.0

    def objective(w: F64) -> tuple[float, F64]:
        margin = sign * (x @ w)
        loss = float(np.logaddexp(0, -margin).mean()) + float(ridge @ (w * w)) / 2
        return loss, -(sign * expit(-margin)) @ x / len(sign) + ridge * w

    start = np.zeros(x.shape[1])
    start[0] = np.log((good.sum() + 0.5) / ((~good).sum() + 0.5))
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9}
    )
    return float(found.x[0]), np.asarray(found.x[1:], np.float64)


def _log_loss(scores: F64, good: Bool) -> float:
    return float(np.logaddexp(0, np.where(good, -scores, scores)).mean())


def _monotone(scores: F64, good: Bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Centres and rates of the blocks of the isotonic regression of good on score."""
    from scipy.optimize import isotonic_regression

    levels, at = np.unique(scores, return_inverse=True)
    weights = np.bincount(at).astype(np.float64)
    fitted = isotonic_regression(np.bincount(at, good) / weights, weights=weights)
    blocks = np.asarray(fitted.blocks)
    mass = np.add.reduceat(weights, blocks[:-1])
    centres = np.add.reduceat(weights * levels, blocks[:-1]) / mass
    rates = np.asarray(fitted.x)[blocks[:-1]]
    if len(centres) == 1:
        raise CalibrationError("the signals do not order the items at all: isotonic gives one block")
    return tuple(map(float, centres)), tuple(map(float, rates))
