"""Cutting a thing out of its box by colour.

GrabCut (Rother, Kolmogorov, Blake 2004): two Gaussian mixtures of colour, one of the thing and one of what lies around
it, and a minimum cut between them that prefers to run along edges. OpenCV's implementation, on a reduced canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visionrouter.backends.specialist.window import Window
from visionrouter.schema.arrays import F32, U8, Bool

OFF, ON, MAYBE_OFF, MAYBE_ON = 0, 1, 2, 3
"""OpenCV's GC_BGD, GC_FGD, GC_PR_BGD, GC_PR_FGD: what a canvas pixel is before the cut."""

_COMPONENTS = 5
_LEAST_SAMPLES = 4 * _COMPONENTS
"""Pixels a side must have before a mixture of five Gaussians is fitted to it."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A thing cut out of a window.

    `mask`: bool (rows, columns) of the window's image pixels. `trust`: float32, same shape, the probability of each
    pixel's side under the two colour models. `separation`: mean of `trust` over the canvas pixels in doubt.
    `support`: mean of `trust` over the strokes, None where there were none. `contrast`: mean colour step across the
    outline over the mean step between any neighbours, above 1 on real edges, 0 where there is no outline.
    """

    mask: Bool
    trust: F32
    separation: float
    support: float | None
    contrast: float


def cut(pixels: U8, window: Window, trimap: U8, iterations: int, seed: int) -> Cut | None:
    """Cut along `trimap`, uint8 (window.height, window.width) of OFF, ON, MAYBE_OFF, MAYBE_ON.

    None where either side has too few pixels to learn its colours from, or nothing is left of the background. `seed`
    goes to OpenCV's random generator, which each thread has for itself.
    """
    import cv2

    likely = (trimap == ON) | (trimap == MAYBE_ON)
    if min(int(likely.sum()), int((~likely).sum())) < _LEAST_SAMPLES:
        return None
    canvas = window.sample(pixels)
    sides = trimap.copy()
    off, on = np.zeros((1, 13 * _COMPONENTS)), np.zeros((1, 13 * _COMPONENTS))
    cv2.setRNGSeed(seed % 2**31)
    cv2.grabCut(canvas, sides, None, off, on, iterations, cv2.GC_INIT_WITH_MASK)
    strokes = trimap == ON
    inside = _without_specks((sides == ON) | (sides == MAYBE_ON), strokes)
    if inside.all():
        return None
    trust = _trust(canvas, inside, on, off)
    doubtful = (trimap == MAYBE_ON) | (trimap == MAYBE_OFF)
    size = round(window.x2 - window.x1), round(window.y2 - window.y1)
    return Cut(
        mask=cv2.resize(cv2.GaussianBlur(inside.astype(np.float32), (5, 5), 0.8), size) > 0.5,
        trust=cv2.resize(trust, size),
        separation=float(trust[doubtful].mean()) if doubtful.any() else 1.0,
        support=float(trust[strokes].mean()) if strokes.any() else None,
        contrast=_contrast(canvas, inside),
    )


def _without_specks(inside: Bool, strokes: Bool) -> Bool:
    """Drop the pieces that are smaller than a tenth of the largest and touch no stroke."""
    import cv2

    count, pieces, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    if count <= 2:
        return inside
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    keep = areas >= 0.1 * areas.max()
    keep[np.unique(pieces[strokes])] = True
    keep[0] = False
    kept: Bool = keep[pieces]
    return kept


def _trust(canvas: U8, inside: Bool, on: npt.NDArray[np.float64], off: npt.NDArray[np.float64]) -> F32:
    """float32 (H, W): posterior probability of each pixel's side under equal priors, 0 where nothing is inside."""
    if not inside.any():
        return np.zeros(inside.shape, np.float32)
    # OpenCV fits its mixtures to the channels as they come, here RGB.
    colours = canvas.reshape(-1, 3).astype(np.float64)
    margin = (_log_density(colours, on[0]) - _log_density(colours, off[0])).reshape(inside.shape)
    signed = np.where(inside, margin, -margin)
    trust: F32 = (1 / (1 + np.exp(-signed.clip(-60, 60)))).astype(np.float32)
    return trust


def _log_density(colours: npt.NDArray[np.float64], model: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log density, (N,), of colours (N, 3) under an OpenCV model: 5 weights, then 5 x 3 means, 5 x 9 covariances."""
    k = _COMPONENTS
    weights, means, covariances = model[:k], model[k : 4 * k].reshape(k, 3), model[4 * k :].reshape(k, 3, 3)
    density = np.zeros(len(colours))
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        determinant = np.linalg.det(covariance)
        if weight <= 0 or determinant <= 0:
            continue
        distance = np.square((colours - mean) @ np.linalg.cholesky(np.linalg.inv(covariance))).sum(1)
        density += weight / np.sqrt(determinant) * np.exp(-0.5 * distance)
    return np.log(density + 1e-300)


def _contrast(canvas: U8, inside: Bool) -> float:
    """Mean colour step between neighbours across the outline over the mean step between any neighbours."""
    colours = canvas.astype(np.float32)
    steps, crossing = [], []
    for axis in (0, 1):
        steps.append(np.linalg.norm(np.diff(colours, axis=axis), axis=-1).ravel())
        crossing.append(np.diff(inside, axis=axis).ravel())
    step, across = np.concatenate(steps), np.concatenate(crossing)
    if not across.any() or not step.any():
        return 0.0
    return float(step[across].mean() / step.mean())
