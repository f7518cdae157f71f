"""Composites: the things counted or measured with their numbers, the sentence that answers, the picture that was edited."""

from __future__ import annotations

from visionrouter.render.boxes import draw_box, rects_of
from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import WHITE, of_instance
from visionrouter.render.labels import Chip, draw_chips
from visionrouter.render.masks import draw_mask
from visionrouter.schema.payload import Composite, Entity, Segmentation
from visionrouter.schema.task import Operation

_MOST_LINES = 3


def draw_composite(canvas: Canvas, payload: Composite) -> None:
    """An edited picture as it is; else masks and boxes one colour a thing, what was found of each, and the summary."""
    if payload.image is not None:
        canvas.paste(0, 0, payload.image)
        return
    for part in payload.parts.values():
        if isinstance(part, Segmentation) and part.mode != "semantic":
            for i, mask in enumerate(part.masks):
                draw_mask(canvas, mask, of_instance(i), canvas.line_px)
    rects = rects_of([entity.box for entity in payload.entities], canvas)
    for i, rect in enumerate(rects):
        draw_box(canvas, rect, of_instance(i))
    draw_banner(canvas, payload.summary)
    counted = payload.operation is Operation.COUNT
    draw_chips(
        canvas,
        [
            Chip(
                f"{i + 1} {entity.label}" if counted else entity.label,
                tail_of(entity, payload.operation),
                of_instance(i),
                rects[i],
            )
            for i, entity in enumerate(payload.entities)
        ],
    )


def tail_of(entity: Entity, operation: Operation) -> str:
    """What a label says after the name: the value with its unit and interval where things are measured, else the score."""
    if operation is not Operation.DISTANCE:
        return f" {entity.score:.2f}"
    if entity.value is None:
        return " not measured"
    unit = " m" if entity.unit == "m" else " rel."
    tail = f" {quantity(entity.value)}{unit}"
    if entity.interval is not None:
        tail += f" ({quantity(entity.interval[0])} to {quantity(entity.interval[1])})"
    return tail


def quantity(value: float) -> str:
    """A number with about three figures and no exponent."""
    return f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def draw_banner(canvas: Canvas, text: str) -> None:
    """A sentence on a panel along the bottom."""
    if not canvas.takes_text or not text:
        return
    gap, row = canvas.gap, canvas.row_px
    most_lines = max(1, min(_MOST_LINES, canvas.height // (3 * row)))
    lines = canvas.wrap(text, canvas.width - 4 * gap, most_lines)
    top = canvas.height - 2 * gap - len(lines) * row
    width = max(canvas.text_width(line) for line in lines) + 2 * gap
    canvas.panel(Rect(gap, top, gap + width, canvas.height - gap))
    for i, line in enumerate(lines):
        canvas.write(2 * gap, top + gap // 2 + (i + 0.5) * row, line, WHITE)
