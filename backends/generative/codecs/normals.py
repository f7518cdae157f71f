"""Surface normals as RGB: each channel holds one signed axis, (1 +- n) / 2.

Result frame: +x right, +y up, +z out of the image towards the viewer. Which axis a channel holds, and its
sign, is the habit of each model and is declared, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.codecs.decoded import TOLERANCE, Decoded, require_drawing
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.errors import SchemaError

PAPER_AXES = "-x+y+z"
"""arXiv 2604.20329: R = (1 - nx)/2, G = (1 + ny)/2, B = (1 + nz)/2; left is pinkish red."""
MARIGOLD_AXES = "+x+y+z"
"""diffusers' Marigold normals: right is red."""

_BLOCK = 1 << 16
_LEVELS: F32 = (np.arange(256, dtype=np.float32) * 2 - 255) / np.float32(255)


@dataclass(frozen=True, slots=True)
class NormalCode:
    """Unit normals drawn as colours.

    `axes`: the signed axis that red, green and blue hold, such as "-x+y+z". `tolerance`: the largest valid
    residual, here in lengths of the vector, twice the RGB distance. Mid-gray, the zero vector, is drawn where
    no surface is.
    """

    axes: str = PAPER_AXES
    tolerance: float = 2 * TOLERANCE

    def __post_init__(self) -> None:
        if not re.fullmatch(r"([+-][xyz]){3}", self.axes) or len({*self.axes[1::2]}) != 3:
            raise SchemaError(
                f"NormalCode.axes: {self.axes!r} does not name a signed axis for each of red, green and blue; "
                f'write for example "{PAPER_AXES}" or "{MARIGOLD_AXES}"'
            )

    def encode(self, normals: npt.NDArray[np.floating[Any]]) -> U8:
        """Draw normals.

        `normals`: float (H, W, 3) in the result frame, of unit length; zero or NaN where there is no surface,
        drawn mid-gray. Returns uint8 (H, W, 3), each channel rounded to the nearest level: at most 0.4
        degrees off.

        Raises `SchemaError` on another length, dtype or shape.
        """
        absent = _require_normals(normals)
        drawing = np.empty(normals.shape, np.uint8)
        for channel, (sign, axis) in enumerate(self._channels()):
            level = np.where(absent, 0, normals[..., axis].astype(np.float32))
            level *= sign * 127.5
            level += 128
            drawing[..., channel] = np.minimum(level, 255)
        return drawing

    def decode(self, drawing: U8) -> Decoded:
        """Read normals.

        `drawing`: uint8 (H, W, 3). `values` are float32 (H, W, 3) unit normals in the result frame, the
        direction of each colour from mid-gray. `residual` is | |2c - 1| - 1 |, how far the drawn vector's
        length is from 1. What is drawn near mid-gray (no surface, or a model torn between directions) has a
        residual near 1 and is not valid.

        Raises `SchemaError` where the drawing is not uint8 (H, W, 3).
        """
        require_drawing(drawing)
        pixels = drawing.reshape(-1, 3)
        normals = np.empty((len(pixels), 3), np.float32)
        residual = np.empty(len(pixels), np.float32)
        for start in range(0, len(pixels), _BLOCK):
            block = slice(start, start + _BLOCK)
            drawn = [np.take(_LEVELS, pixels[block, channel]) for channel in range(3)]
            length = np.sqrt(drawn[0] ** 2 + drawn[1] ** 2 + drawn[2] ** 2)
            for level, (sign, axis) in zip(drawn, self._channels(), strict=True):
                np.divide(level, length if sign > 0 else -length, out=normals[block, axis])
            np.abs(length - 1, out=residual[block])
        size = drawing.shape[:2]
        valid = residual <= self.tolerance
        return Decoded(normals.reshape(drawing.shape), residual.reshape(size), valid.reshape(size))

    def turn(self, drawn: F32) -> F32:
        """Vectors float32 (..., 3) whose components are what red, green and blue hold, in the result frame."""
        turned = np.empty_like(drawn)
        for channel, (sign, axis) in enumerate(self._channels()):
            turned[..., axis] = sign * drawn[..., channel]
        return turned

    def _channels(self) -> list[tuple[int, int]]:
        """For red, green and blue: the sign and the index of the axis each holds."""
        return [
            (int(sign + "1"), "xyz".index(axis))
            for sign, axis in zip(self.axes[::2], self.axes[1::2], strict=True)
        ]


def _require_normals(normals: npt.NDArray[np.floating[Any]]) -> Bool:
    """Check the contract of `NormalCode.encode`; bool (H, W), where there is no surface."""
    if (
        not isinstance(normals, np.ndarray)
        or normals.dtype.kind != "f"
        or normals.ndim != 3
        or normals.shape[2] != 3
        or not normals.size
    ):
        got = (
            f"{normals.dtype} {normals.shape}" if isinstance(normals, np.ndarray) else type(normals).__name__
        )
        raise SchemaError(f"normals: expected floats of shape (H, W, 3), got {got}")
    squared = np.einsum("hwc,hwc->hw", normals, normals)
    absent: Bool = np.isnan(squared) | (squared == 0)
    wrong = ~absent & ~(np.abs(squared - 1) <= 0.02)
    if wrong.any():
        raise SchemaError(
            f"normals: {int(wrong.sum())} of {squared.size} are not of unit length; divide by their norm, and mark "
            "pixels without a surface by zero or NaN"
        )
    return absent
