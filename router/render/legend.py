"""Legends in a corner: swatches with words."""

from __future__ import annotations

from collections.abc import Sequence

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import RGB, WHITE


def draw_key(canvas: Canvas, entries: Sequence[tuple[RGB, str]]) -> None:
    """A panel at the bottom left with a swatch and a word a row; rows that do not fit are left out."""
    if not canvas.takes_text or not entries:
        return
    gap, row, swatch = canvas.gap, canvas.row_px, round(0.8 * canvas.font_px)
    rows = entries[: (canvas.height - 4 * gap) // row]
    most = canvas.width - 5 * gap - swatch
    words = [canvas.clip(text, most) for _, text in rows]
    width = swatch + 3 * gap + max(map(canvas.text_width, words), default=0)
    top = canvas.height - gap - len(rows) * row - gap
    canvas.panel(Rect(gap, top, gap + width, canvas.height - gap))
    for i, ((rgb, _), text) in enumerate(zip(rows, words, strict=True)):
        middle = top + gap // 2 + round((i + 0.5) * row)
        draw_swatch(canvas, 2 * gap, middle, swatch, rgb)
        canvas.write(3 * gap + swatch, middle, text, WHITE)


def draw_swatch(canvas: Canvas, x: int, middle: int, side: int, rgb: RGB) -> None:
    """A small square of colour with its left edge at x."""
    top = middle - side // 2
    canvas.fill(Rect(x, top, x + side, top + side), rgb, radius=0.2 * side)
