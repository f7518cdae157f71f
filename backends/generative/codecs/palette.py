"""Classes as colours of a palette that the prompt gave: each pixel means the nearest colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.codecs.decoded import TOLERANCE, Decoded, require_drawing
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.palette import RGB, separation
from visionrouter.schema.task import Palette

MAX_COLOURS = 256
_FLOAT32_COLOURS = 64
_BLOCK = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class DecodedLabels(Decoded):
    """`values`: uint8 (H, W), an index into the palette. `margin`: float32 (H, W), how much farther the
    second nearest colour is than the nearest, in sides of the RGB cube; 0 is a tie, +inf where the palette
    has one colour.
    """

    margin: F32


@dataclass(frozen=True, slots=True)
class PaletteCode:
    """A class a colour.

    `palette`: 1 to 256 entries, no colour twice. `tolerance`: the largest valid residual in sides of the RGB
    cube, by default `TOLERANCE` or half the palette's separation where that is less.

    Raises `SchemaError` where the palette breaks this.
    """

    palette: Palette
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.palette) <= MAX_COLOURS:
            raise SchemaError(f"PaletteCode.palette: {len(self.palette)} entries; give 1 to {MAX_COLOURS}")
        owner: dict[RGB, str] = {}
        for label, rgb in ((entry.label, entry.rgb) for entry in self.palette):
            if len(rgb) != 3 or not all(0 <= level <= 255 for level in rgb):
                raise SchemaError(f"PaletteCode.palette: {label!r} is {rgb}; give three levels in 0..255")
            if rgb in owner:
                raise SchemaError(
                    f"PaletteCode.palette: {owner[rgb]!r} and {label!r} are both {rgb}; give each its own colour, for "
                    "example with separated_colours(n)"
                )
            owner[rgb] = label

    @property
    def colours(self) -> tuple[RGB, ...]:
        """The colours in the palette's order."""
        return tuple(entry.rgb for entry in self.palette)

    @property
    def largest_valid_residual(self) -> float:
        """The tolerance in force."""
        return min(TOLERANCE, separation(self.colours) / 2) if self.tolerance is None else self.tolerance

    def encode(self, labels: npt.NDArray[np.integer[Any]]) -> U8:
        """Draw labels: integers (H, W), indices into the palette. Returns uint8 (H, W, 3).

        Raises `SchemaError` on an index outside the palette, another dtype or shape.
        """
        if (
            not isinstance(labels, np.ndarray)
            or labels.dtype.kind not in "iu"
            or labels.ndim != 2
            or not labels.size
        ):
            got = (
                f"{labels.dtype} {labels.shape}" if isinstance(labels, np.ndarray) else type(labels).__name__
            )
            raise SchemaError(f"labels: expected integers of shape (H, W), got {got}")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= len(self.palette):
            raise SchemaError(
                f"labels: span {low} to {high}, the palette has {len(self.palette)} entries (0 to "
                f"{len(self.palette) - 1}); add an entry for unlabelled pixels or remap them"
            )
        return np.take(np.array(self.colours, np.uint8), labels, axis=0)

    def decode(self, drawing: U8) -> DecodedLabels:
        """Read labels from uint8 (H, W, 3): the nearest colour of the palette; of equally near ones, the
        first.

        Raises `SchemaError` where the drawing is not uint8 (H, W, 3).
        """
        require_drawing(drawing)
        labels, residual, margin = nearest_colours(drawing, self.colours)
        return DecodedLabels(labels, residual, residual <= self.largest_valid_residual, margin)


def nearest_colours(drawing: U8, colours: Sequence[RGB]) -> tuple[U8, F32, F32]:
    """For each pixel of uint8 (H, W, 3): index of the nearest of 1 to 256 colours, distance to it, margin to
    the second.

    Exact: |x - p|^2 - |x|^2 = |p|^2 - 2 x.p, times a power of two, plus the colour's index, is an integer
    that orders colours by distance and then by index. Counted from mid-gray it stays below 2^24 for up to 64
    colours, so float32 holds it without rounding; more colours take float64. Plain passes over blocks that
    fit the cache: a matrix product is as fast on idle cores and many times slower on busy ones, where its
    threads wait for each other.
    """
    n = len(colours)
    shift = (n - 1).bit_length()
    scale = 1 << shift
    dtype = np.float32 if n <= _FLOAT32_COLOURS else np.float64
    centred = np.array(colours, np.int64) - 128
    weights = (-2 * scale * centred).tolist()
    offsets = (scale * (centred**2).sum(1) + np.arange(n)).tolist()

    pixels = drawing.reshape(-1, 3)
    label = np.empty(len(pixels), np.uint8)
    residual = np.empty(len(pixels), np.float32)
    margin = np.empty(len(pixels), np.float32)
    scratch = np.empty((7, min(_BLOCK, len(pixels))), dtype)
    for start in range(0, len(pixels), _BLOCK):
        block = slice(start, start + _BLOCK)
        r, g, b, key, term, first, second = scratch[:, : len(pixels[block])]
        for channel, x in enumerate((r, g, b)):
            np.subtract(pixels[block, channel], 128, out=x, dtype=dtype)
        first.fill(np.inf)
        second.fill(np.inf)
        for (of_r, of_g, of_b), offset in zip(weights, offsets, strict=True):
            np.multiply(r, of_r, out=key)
            key += np.multiply(g, of_g, out=term)
            key += np.multiply(b, of_b, out=term)
            key += offset
            np.minimum(second, np.maximum(first, key, out=term), out=second)
            np.minimum(first, key, out=first)
        nearest = first.astype(np.int32)
        label[block] = nearest & (scale - 1)
        from_gray = (r * r + g * g + b * b).astype(np.int32)
        residual[block] = _distance((nearest >> shift) + from_gray)
        margin[block] = (
            _distance((second.astype(np.int32) >> shift) + from_gray) if n > 1 else np.inf
        ) - residual[block]
    size = drawing.shape[:2]
    return label.reshape(size), residual.reshape(size), margin.reshape(size)


def _distance(squared_levels: npt.NDArray[np.int32]) -> F32:
    return np.sqrt(squared_levels, dtype=np.float32) * np.float32(1 / 255)
