"""Boxes: a crisp line in the label's colour, a dark hairline on both sides of it, a chip with label and raw score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import BLACK, RGB, of_labels
from visionrouter.render.labels import Chip, draw_chips
from visionrouter.schema.payload import Detections


def draw_detections(canvas: Canvas, payload: Detections) -> None:
    """Boxes, the large ones first so that small ones stay visible; labels by falling score."""
    colours = of_labels(payload.labels)
    rects = rects_of(payload.boxes, canvas)
    for i in sorted(range(len(rects)), key=lambda i: -rects[i].width * rects[i].height):
        draw_box(canvas, rects[i], colours[payload.labels[i]])
    draw_chips(
        canvas,
        [
            Chip(payload.labels[i], f" {payload.scores[i]:.2f}", colours[payload.labels[i]], rects[i])
            for i in by_falling(payload.scores)
        ],
    )


def draw_box(canvas: Canvas, rect: Rect, rgb: RGB, thickness: int | None = None) -> None:
    """The outline of `rect`, on its inner side."""
    line = thickness or canvas.line_px
    hairline = max(1, line // 3)
    canvas.frame(rect.grown(hairline), hairline, BLACK, 0.35)
    if min(rect.width, rect.height) > 2 * (line + hairline):
        canvas.frame(rect.grown(-line), hairline, BLACK, 0.35)
    canvas.frame(rect, line, rgb)


def rects_of(boxes: npt.ArrayLike, canvas: Canvas) -> list[Rect]:
    """Whole-pixel rectangles of xyxy boxes, float (N, 4); at least one pixel each way, clipped just outside the picture."""
    margin = 4 * canvas.line_px
    far = np.array([canvas.width, canvas.height] * 2) + margin
    xyxy = np.clip(np.asarray(boxes, np.float64).reshape(-1, 4), -margin, far).round().astype(int)
    return [Rect(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)) for x0, y0, x1, y1 in xyxy.tolist()]


def by_falling(scores: npt.ArrayLike) -> list[int]:
    """Indices from the highest score to the lowest, ties in order."""
    order: list[int] = np.argsort(-np.asarray(scores, np.float64), kind="stable").tolist()
    return order
