"""Which backend each pixel of a merged answer is from."""

from __future__ import annotations

import numpy as np

from visionrouter.render.canvas import Canvas
from visionrouter.render.colour import of_instance
from visionrouter.render.legend import draw_key
from visionrouter.render.masks import draw_mask
from visionrouter.schema.arrays import U8


def draw_sources(canvas: Canvas, source_map: U8, sources: tuple[str, ...]) -> None:
    """The picture in grey, one tint a backend, and a key with each one's share of the pixels."""
    canvas.image.paste(canvas.image.convert("L").convert("RGB"))
    entries = []
    for i, name in enumerate(sources):
        mask = source_map == i
        draw_mask(canvas, mask, of_instance(i), canvas.line_px, 0.5)
        entries.append((of_instance(i), f"{name} {100 * np.count_nonzero(mask) / mask.size:.0f} %"))
    draw_key(canvas, entries)
