"""What must not be overlooked: that there is no answer, or that nobody vouches for the one there is."""

from __future__ import annotations

import numpy as np
import PIL.Image

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import AMBER, BLACK, MUTED, PANEL, WHITE
from visionrouter.schema.decision import Decision, Outcome, Reason, VerdictKind

_MOST_ATTEMPTS = 4


def words(code: Outcome | Reason | VerdictKind) -> str:
    """A code as words: `limit_exceeded` is "limit exceeded"."""
    return code.value.replace("_", " ")


def draw_refusal(canvas: Canvas, decision: Decision) -> None:
    """The picture dimmed, and a band with the outcome, its reason and what was tried."""
    grey = canvas.image.convert("L").convert("RGB")
    dimmed = PIL.Image.blend(canvas.image, grey, 0.8).point([round(0.45 * v) for v in range(256)] * 3)
    canvas.image.paste(dimmed)
    if not canvas.takes_text:
        return
    gap = canvas.gap
    most = canvas.width - 4 * gap
    lines = [
        (line, 1.35)
        for line in canvas.wrap(f"{words(decision.outcome)}: {words(decision.reason)}", most, 2, 1.35)
    ]
    tried = [f"{attempt.backend}: {words(attempt.verdict.reason)}" for attempt in decision.attempts]
    lines += [(canvas.clip(line, most, 0.95), 0.95) for line in tried[:_MOST_ATTEMPTS]]
    lines = lines[: max(1, int(0.8 * canvas.height) // canvas.row_px)]
    heights = [round(size * canvas.row_px) for _, size in lines]
    top = (canvas.height - sum(heights)) // 2
    canvas.fill(Rect(0, top - gap, canvas.width, top + sum(heights) + gap), PANEL, 0.9)
    for rule in (top - gap, top + sum(heights) + gap):
        canvas.fill(Rect(0, rule, canvas.width, rule + canvas.line_px), AMBER)
    for i, (line, size) in enumerate(lines):
        middle = top + sum(heights[:i]) + heights[i] / 2
        canvas.write(canvas.width / 2, middle, line, WHITE if size > 1 else MUTED, size, align="m")


def reserve_mark(canvas: Canvas, decision: Decision) -> None:
    """Keep labels off the place of the mark "not vouched for" and off its tape."""
    canvas.margin = _tape_px(canvas)
    canvas.taken.append(_mark(canvas, decision)[0])


def draw_mark(canvas: Canvas, decision: Decision) -> None:
    """An amber and black tape around the picture, and at its top that nobody vouches for the answer, and why."""
    tape = _tape_px(canvas)
    if tape:
        _draw_tape(canvas, tape)
    if canvas.takes_text:
        place, text = _mark(canvas, decision)
        canvas.fill(place, AMBER)
        canvas.write(canvas.width / 2, (place.y0 + place.y1) / 2, text, BLACK, align="m")


def _mark(canvas: Canvas, decision: Decision) -> tuple[Rect, str]:
    text = canvas.clip(f"not vouched for: {words(decision.reason)}", canvas.width - 6 * canvas.gap)
    width = canvas.text_width(text) + 4 * canvas.gap
    left = (canvas.width - width) // 2
    return Rect(left, 0, left + width, canvas.row_px + canvas.gap), text


def _tape_px(canvas: Canvas) -> int:
    return min(max(3, round(0.35 * canvas.font_px)), min(canvas.width, canvas.height) // 8)


def _draw_tape(canvas: Canvas, tape: int) -> None:
    w, h = canvas.width, canvas.height
    for side in (Rect(0, 0, w, tape), Rect(0, h - tape, w, h), Rect(0, 0, tape, h), Rect(w - tape, 0, w, h)):
        diagonal = np.arange(side.x0, side.x1) + np.arange(side.y0, side.y1)[:, None]
        dark = (diagonal // (2 * tape)) % 2 == 1
        canvas.paste(side.x0, side.y0, np.array([AMBER, PANEL], np.uint8)[dark.astype(int)])
