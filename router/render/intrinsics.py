"""Intrinsics as a picture: the albedo as it would look in white light, the other maps small along the bottom."""

from __future__ import annotations

import numpy as np
import PIL.Image

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import WHITE
from visionrouter.render.depth import paint_hatch
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.payload import Intrinsics

_LARGEST_SHARE = 0.23
"""Of the picture's width, what a small map takes at most."""
_TALLEST_SHARE = 0.4
_BRIGHT = 99


def draw_intrinsics(canvas: Canvas, payload: Intrinsics) -> None:
    """The albedo all over, hatched where not known; the others in a row below, each with its name, where there is room."""
    period = 2 * canvas.gap
    bright = _brightness(payload)
    small = {
        name: map_colours(values, bright if name in ("shading", "residual") else 1.0, period)
        for name, values in payload.maps.items()
    }
    canvas.paste(0, 0, small.pop("albedo"))
    if small:
        _draw_row(canvas, small)


def _brightness(payload: Intrinsics) -> float:
    """What of shading and residual, which share a unit, is drawn as white: the 99th percentile of the light there is."""
    light = payload.residual if payload.shading is None else payload.shading
    known = np.zeros(0) if light is None else light[np.isfinite(light)]
    return (float(np.percentile(known, _BRIGHT)) if known.size else 0.0) or 1.0


def map_colours(values: F32, white: float, period: int) -> U8:
    """uint8 (H, W, 3) of a map, `white` and more of which is white: grey in proportion for numbers (H, W), sRGB for colours
    (H, W, 3); hatched with `period` pixels where NaN."""
    known = np.isfinite(values)
    whole: F32 = np.nan_to_num(values) / np.float32(white)
    levels = np.repeat(whole[..., None], 3, axis=-1) if values.ndim == 2 else encoded(whole)
    colours: U8 = (255 * levels + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    unknown: Bool = ~known if values.ndim == 2 else ~np.asarray(known.all(-1))
    if unknown.any():
        paint_hatch(colours, unknown, period)
    return colours


def encoded(linear: F32) -> F32:
    """sRGB values in [0, 1] of linear ones, clipped (IEC 61966-2-1)."""
    v = linear.clip(0, 1)
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** np.float32(1 / 2.4) - 0.055).astype(np.float32)


def _draw_row(canvas: Canvas, small: dict[str, U8]) -> None:
    gap, row = canvas.gap, canvas.row_px
    most = min(_LARGEST_SHARE * canvas.width, (canvas.width - 3 * gap) / len(small) - gap)
    width = int(min(most, (_TALLEST_SHARE * canvas.height - row) * canvas.width / canvas.height))
    height = round(width * canvas.height / canvas.width)
    if not canvas.takes_text or width < 4 * canvas.font_px or height < 1:
        return
    top = canvas.height - 2 * gap - height - row
    canvas.panel(Rect(gap, top, 2 * gap + len(small) * (width + gap), canvas.height - gap))
    for i, (name, colours) in enumerate(small.items()):
        left = 2 * gap + i * (width + gap)
        canvas.write(left, top + row / 2, canvas.clip(name, width, 0.9), WHITE, 0.9)
        picture = PIL.Image.fromarray(colours).resize((width, height), PIL.Image.Resampling.BOX)
        canvas.paste(left, top + row, np.asarray(picture))
