"""Depth as a viridis picture, near bright and far dark, with a scale bar; sky and the unknown in colours of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import RGB, WHITE
from visionrouter.render.legend import draw_swatch
from visionrouter.render.viridis import VIRIDIS
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.payload import DepthMap

SKY: RGB = (226, 231, 238)
HATCH: tuple[RGB, RGB] = ((96, 96, 96), (150, 150, 150))
_SAMPLE = 1 << 16
_BAR_FONTS = 18


@dataclass(frozen=True, slots=True)
class Scale:
    """What values the colours run over, from `near` (bright) to `far` (dark); logarithmic for metres."""

    near: float
    far: float
    logarithmic: bool

    def place(self, values: npt.ArrayLike) -> F32:
        """float32 in [0, 1]: 0 at `near` or nearer, 1 at `far` or farther. NaN stays NaN."""
        v = np.asarray(values, np.float32)
        near, far = self.near, self.far
        if self.logarithmic:
            v = np.log(np.maximum(v, np.float32(near)))
            near, far = math.log(near), math.log(far)
        if near == far:
            return np.zeros_like(v)
        place: F32 = np.clip((v - np.float32(near)) * np.float32(1 / (far - near)), 0, 1)
        return place


def scale_of(payload: DepthMap) -> Scale | None:
    """From the 1st to the 99th percentile of the finite depths; None where there are none.

    Metres of 0 hold no logarithm and do not stretch the scale.
    """
    step = max(1, math.isqrt(payload.values.size // _SAMPLE))
    for sample in (payload.values[::step, ::step], payload.values):
        known = (
            sample[np.isfinite(sample) & (sample > 0)] if payload.is_metric else sample[np.isfinite(sample)]
        )
        if known.size:
            low, high = (float(v) for v in np.percentile(known, (1, 99)))
            near, far = (high, low) if payload.unit == "disparity" else (low, high)
            return Scale(near, far, payload.is_metric)
    return None


def depth_colours(payload: DepthMap, scale: Scale | None, period: int) -> U8:
    """uint8 (H, W, 3): viridis, `SKY` where +inf, a diagonal hatch of `period` pixels where NaN."""
    values = payload.values
    finite = np.isfinite(values)
    place = scale.place(np.where(finite, values, np.float32(scale.near))) if scale else np.zeros_like(values)
    colours: U8 = np.take(VIRIDIS, (255 - 255 * place + 0.5).astype(np.uint8), axis=0)
    if not finite.all():
        colours[np.isinf(values)] = SKY
        paint_hatch(colours, np.isnan(values), period)
    return colours


def paint_hatch(pixels: U8, where: npt.NDArray[np.bool_], period: int) -> None:
    """Mark what is not known: grey diagonal stripes on uint8 (H, W, 3), in place."""
    ys, xs = np.nonzero(where)
    stripe = (xs + ys) % period < max(1, period // 3)
    pixels[ys, xs] = np.array(HATCH, np.uint8)[stripe.astype(int)]


def draw_depth(canvas: Canvas, payload: DepthMap) -> None:
    """The whole picture in depth colours, with the scale bar at the bottom left."""
    scale = scale_of(payload)
    period = 2 * canvas.gap
    canvas.paste(0, 0, depth_colours(payload, scale, period))
    marks = [name for name, test in (("sky", np.isinf), ("unknown", np.isnan)) if test(payload.values).any()]
    _draw_scale_bar(canvas, payload, scale, marks, period)


def ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """At most `most` round numbers from `low` to `high` (0 < low <= high).

    1, 2, 5, 10, ... or 1, 10, 100, ... where they span a decade, else steps of 1, 2 or 5 times a power of ten.
    """
    if high >= 10 * low:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        for per_decade in ((1, 2, 5), (1, 3), (1,)):
            found = [m * 10.0**e for e in range(first, last + 1) for m in per_decade]
            inside = tuple(t for t in found if low <= t <= high)
            if len(inside) <= most:
                return inside
        every = math.ceil(len(inside) / most)
        return inside[::every]
    exponent = math.floor(math.log10(max(high - low, high * 1e-6))) - 1
    for step in (m * 10.0**e for e in range(exponent, exponent + 4) for m in (1, 2, 5)):
        count = math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1
        if count <= most:
            start = math.ceil(low / step - 1e-9)
            return tuple(round((start + k) * step, 12) for k in range(count))
    return ()


def _draw_scale_bar(
    canvas: Canvas, payload: DepthMap, scale: Scale | None, marks: list[str], period: int
) -> None:
    gap, row, bar_px = canvas.gap, canvas.row_px, round(0.7 * canvas.font_px)
    width = min(_BAR_FONTS * canvas.font_px, canvas.width - 4 * gap)
    height = (row + bar_px + row if scale else 0) + (row if marks else 0) + gap
    if not canvas.takes_text or height > 0.6 * canvas.height or not height - gap:
        return
    left, top = 2 * gap, canvas.height - gap - height
    canvas.panel(Rect(gap, top, gap + width + 2 * gap, top + height))
    top += gap // 2
    if scale:
        caption = "depth, metres" if payload.is_metric else "relative depth, no unit"
        canvas.write(left, top + row / 2, canvas.clip(caption, width), WHITE)
        ramp = VIRIDIS[(255 - np.linspace(0, 255, width)).round().astype(np.uint8)]
        bar = Rect(left, top + row, left + width, top + row + bar_px)
        canvas.paste(bar.x0, bar.y0, np.repeat(ramp[None], bar_px, axis=0))
        _draw_ticks(canvas, payload, scale, bar)
        top = bar.y1 + row
    side = round(0.8 * canvas.font_px)
    for name in marks:
        middle = top + row // 2
        draw_swatch(canvas, left, middle, side, SKY)
        if name == "unknown":
            patch = np.empty((side, side, 3), np.uint8)
            paint_hatch(patch, np.ones((side, side), np.bool_), period)
            canvas.paste(left, middle - side // 2, patch)
        canvas.write(left + side + gap, middle, name, WHITE)
        left += side + 3 * gap + canvas.text_width(name)


def _draw_ticks(canvas: Canvas, payload: DepthMap, scale: Scale, bar: Rect) -> None:
    middle = bar.y1 + canvas.row_px / 2
    if not payload.is_metric:
        canvas.write(bar.x0, middle, "near", WHITE, 0.9)
        canvas.write(bar.x1, middle, "far", WHITE, 0.9, align="r")
        return
    free = bar.x0
    for tick in ticks(scale.near, scale.far):
        x = bar.x0 + float(scale.place(tick)) * bar.width
        text = f"{tick:g}"
        half = canvas.text_width(text, 0.9) / 2
        at = min(max(x, bar.x0 + half), bar.x1 - half)
        if at - half < free:
            continue
        canvas.fill(Rect(round(x) - 1, bar.y1 - bar.height // 2, round(x) + 1, bar.y1 + 2), WHITE)
        canvas.write(at, middle, text, WHITE, 0.9, align="m")
        free = round(at + half) + canvas.gap
