"""Metric depth as a walk along seven edges of the RGB cube.

Barron's power transform with lambda = -3 and c = 10/3 takes depth d in metres to f = 1 - (1 + d/10)^-2 in [0,
1]. f is the share walked of black -> red -> yellow -> green -> cyan -> blue -> magenta -> white (arXiv
2604.20329). At 8 bits the walk has 1786 places: black is 0 m, the last but one 412 m, white infinity.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.codecs.decoded import TOLERANCE, Decoded, require_drawing
from visionrouter.fork import renew_after_fork
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.errors import SchemaError

_I32 = npt.NDArray[np.int32]

_CORNERS = np.array(
    [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 1, 1)], np.int64
)
_LAST = 7 * 255
_STEPS = np.repeat(np.diff(_CORNERS, axis=0), 255, axis=0)
WALK: U8 = np.concatenate([_CORNERS[:1], np.cumsum(_STEPS, axis=0)]).astype(np.uint8)
"""uint8 (1786, 3): the colour of each place of the walk, nearest first."""
with np.errstate(divide="ignore"):
    PLACE_DEPTH_M: F32 = (10 / np.sqrt(1 - np.arange(_LAST + 1) / _LAST) - 10).astype(np.float32)
"""float32 (1786,): the depth of each place in metres; the last is +inf."""

_WALK_PADDED = np.pad(WALK, ((0, 0), (0, 1))).view(np.uint32).ravel()
_PLACE_BITS = 11
_PLACE_MASK = (1 << _PLACE_BITS) - 1
_BLOCK = 1 << 16
_TABLE_FROM_PIXELS = 1 << 19


@dataclass(frozen=True, slots=True)
class DepthCode:
    """Metric z-depth drawn on the cube walk. `tolerance`: the largest valid residual."""

    tolerance: float = TOLERANCE

    def encode(self, depth_m: npt.NDArray[np.floating[Any]]) -> U8:
        """Draw depth.

        `depth_m`: float (H, W), metres, 0 or more; +inf is sky. Returns uint8 (H, W, 3), the place nearest in
        f of each pixel, so never more than half a level off. Beyond 587 m that place is white, the colour of
        the sky.

        Raises `SchemaError` on NaN, negative depth, another dtype or shape: no colour means "not known".
        """
        _require_depth(depth_m)
        depth = depth_m.reshape(-1)
        drawing = np.empty((depth.size, 3), np.uint8)
        for start in range(0, depth.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            x = depth[block].astype(np.float64)
            x += 10
            x *= x
            np.divide(100 * _LAST, x, out=x)
            np.subtract(_LAST + 0.5, x, out=x)
            colours = np.take(_WALK_PADDED, x.astype(np.int64), mode="clip").view(np.uint8).reshape(-1, 4)
            for channel in range(3):
                drawing[block, channel] = colours[:, channel]
        return drawing.reshape(*depth_m.shape, 3)

    def decode(self, drawing: U8) -> Decoded:
        """Read depth.

        `drawing`: uint8 (H, W, 3). `values` are float32 (H, W) metres at the place of the walk nearest to
        each colour; of places equally near, the nearer depth. `residual` is the Euclidean distance to that
        place in sides of the RGB cube. Exact: no colour is quantised. The first large drawing builds a table
        of 64 MB in 0.2 s.

        Raises `SchemaError` where the drawing is not uint8 (H, W, 3).
        """
        require_drawing(drawing)
        pixels = drawing.reshape(-1, 3)
        lookup = _nearest_by_table if len(pixels) >= _TABLE_FROM_PIXELS else _nearest
        depth_m = np.empty(len(pixels), np.float32)
        residual = np.empty(len(pixels), np.float32)
        valid = np.empty(len(pixels), np.bool_)
        farthest = int((255 * self.tolerance) ** 2)
        for start in range(0, len(pixels), _BLOCK):
            block = slice(start, start + _BLOCK)
            nearest = lookup(pixels[block])
            squared = nearest >> _PLACE_BITS
            nearest &= _PLACE_MASK
            np.take(PLACE_DEPTH_M, nearest, out=depth_m[block], mode="clip")
            np.less_equal(squared, farthest, out=valid[block])
            distance = residual[block]
            distance[:] = squared
            np.sqrt(distance, out=distance)
            distance *= np.float32(1 / 255)
        size = drawing.shape[:2]
        return Decoded(depth_m.reshape(size), residual.reshape(size), valid.reshape(size))


def resolution_m(depth_m: npt.NDArray[np.floating[Any]]) -> F32:
    """Metres that one 8-bit level spans at `depth_m`: 0.0028 (1 + d/10)^3, so 2 cm at 10 m and 2 m at 80 m.

    The far range is ill-conditioned: an error of one level, which no residual shows, moves the depth this
    much. float32 of the same shape; +inf at +inf, NaN at NaN.
    """
    return ((1 + np.asarray(depth_m, np.float64) / 10) ** 3 * (5 / _LAST)).astype(np.float32)


def _require_depth(depth_m: npt.NDArray[np.floating[Any]]) -> None:
    if (
        not isinstance(depth_m, np.ndarray)
        or depth_m.dtype.kind != "f"
        or depth_m.ndim != 2
        or not depth_m.size
    ):
        got = (
            f"{depth_m.dtype} {depth_m.shape}" if isinstance(depth_m, np.ndarray) else type(depth_m).__name__
        )
        raise SchemaError(f"depth_m: expected floats of shape (H, W) in metres, got {got}")
    least = depth_m.min()
    if np.isnan(least):
        raise SchemaError(
            f"depth_m: {int(np.isnan(depth_m).sum())} of {depth_m.size} values are NaN, which the code cannot draw; "
            "use +inf for sky, fill or crop what is not known"
        )
    if least < 0:
        raise SchemaError(
            f"depth_m: holds {least:.3g}; z-depth is measured forward from the camera, in metres"
        )


def _nearest(pixels: U8) -> _I32:
    """The nearest place of each of (N, 3) pixels, as squared distance in 8-bit levels << 11 | place.

    The projection of an 8-bit colour on an axis-parallel edge is 8-bit too, so this is exact. The least of
    these numbers is the nearest place and, of several equally near, the first on the walk.
    """
    r, g, b = (pixels[:, channel].astype(np.int32) for channel in range(3))
    not_r, not_g, not_b = 255 - r, 255 - g, 255 - b
    rr, gg, bb, nrr, ngg, nbb = (c * c << _PLACE_BITS for c in (r, g, b, not_r, not_g, not_b))
    nearest = gg + bb + r
    for off_edge, along_edge in (
        (nrr + bb, g + 255),
        (ngg + bb, not_r + 510),
        (ngg + rr, b + 765),
        (nbb + rr, not_g + 1020),
        (nbb + gg, r + 1275),
        (nbb + nrr, g + 1530),
    ):
        np.minimum(nearest, off_edge + along_edge, out=nearest)
    return nearest


class _Table:
    """`_nearest` of all 256^3 colours, int32, indexed by r + 256 g + 65536 b; built once, by the first to
    ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: _I32 | None = None
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def entries(self) -> _I32:
        with self._lock:
            if self._entries is None:
                plane = np.zeros((1 << 16, 3), np.uint8)
                plane[:, 0] = np.tile(np.arange(256), 256)
                plane[:, 1] = np.repeat(np.arange(256), 256)
                entries = np.empty((256, 1 << 16), np.int32)
                for blue in range(256):
                    plane[:, 2] = blue
                    entries[blue] = _nearest(plane)
                self._entries = entries.reshape(-1)
            return self._entries


_TABLE = _Table()


def _nearest_by_table(pixels: U8) -> _I32:
    """`_nearest`, looked up."""
    padded = np.zeros((len(pixels), 8), np.uint8)
    for channel in range(3):
        padded[:, channel] = pixels[:, channel]
    return np.take(_TABLE.entries(), padded.view("<i8").reshape(-1), mode="clip")
