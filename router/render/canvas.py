"""A picture being drawn on: soft shapes, strokes and text that scale with it."""

from __future__ import annotations

import functools
import math
import unicodedata
from typing import NamedTuple, cast

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from visionrouter.render.colour import BLACK, PANEL, RGB
from visionrouter.schema.arrays import F32, U8

LEAST_FONT_PX = 12
FONT_SHARE = 0.034
_LONGEST_TEXT = 240

Point = tuple[float, float]


class Rect(NamedTuple):
    """Whole pixels, x0 <= x < x1 and y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    def overlaps(self, other: Rect) -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1

    def grown(self, by: int) -> Rect:
        return Rect(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)


class Canvas:
    """An RGB picture with a text size and a line width that fit it.

    `taken` holds the places where text already stands and `margin` the pixels along the border that belong to a frame:
    labels keep off both. All drawing is clipped to the picture; coordinates are pixels with the origin at the top-left
    corner of the top-left pixel.
    """

    def __init__(self, pixels: U8, text_scale: float = 1.0) -> None:
        self.image = PIL.Image.fromarray(pixels)
        self.width, self.height = self.image.size
        side = math.sqrt(self.width * self.height)
        self.font_px = max(LEAST_FONT_PX, round(FONT_SHARE * side * text_scale))
        self.line_px = max(1, round(side / 190))
        self.taken: list[Rect] = []
        self.margin = 0

    @property
    def bounds(self) -> Rect:
        return Rect(0, 0, self.width, self.height)

    @property
    def gap(self) -> int:
        """Pixels between things, and from things to the border."""
        return max(2, round(0.45 * self.font_px))

    @property
    def row_px(self) -> int:
        """Height of a line of text with the room above and below it."""
        return round(1.4 * self.font_px)

    @property
    def takes_text(self) -> bool:
        """False for pictures too small to hold a legible word."""
        return self.width >= 7 * self.font_px and self.height >= 3 * self.row_px

    def pixels(self) -> U8:
        """uint8 (H, W, 3), a copy."""
        return np.array(self.image)

    def paste(self, x: int, y: int, pixels: U8, cover: U8 | None = None) -> None:
        """Put uint8 (h, w, 3) over the picture with its corner at (x, y), where `cover`, uint8 (h, w), is above 0."""
        self.image.paste(
            PIL.Image.fromarray(pixels), (x, y), None if cover is None else PIL.Image.fromarray(cover)
        )

    def shade(self, x: int, y: int, cover: U8, rgb: RGB) -> None:
        """Lay `rgb` over the picture where `cover`, uint8 (h, w) with its corner at (x, y), is above 0; 255 hides all."""
        h, w = cover.shape
        self.image.paste(rgb, (x, y, x + w, y + h), PIL.Image.fromarray(cover))

    def fill(self, rect: Rect, rgb: RGB, opacity: float = 1.0, radius: float = 0.0) -> None:
        """A rectangle with rounded corners and soft edges."""
        visible = _intersection(rect, self.bounds)
        if visible is None:
            return
        if opacity == 1 and radius < 1:
            self.image.paste(rgb, visible)
        else:
            cover = _rounded(rect, visible, min(radius, rect.width / 2, rect.height / 2))
            self.shade(visible.x0, visible.y0, (cover * (255 * opacity)).round().astype(np.uint8), rgb)

    def frame(self, rect: Rect, thickness: int, rgb: RGB, opacity: float = 1.0) -> None:
        """The outline of a rectangle, `thickness` pixels wide on the inner side."""
        x0, y0, x1, y1 = rect
        t = min(thickness, rect.width, rect.height)
        for side in (
            Rect(x0, y0, x1, y0 + t),
            Rect(x0, max(y1 - t, y0 + t), x1, y1),
            Rect(x0, y0 + t, x0 + t, y1 - t),
            Rect(max(x1 - t, x0 + t), y0 + t, x1, y1 - t),
        ):
            if side.width > 0 and side.height > 0:
                self.fill(side, rgb, opacity)

    def stroke(self, start: Point, end: Point, thickness: float, rgb: RGB, rim: float = 0.0) -> None:
        """A straight line with round ends, soft edges and a dark rim; a dot where `start` is `end`."""
        layers = ((thickness / 2 + rim, BLACK, 0.55), (thickness / 2, rgb, 1.0))[0 if rim else 1 :]
        for tile in _tiles(start, end, thickness / 2 + rim + 1, self.bounds):
            distance = _distance_to_segment(tile, start, end)
            for radius, colour, opacity in layers:
                cover = np.clip(radius + 0.5 - distance, 0, 1) * np.float32(255 * opacity) + np.float32(0.5)
                self.shade(tile.x0, tile.y0, cover.astype(np.uint8), colour)

    def panel(self, rect: Rect) -> None:
        """A dark, nearly opaque ground for legends, and taken from now on."""
        self.fill(rect, PANEL, 0.82, radius=0.3 * self.font_px)
        self.taken.append(rect)

    def write(
        self, x: float, middle_y: float, text: str, rgb: RGB, size: float = 1.0, align: str = "l"
    ) -> None:
        """One line of text with its left end ("l"), middle ("m") or right end ("r") at x, `size` times the usual size."""
        font = font_of(round(size * self.font_px))
        ImageDraw.Draw(self.image).text((x, middle_y), text, rgb, font, anchor=f"{align}m")

    def text_width(self, text: str, size: float = 1.0) -> int:
        return math.ceil(font_of(round(size * self.font_px)).getlength(text))

    def clip(self, text: str, most_px: float, size: float = 1.0, tail: str = "") -> str:
        """`text` + `tail` in at most `most_px`; `text` loses its end to "…" where it must, `tail` never."""
        text = legible(text)
        if self.text_width(text + tail, size) <= most_px:
            return text + tail
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.text_width(text[:middle].rstrip() + "…" + tail, size) <= most_px
            low, high = (middle, high) if fits else (low, middle - 1)
        return text[:low].rstrip() + "…" + tail

    def wrap(self, text: str, most_px: float, most_lines: int, size: float = 1.0) -> list[str]:
        """`text` broken between words into at most `most_lines` lines, the last of them clipped."""
        lines: list[str] = []
        words = legible(text).split(" ")
        while words and len(lines) < most_lines:
            count = 1
            while count < len(words) and self.text_width(" ".join(words[: count + 1]), size) <= most_px:
                count += 1
            if len(lines) == most_lines - 1:
                count = len(words)
            lines.append(self.clip(" ".join(words[:count]), most_px, size))
            words = words[count:]
        return lines


def legible(text: str) -> str:
    """Text as the built-in font can show it: on one line, without accents, and cut where nobody would read on."""
    text = text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
    decomposed = unicodedata.normalize("NFD", " ".join(text.split()))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@functools.lru_cache(maxsize=64)
def font_of(px: int) -> ImageFont.FreeTypeFont:
    """The font that ships inside Pillow (Aileron, CC0) at `px` pixels."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size=px))


