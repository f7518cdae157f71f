"""Slivers made thick enough for networks that keep the aspect of a picture."""

from __future__ import annotations

import numpy as np

from visionrouter.schema.arrays import U8

_LEAST_SIDE_PX = 32
_MOST_ASPECT = 16


def thicken(pixels: U8) -> U8:
    """`pixels`, uint8 (H, W, 3), each side at least 32 pixels and a sixteenth of the other.

    Its last row and column are repeated below and to the right, so that coordinates stay as they are. A picture that is
    thick enough is returned as it is.
    """
    height, width = pixels.shape[:2]
    least = max(_LEAST_SIDE_PX, -(-max(height, width) // _MOST_ASPECT))
    below, right = max(0, least - height), max(0, least - width)
    if not (below or right):
        return pixels
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
