"""Is the image fit to be judged at all: sharp, exposed, clean? No model is asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.confidence.probes.consistency import ALL
from visionrouter.confidence.probes.probe import Finding, Probe, Role
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

_LONG_SIDE_PX = 512
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_DARK, _BRIGHT = 0.02, 0.98


class InputQuality(Probe):
    """Signals, all of luma in [0, 1] at no more than 512 pixels a side:

    `input_sharpness`: log10 of the variance of the Laplacian (Pech-Pacheco et al. 2000). `input_noise`: standard
    deviation of noise after Immerkaer (1996), which structure hardly moves. `input_dark`, `input_bright`: shares of
    clipped pixels. `input_contrast`: the range of the middle 90 %. `input_mean`: the mean.
    """

    role, calls, tasks, prefix = Role.NOBODY, 0, ALL, "input"

    def questions(self, query: Query) -> tuple[Query, ...]:
        return ()

    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        return Finding(qualities(query.image.pixels))


def qualities(pixels: U8) -> dict[str, float]:
    """The signals of uint8 (H, W, 3) sRGB."""
    luma = _luma(pixels)
    low, high = (float(v) for v in np.quantile(luma, (0.05, 0.95)))
    if min(luma.shape) < 3:
        sharpness = noise = 0.0
    else:
        middle = luma[1:-1, 1:-1]
        sides = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
        corners = luma[:-2, :-2] + luma[:-2, 2:] + luma[2:, :-2] + luma[2:, 2:]
        sharpness = float((sides - 4 * middle).var())
        noise = float(np.abs(corners - 2 * sides + 4 * middle).mean()) * np.sqrt(np.pi / 2) / 6
    return {
        "input_sharpness": float(np.log10(sharpness + 1e-8)),
        "input_noise": float(noise),
        "input_dark": float((luma <= _DARK).mean()),
        "input_bright": float((luma >= _BRIGHT).mean()),
        "input_contrast": high - low,
        "input_mean": float(luma.mean()),
    }


def _luma(pixels: U8) -> F32:
    step = -(-max(pixels.shape[:2]) // _LONG_SIDE_PX)
    luma: F32 = pixels[::step, ::step].astype(np.float32) @ _LUMA / 255
    return luma