def _intersection(a: Rect, b: Rect) -> Rect | None:
    both = Rect(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1))
    return both if both.width > 0 and both.height > 0 else None


def _rounded(rect: Rect, visible: Rect, radius: float) -> F32:
    if radius < 1:
        return np.ones((visible.height, visible.width), np.float32)
    beyond_x = _beyond(visible.x0, visible.x1, rect.x0 + radius, rect.x1 - radius)
    beyond_y = _beyond(visible.y0, visible.y1, rect.y0 + radius, rect.y1 - radius)
    cover: F32 = np.clip(radius + 0.5 - np.hypot(beyond_x, beyond_y[:, None]), 0, 1)
    return cover


def _beyond(start: int, stop: int, low: float, high: float) -> F32:
    centres = np.arange(start, stop, dtype=np.float32) + 0.5
    beyond: F32 = np.maximum(np.maximum(low - centres, centres - high), 0)
    return beyond


def _tiles(start: Point, end: Point, reach: float, bounds: Rect) -> list[Rect]:
    """Disjoint rectangles along a segment that hold all within `reach` of it, so that long lines stay cheap."""
    along = 0 if abs(end[0] - start[0]) >= abs(end[1] - start[1]) else 1
    (a, b) = (start, end) if start[along] <= end[along] else (end, start)
    low = max(math.floor(a[along] - reach), bounds[along])
    high = min(math.ceil(b[along] + reach), bounds[along + 2])
    step = max(32, math.ceil(8 * reach))
    slope = (b[1 - along] - a[1 - along]) / (b[along] - a[along]) if b[along] > a[along] else 0.0
    tiles = []
    for first in range(low, high, step):
        last = min(first + step, high)
        ends = [
            a[1 - along] + slope * (min(max(v, a[along]), b[along]) - a[along])
            for v in (first - reach, last + reach)
        ]
        near = max(math.floor(min(ends) - reach), bounds[1 - along])
        far = min(math.ceil(max(ends) + reach), bounds[3 - along])
        if near < far:
            tiles.append(Rect(first, near, last, far) if along == 0 else Rect(near, first, far, last))
    return tiles


def _distance_to_segment(tile: Rect, start: Point, end: Point) -> F32:
    x = np.arange(tile.x0, tile.x1, dtype=np.float32) + np.float32(0.5 - start[0])
    y = (np.arange(tile.y0, tile.y1, dtype=np.float32) + np.float32(0.5 - start[1]))[:, None]
    dx, dy = end[0] - start[0], end[1] - start[1]
    length2 = dx * dx + dy * dy
    if length2 == 0:
        distance: F32 = np.hypot(x, y)
    else:
        t = np.clip(x * np.float32(dx / length2) + y * np.float32(dy / length2), 0, 1)
        distance = np.hypot(x - t * np.float32(dx), y - t * np.float32(dy))
    return distance
