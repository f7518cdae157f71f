"""Relative depth as brightness: gray, the nearer the brighter.

Open Vision Banana draws inverse depth so. It has neither scale nor shift, and an 8-bit gray has 256 levels of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.codecs.decoded import TOLERANCE, Decoded, require_drawing
from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import SchemaError


@dataclass(frozen=True, slots=True)
class GrayDepthCode:
    """Relative inverse depth drawn in gray. `tolerance`: the largest valid residual."""

    tolerance: float = TOLERANCE

    def encode(self, disparity: npt.NDArray[np.floating[Any]]) -> U8:
        """Draw float (H, W) in [0, 1], 1 the nearest, as uint8 (H, W, 3). Raises `SchemaError` for other values."""
        if disparity.ndim != 2 or not disparity.size or not ((disparity >= 0) & (disparity <= 1)).all():
            raise SchemaError(
                f"disparity: expected floats in [0, 1] of shape (H, W), got {disparity.dtype} {disparity.shape}"
            )
        levels = (disparity * 255).round().astype(np.uint8)
        return np.repeat(levels[..., None], 3, axis=-1)

    def decode(self, drawing: U8) -> Decoded:
        """Read inverse depth.

        `drawing`: uint8 (H, W, 3). `values` are float32 (H, W) in [0, 1], larger is nearer: the mean of the channels,
        which is the nearest gray. `residual` is the distance to it in sides of the RGB cube.

        Raises `SchemaError` where the drawing is not uint8 (H, W, 3).
        """
        require_drawing(drawing)
        colour = drawing.astype(np.float32) / 255
        values = colour.mean(-1)
        residual = np.linalg.norm(colour - values[..., None], axis=-1).astype(np.float32)
        return Decoded(values, residual, residual <= self.tolerance)
