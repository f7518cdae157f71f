"""Labels on chips of colour: next to what they name, inside the picture, never on top of each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import PANEL, RGB, WHITE, ink

_MOST_OF_WIDTH = 0.6
_SLIDES = 6


@dataclass(frozen=True, slots=True)
class Chip:
    """A label to place. `tail` (a score, a distance) is kept whole when `text` is clipped.

    `home` is the rectangle of the thing named; `centre`, where given, is the best place for the chip's middle.
    """

    text: str
    tail: str
    rgb: RGB
    home: Rect
    centre: tuple[int, int] | None = None


def draw_chips(canvas: Canvas, chips: Sequence[Chip]) -> int:
    """Draw chips, the most important first; those that find no free place are counted in a corner instead.

    Returns how many were left out.
    """
    if not canvas.takes_text:
        return len(chips)
    hidden = sum(not _draw(canvas, chip) for chip in chips)
    if hidden:
        text = f"{hidden} label{'s' if hidden > 1 else ''} not shown"
        corner = Rect(canvas.width, canvas.height, canvas.width, canvas.height)
        place = _place(canvas, canvas.text_width(text) + 2 * canvas.gap, corner, None)
        if place is not None:
            _paint(canvas, place, text, PANEL, WHITE)
    return hidden


def _draw(canvas: Canvas, chip: Chip) -> bool:
    if not chip.home.overlaps(canvas.bounds):
        return False
    most = min(max(_MOST_OF_WIDTH * canvas.width, chip.home.width), canvas.width) - 2 * canvas.gap
    text = canvas.clip(chip.text, most, tail=chip.tail)
    place = _place(canvas, canvas.text_width(text) + 2 * canvas.gap, chip.home, chip.centre)
    if place is None:
        return False
    _paint(canvas, place, text, chip.rgb, ink(chip.rgb))
    return True


def _paint(canvas: Canvas, place: Rect, text: str, ground: RGB, rgb: RGB) -> None:
    canvas.fill(place, ground, 0.94, radius=0.2 * canvas.font_px)
    canvas.write(place.x0 + canvas.gap, (place.y0 + place.y1) / 2, text, rgb)
    canvas.taken.append(place)


def _place(canvas: Canvas, width: int, home: Rect, centre: tuple[int, int] | None) -> Rect | None:
    margin, height = canvas.margin, canvas.row_px
    width = min(width, canvas.width - 2 * margin)
    for x, y in _spots(width, height, home, centre, canvas.line_px):
        x0 = min(max(x, margin), canvas.width - width - margin)
        y0 = min(max(y, margin), canvas.height - height - margin)
        place = Rect(x0, y0, x0 + width, y0 + height)
        ground = place.grown(1)
        if not any(ground.overlaps(other) for other in canvas.taken):
            return place
    return None


def _spots(
    width: int, height: int, home: Rect, centre: tuple[int, int] | None, line: int
) -> Iterator[tuple[int, int]]:
    """Corners for a chip of `width` x `height`, the best first."""
    if centre is not None:
        yield centre[0] - width // 2, centre[1] - height // 2
    left, right = home.x0, home.x1 - width
    if home.y0 >= height:
        yield left, home.y0 - height
    yield left + line, home.y0 + line
    if home.y0 >= height:
        yield right, home.y0 - height
    yield right - line, home.y0 + line
    yield left, home.y1
    yield right, home.y1
    yield left + line, home.y1 - height - line
    yield right - line, home.y1 - height - line
    for step in range(1, _SLIDES + 1):
        for x in (left + line, right - line):
            yield x, home.y0 + line + step * (height + 2)
        yield left, home.y0 - height - step * (height + 2)
