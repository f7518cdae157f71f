"""Normals in the colours of the code the generative backbones draw, with a ball that shows which way is which."""

from __future__ import annotations

import numpy as np

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import BLACK, WHITE
from visionrouter.render.depth import paint_hatch
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.payload import NormalMap

_BALL_FONTS = 6.5


def normal_colours(normals: F32) -> U8:
    """uint8 (..., 3) of unit normals, float32 (..., 3): R = (1 - x) / 2, G = (1 + y) / 2, B = (1 + z) / 2."""
    signed = normals * np.array([-127.5, 127.5, 127.5], np.float32) + np.float32(128)
    colours: U8 = np.nan_to_num(signed, nan=0.0).clip(0, 255).astype(np.uint8)
    return colours


def draw_normals(canvas: Canvas, payload: NormalMap) -> None:
    """The whole picture in normal colours, hatched where not known, with the ball at the bottom right."""
    pixels = normal_colours(payload.values)
    unknown = np.isnan(payload.values[..., 0])
    if unknown.any():
        paint_hatch(pixels, unknown, 2 * canvas.gap)
    canvas.paste(0, 0, pixels)
    _draw_ball(canvas)


def ball(side: int) -> tuple[U8, U8]:
    """A half sphere seen from the front: colours uint8 (side, side, 3) and cover uint8 (side, side) with a soft edge."""
    x = (np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1
    x, y = np.meshgrid(x, -x)
    radius = np.hypot(x, y)
    inside = np.maximum(radius, 1)
    z = np.sqrt(np.maximum(0, 1 - radius**2))
    colours = normal_colours(np.stack([x / inside, y / inside, z], axis=-1))
    cover = np.clip((1 - radius) * side / 2 + 0.5, 0, 1)
    return colours, (255 * cover).round().astype(np.uint8)


def _draw_ball(canvas: Canvas) -> None:
    side, gap, row = round(_BALL_FONTS * canvas.font_px), canvas.gap, canvas.row_px
    if not canvas.takes_text or side + row + 3 * gap > 0.6 * min(canvas.width, canvas.height):
        return
    width = side + 2 * gap
    x0, y0 = canvas.width - gap - width, canvas.height - gap - (side + row + gap)
    canvas.panel(Rect(x0, y0, x0 + width, canvas.height - gap))
    canvas.write(x0 + width / 2, y0 + row / 2, "facing", WHITE, align="m")
    left, top = x0 + gap, y0 + row
    colours, cover = ball(side)
    canvas.paste(left, top, colours, cover)
    middle_x, middle_y, inset = left + side / 2, top + side / 2, 0.4 * canvas.font_px
    canvas.write(middle_x, top + inset + 0.4 * canvas.font_px, "up", BLACK, 0.85, align="m")
    canvas.write(middle_x, top + side - inset - 0.4 * canvas.font_px, "down", WHITE, 0.85, align="m")
    canvas.write(left + inset, middle_y, "left", BLACK, 0.85)
    canvas.write(left + side - inset, middle_y, "right", BLACK, 0.85, align="r")
