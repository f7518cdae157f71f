"""Side by side: the input, what each backend said (a generative one as it drew), who gave which pixel, the result."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import PIL.Image

from visionrouter.render.canvas import FONT_SHARE, Canvas
from visionrouter.render.colour import AMBER, MUTED, RGB, WHITE
from visionrouter.render.draw import draw, draw_source_map
from visionrouter.render.status import words
from visionrouter.schema.arrays import U8
from visionrouter.schema.decision import Attempt, Decision, Outcome
from visionrouter.schema.image import ImageSource, load_image
from visionrouter.schema.result import Candidate, Result

GROUND: RGB = (24, 26, 31)
GOOD: RGB = (0, 178, 130)
_LEAST_PANEL_PX = 320
_LEAST_TEXT_PX = 13
_TALLEST = 1.6


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture with a title and lines below it; `mark` is the colour of the dot before the title, if any."""

    picture: U8
    title: str
    lines: tuple[str, ...] = ()
    mark: RGB | None = None


def side_by_side(image: ImageSource, result: Result, *, width: int = 1600) -> U8:
    """How an answer came about, as one picture: uint8 (h, `width`, 3).

    Panels, each with a caption of backend, verdict, reason and milliseconds: the input; one a candidate, the raw
    drawing of a generative backend or the answer of a specialist drawn on the input; the sources of the pixels where
    the answer is merged from several; the result. Candidates live in memory only, so a result read back from JSON
    shows input and result. Panels wrap to the next row below 320 pixels each. Raises as `overlay` does, and
    `ValueError` for a `width` under 64.
    """
    if width < 64:
        raise ValueError(f"width is {width}; give at least 64 pixels")
    pixels = load_image(image).pixels
    count = 2 + len(result.candidates) + (result.source_map is not None)
    layout = _layout(count, pixels.shape[1], pixels.shape[0], width)
    panels = list(_panels(pixels, result, layout.text_scale))
    return _assemble(panels, layout, result.decision.instruction)


@dataclass(frozen=True, slots=True)
class _Layout:
    width: int
    columns: int
    panel_width: int
    panel_height: int
    gap: int
    text_scale: float


def _layout(count: int, image_width: int, image_height: int, width: int) -> _Layout:
    gap = max(6, width // 100)
    most = max(1, (width - gap) // (_LEAST_PANEL_PX + gap))
    rows = math.ceil(count / most)
    columns = math.ceil(count / rows)
    panel_width = (width - gap) // columns - gap
    shrink = min(panel_width / image_width, _TALLEST * panel_width / image_height)
    usual_px = FONT_SHARE * math.sqrt(image_width * image_height) * shrink
    return _Layout(
        width=width,
        columns=columns,
        panel_width=panel_width,
        panel_height=max(1, round(image_height * shrink)),
        gap=gap,
        text_scale=max(1.0, _LEAST_TEXT_PX / usual_px),
    )


def _panels(pixels: U8, result: Result, text_scale: float) -> Iterator[Panel]:
    decision = result.decision
    yield Panel(pixels, "input", (f"{pixels.shape[1]} x {pixels.shape[0]} pixels",))
    attempts = list(_attempts(decision))
    for candidate in result.candidates:
        attempt = _attempt_of(candidate, attempts)
        if attempt is not None:
            attempts.remove(attempt)
        drawing = candidate.prediction.drawing
        yield Panel(
            draw(candidate.prediction.payload, pixels, text_scale) if drawing is None else drawing,
            "specialist" if drawing is None else "generative drawing",
            _lines_of(candidate, attempt),
            GOOD if candidate.accepted else AMBER,
        )
    if result.source_map is not None:
        yield Panel(draw_source_map(result, pixels, text_scale), "sources", (" + ".join(result.sources),))
    trusted = result.outcome in (Outcome.ACCEPTED, Outcome.FELL_BACK, Outcome.MERGED)
    told = f"{words(result.outcome)}: {words(decision.reason)}"
    sure = "" if result.confidence is None else f"confidence {result.confidence:.2f} · "
    about = told, f"{sure}{decision.elapsed_ms:.0f} ms in all"
    yield Panel(draw(result, pixels, text_scale), "result", about, GOOD if trusted else AMBER)


def _attempts(decision: Decision) -> Iterator[Attempt]:
    yield from decision.attempts
    for child in decision.children:
        yield from _attempts(child)


def _attempt_of(candidate: Candidate, attempts: list[Attempt]) -> Attempt | None:
    """The first attempt not yet told of that this candidate can come from."""
    for attempt in attempts:
        if attempt.backend == candidate.backend and attempt.verdict.accepted == candidate.accepted:
            return attempt
    return None


def _lines_of(candidate: Candidate, attempt: Attempt | None) -> tuple[str, ...]:
    if attempt is None:
        return candidate.backend, "accepted" if candidate.accepted else "not accepted"
    verdict = attempt.verdict
    return (
        f"{candidate.backend} · {attempt.task.value} · {attempt.latency_ms:.0f} ms",
        f"{words(verdict.kind)}: {words(verdict.reason)}",
    )


def _assemble(panels: list[Panel], layout: _Layout, instruction: str) -> U8:
    gap, font = layout.gap, min(max(12, layout.panel_width // 22), 20)
    row = round(1.4 * font)
    caption = row * (1 + max(len(panel.lines) for panel in panels))
    header = round(1.6 * row) if instruction else 0
    rows = math.ceil(len(panels) / layout.columns)
    cell = layout.panel_height + caption + 3 * gap
    ground = np.full((gap + header + rows * cell, layout.width, 3), GROUND, np.uint8)
    canvas = Canvas(ground)
    canvas.font_px = font
    if instruction:
        text = canvas.clip(f"“{instruction}”", layout.width - 2 * gap, 1.2)
        canvas.write(gap, gap + header / 2, text, WHITE, 1.2)
    for i, panel in enumerate(panels):
        x = gap + (i % layout.columns) * (layout.panel_width + gap)
        y = gap + header + (i // layout.columns) * cell
        _put(canvas, panel, x, y, layout)
    return canvas.pixels()


def _put(canvas: Canvas, panel: Panel, x: int, y: int, layout: _Layout) -> None:
    picture = _fitted(panel.picture, layout.panel_width, layout.panel_height)
    left = x + (layout.panel_width - picture.width) // 2
    canvas.image.paste(picture, (left, y + (layout.panel_height - picture.height) // 2))
    row = canvas.row_px
    top = y + layout.panel_height + layout.gap // 2
    indent = 0
    if panel.mark is not None:
        dot = 0.3 * canvas.font_px
        canvas.stroke((x + dot, top + row / 2), (x + dot, top + row / 2), 2 * dot, panel.mark)
        indent = round(0.95 * canvas.font_px)
    canvas.write(x + indent, top + row / 2, canvas.clip(panel.title, layout.panel_width - indent), WHITE)
    for i, line in enumerate(panel.lines):
        text = canvas.clip(line, layout.panel_width, 0.9)
        canvas.write(x, top + (i + 1.5) * row, text, MUTED, 0.9)


def _fitted(picture: U8, width: int, height: int) -> PIL.Image.Image:
    """As large as fits `width` x `height` at its own aspect."""
    image = PIL.Image.fromarray(picture)
    scale = min(width / image.width, height / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    way = PIL.Image.Resampling.NEAREST if scale >= 3 else PIL.Image.Resampling.LANCZOS
    return image.resize(size, way)
