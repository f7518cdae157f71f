"""What every decoder gives back, and what every decoder asks of a drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.errors import SchemaError

TOLERANCE = 0.25
"""How far from its code a colour may lie, in sides of the RGB cube, before its pixel is called invalid.

Half of the 0.5 at which a colour can be as near to an unrelated stretch of the depth walk as to its own.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One drawing, read.

    `values`: what the code says, of the shape and unit each code states. `residual`: float32 (H, W), how far
    each pixel's colour lies from the code, in sides of the RGB cube unless the code says otherwise. `valid`:
    bool (H, W), whether that is within the code's tolerance. `values` hold the nearest meaning of each pixel,
    valid or not. A residual shows a colour that means nothing, not a wrong answer drawn in clean colours.
    """

    values: npt.NDArray[Any]
    residual: F32
    valid: Bool


def require_drawing(drawing: U8) -> None:
    """Raise `SchemaError` unless `drawing` is a non-empty uint8 (H, W, 3) array."""
    if not isinstance(drawing, np.ndarray):
        raise SchemaError(
            f"drawing: expected a numpy array, got {type(drawing).__name__}; use np.asarray(image)"
        )
    if drawing.ndim != 3 or drawing.shape[2] != 3 or drawing.size == 0:
        raise SchemaError(
            f"drawing: expected RGB of shape (H, W, 3), got {drawing.shape}; drop alpha with [..., :3], give a "
            "gray picture three channels, decode a batch one by one"
        )
    if drawing.dtype != np.uint8:
        raise SchemaError(
            f"drawing: expected uint8, got {drawing.dtype}; from floats in 0..1 use (x * 255).round().astype(np.uint8)"
        )
