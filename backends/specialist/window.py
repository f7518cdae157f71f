"""What a network sees of an image: a rectangle of it, resampled to a canvas, black beyond the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from visionrouter.schema.arrays import F32, U8


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle `x1 y1 x2 y2` in image pixels, also beyond the image, seen as `width` x `height` canvas pixels."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: int
    height: int

    @classmethod
    def whole(cls, size: tuple[int, int], long_side: int, multiple: int, *, centred: bool) -> Self:
        """All of an image of `size` (width, height), its long side `long_side` pixels, aspect kept.

        The canvas is rounded up to a `multiple`; the picture lies in its centre, or top left.
        """
        width, height = size
        scale = long_side / max(size)
        inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
        outer_w, outer_h = (-(-side // multiple) * multiple for side in (inner_w, inner_h))
        left, top = ((outer_w - inner_w) // 2, (outer_h - inner_h) // 2) if centred else (0, 0)
        x_step, y_step = width / inner_w, height / inner_h
        return cls(
            -left * x_step,
            -top * y_step,
            (outer_w - left) * x_step,
            (outer_h - top) * y_step,
            outer_w,
            outer_h,
        )

    @classmethod
    def square(cls, box: Iterable[float], side: int, margin: float) -> Self:
        """The square of whole pixels around an xyxy `box`, wider by `margin` of its side all around.

        Seen as `side` x `side` pixels.
        """
        x1, y1, x2, y2 = (float(v) for v in box)
        wide = max(x2 - x1, y2 - y1) * (1 + 2 * margin)
        left, top, edge = round((x1 + x2 - wide) / 2), round((y1 + y2 - wide) / 2), max(1, round(wide))
        return cls(left, top, left + edge, top + edge, side, side)

    @classmethod
    def around(cls, box: Iterable[float], size: tuple[int, int], long_side: int, margin: float) -> Self:
        """The whole pixels around an xyxy `box`, wider by `margin` of its long side, inside an image of `size`.

        Seen with its long side at most `long_side` pixels; a smaller one keeps its size.
        """
        x1, y1, x2, y2 = (float(v) for v in box)
        pad = margin * max(x2 - x1, y2 - y1)
        left, top = max(0, math.floor(x1 - pad)), max(0, math.floor(y1 - pad))
        right, bottom = min(size[0], math.ceil(x2 + pad)), min(size[1], math.ceil(y2 + pad))
        left, top = min(left, size[0] - 1), min(top, size[1] - 1)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        scale = min(1.0, long_side / max(right - left, bottom - top))
        width, height = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
        return cls(left, top, right, bottom, width, height)

    @property
    def step(self) -> tuple[float, float]:
        """Image pixels a canvas pixel, along x and y."""
        return (self.x2 - self.x1) / self.width, (self.y2 - self.y1) / self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of a window that lies on whole pixels inside the image."""
        return slice(round(self.y1), round(self.y2)), slice(round(self.x1), round(self.x2))

    def sample(self, pixels: U8, *, cubic: bool = False) -> U8:
        """uint8 (height, width, 3): the window of `pixels`, uint8 (H, W, 3), filtered against aliasing.

        Only the part inside the image is resampled, so that a thin image costs no more than a square one.
        """
        import PIL.Image

        rows, columns = pixels.shape[:2]
        x_step, y_step = self.step
        left, right = _covered(self.x1, x_step, columns, self.width)
        top, bottom = _covered(self.y1, y_step, rows, self.height)
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        if right > left and bottom > top:
            source = (
                max(0.0, self.x1 + left * x_step),
                max(0.0, self.y1 + top * y_step),
                min(float(columns), self.x1 + right * x_step),
                min(float(rows), self.y1 + bottom * y_step),
            )
            resample = PIL.Image.Resampling.BICUBIC if cubic else PIL.Image.Resampling.BILINEAR
            picture = PIL.Image.fromarray(pixels)
            canvas[top:bottom, left:right] = np.asarray(
                picture.resize((right - left, bottom - top), resample, box=source)
            )
        return canvas

    def to_image(self, xy: F32) -> F32:
        """Canvas pixels, float32 (..., 2), as image pixels."""
        moved: F32 = xy * self._step + self._origin
        return moved

    def to_canvas(self, xy: F32) -> F32:
        """Image pixels, float32 (..., 2), as canvas pixels."""
        moved: F32 = (xy - self._origin) / self._step
        return moved

    @property
    def _origin(self) -> F32:
        return np.array([self.x1, self.y1], np.float32)

    @property
    def _step(self) -> F32:
        return np.array(self.step, np.float32)


def _covered(start: float, step: float, length: int, cells: int) -> tuple[int, int]:
    """The canvas cells [first, last) along one axis whose middle lies in an image of `length` pixels."""
    first = max(0, round(-start / step))
    last = min(cells, round((length - start) / step))
    return first, last
