"""Classes as a list of bars: the likeliest five, with the model's own scores."""

from __future__ import annotations

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import PANEL, RGB, WHITE, mix
from visionrouter.schema.payload import Classification

_BEST: RGB = (0, 114, 178)
_OTHER: RGB = mix(_BEST, PANEL, 0.55)
_MOST = 5
_WIDTH_FONTS = 18


def draw_classes(canvas: Canvas, payload: Classification) -> None:
    """A panel at the bottom left; a bar as long as the panel is a score of 1. Rows that do not fit are left out."""
    gap, row = canvas.gap, round(1.15 * canvas.row_px)
    rows = min(_MOST, len(payload.labels), (canvas.height - 3 * gap) // row)
    if not canvas.takes_text or rows < 1:
        return
    width = min(_WIDTH_FONTS * canvas.font_px, canvas.width - 2 * gap)
    top = canvas.height - gap - rows * row - gap
    canvas.panel(Rect(gap, top, gap + width, canvas.height - gap))
    left, right, room = 2 * gap, width, width - gap
    for i in range(rows):
        y = top + gap // 2 + i * row
        score = float(payload.scores[i])
        bar = Rect(left, y + 1, left + max(1, round(score * room)), y + row - 1)
        canvas.fill(bar, _OTHER if i else _BEST, radius=0.2 * canvas.font_px)
        text = f"{score:.2f}"
        label = canvas.clip(payload.labels[i], room - canvas.text_width(text) - 2.5 * gap)
        canvas.write(left + gap / 2, y + row / 2, label, WHITE)
        canvas.write(right - gap / 2, y + row / 2, text, WHITE, align="r")
