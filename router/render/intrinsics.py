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
    small = {name: map_colours(name, values, period) for name, values in payload.maps.items()}
    canvas.paste(0, 0, small.pop("albedo"))
    if small:
        _draw_row(canvas, small)


def map_colours(name: str, values: F32, period: int) -> U8:
    """uint8 (H, W, 3) of the map `name`: grey for numbers, 0 black and 1 white; sRGB for light, that without a unit up to
    its 99th percentile; hatched with `period` pixels where NaN."""
    known = np.isfinite(values)
    whole: F32 = np.where(known, values, np.float32(0))
    if values.ndim == 2:
        levels = np.repeat(255 * whole[..., None], 3, axis=-1)
    else:
        bright = float(np.percentile(values[known], _BRIGHT)) if name != "albedo" and known.any() else 1.0
        levels = 255 * encoded(whole / np.float32(bright or 1))
    colours: U8 = (levels + np.float32(0.5)).clip(0, 255).astype(np.uint8)
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
