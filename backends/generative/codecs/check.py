"""Is a drawing on the code it was asked for, and if not, on which?

A model asked for one picture may draw another: gray or viridis depth, a class map, the photo itself. Decoded
blindly, each gives plausible numbers. A code that fills less of colour space explains a drawing better, so of
all that explain it, colours (points) go before colour maps and the depth walk (curves), and those before
normals (a surface).

Not told apart: matplotlib's `hsv` from the depth walk, whose middle five edges it is, and two models' normals
whose axes differ in sign, for which `NormalCode.axes` is declared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np

from visionrouter.backends.generative.codecs.decoded import require_drawing
from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.grayscale import GrayDepthCode
from visionrouter.backends.generative.codecs.normals import NormalCode
from visionrouter.backends.generative.codecs.palette import PaletteCode, nearest_colours
from visionrouter.schema.arrays import U8
from visionrouter.schema.palette import NAMED_COLOURS, RGB

NEAR = 0.1
"""Within this of a code, in sides of the RGB cube, a pixel counts as on it."""
EXPLAINED = 0.9
"""A code that this share of pixels is on explains the drawing."""
LEAST_SHARE = (0.5, 0.65, 0.85)
"""Below this share of pixels on it, a drawing is off its code, for codes of dimension 0, 1 and 2: the more of
colour space a code fills, the more of any picture lies on it by chance.
"""

_SAMPLES = 1 << 14
_MAP_POINTS = 64
_BACK_FACING = -0.2
_NO_SURFACE = 0.3


class Foreign(StrEnum):
    """What a drawing looks like instead of the code asked for."""

    BLACK = "black"
    PALETTE = "palette"
    DEPTH = "depth"
    GRAYSCALE = "grayscale"
    VIRIDIS = "viridis"
    PLASMA = "plasma"
    INFERNO = "inferno"
    MAGMA = "magma"
    TURBO = "turbo"
    JET = "jet"
    SPECTRAL = "spectral"
    NORMALS = "normals"
    NATURAL_IMAGE = "natural_image"
    UNKNOWN = "unknown"


_MAPS = {
    Foreign.GRAYSCALE: "000000 ffffff",
    Foreign.VIRIDIS: "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 "
    "a5db36 d2e21b fde725",
    Foreign.PLASMA: "0d0887 5302a3 8b0aa5 b83289 db5c68 f48849 febd2a f0f921",
    Foreign.INFERNO: "000004 0c0826 240c4f 420a68 5d126e 781c6d 932667 ae305c c73e4c dd513a ed6925 f8850f fca50a "
    "fac62d f2e661 fcffa4",
    Foreign.MAGMA: "000004 180f3d 451077 721f81 9e2f7f cd4071 f1605d fd9467 feca8d fcfdbf",
    Foreign.TURBO: "30123b 4143a7 4771e9 3e9bfe 22c5e2 1ae4b6 46f884 88ff4e b9f635 e1dd37 faba39 fd8d27 f05b12 d63506 "
    "af1801 7a0403",
    Foreign.JET: "000080 0000ff 00ffff ffff00 ff0000 800000",
    Foreign.SPECTRAL: "9e0142 d53e4f f46d43 fdae61 fee08b ffffbf e6f598 abdda4 66c2a5 3288bd 5e4fa2",
}
"""Evenly spaced colours of the maps that models are known to draw, as matplotlib has them."""


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """`on_code_share`: share of pixels near the code, in [0, 1]. `suspected`: what it is instead, None where
    nothing speaks against the code.
    """

    on_code_share: float
    suspected: Foreign | None


def code_check(drawing: U8, code: DepthCode | GrayDepthCode | NormalCode | PaletteCode) -> CodeCheck:
    """Judge uint8 (H, W, 3) against the code it should be on, from 16,384 of its pixels at most.

    Raises `SchemaError` where the drawing is not uint8 (H, W, 3).
    """
    require_drawing(drawing)
    step = math.ceil(math.sqrt(drawing.shape[0] * drawing.shape[1] / _SAMPLES))
    sample = np.ascontiguousarray(drawing[::step, ::step])
    share, dimension = _share_on(sample, code)
    for rival in _rivals(sample):
        plainer = rival.dimension < dimension and rival.is_varied
        if rival.share >= EXPLAINED and (share < EXPLAINED or plainer):
            return CodeCheck(share, rival.foreign)
    if share >= LEAST_SHARE[dimension]:
        return CodeCheck(share, None)
    return CodeCheck(share, Foreign.NATURAL_IMAGE if _is_photo_like(sample) else Foreign.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Rival:
    """What else a drawing could be. `is_varied`: it uses enough of its colours that this is no coincidence."""

    foreign: Foreign
    share: float
    dimension: int
    is_varied: bool = True


def _share_on(sample: U8, code: DepthCode | GrayDepthCode | NormalCode | PaletteCode) -> tuple[float, int]:
    """The share of pixels on the code, and the code's dimension in colour space."""
    decoded = code.decode(sample)
    if isinstance(code, NormalCode):
        from_gray = np.linalg.norm(sample / 127.5 - 1, axis=-1)
        on = decoded.valid & (decoded.values[..., 2] > _BACK_FACING) | (from_gray < _NO_SURFACE)
        return float(on.mean()), 2
    if isinstance(code, DepthCode | GrayDepthCode):
        return float((decoded.residual <= NEAR).mean()), 1
    return float((decoded.residual <= min(NEAR, code.largest_valid_residual)).mean()), 0


def _rivals(sample: U8) -> Iterator[_Rival]:
    """What else the drawing could be, points first."""
    yield _Rival(Foreign.BLACK, float((sample.max(-1) <= 255 * NEAR).mean()), 0)
    share, used = _share_near(sample, tuple(NAMED_COLOURS.values()), NEAR)
    yield _Rival(Foreign.PALETTE, share, 0, used >= 3)
    yield _Rival(Foreign.DEPTH, *_share_on(sample, DepthCode()))
    for foreign, stops in _MAPS.items():
        share, used = _share_near(sample, _map_points(stops), NEAR / 2)
        yield _Rival(foreign, share, 1, used >= 5)
    yield _Rival(Foreign.NORMALS, *_share_on(sample, NormalCode()))


def _share_near(sample: U8, colours: tuple[RGB, ...], radius: float) -> tuple[float, int]:
    """Share of pixels within `radius` of one of `colours`, and how many of these have half a percent of the
    pixels.
    """
    nearest, residual, _ = nearest_colours(sample, colours)
    near = residual <= radius
    used = np.bincount(nearest[near]) >= 0.005 * near.size
    return float(near.mean()), int(used.sum())


@cache
def _map_points(stops: str) -> tuple[RGB, ...]:
    """64 colours along a map, equally far apart."""
    colours = np.array([list(bytes.fromhex(stop)) for stop in stops.split()], float)
    travelled = np.append(0, np.linalg.norm(np.diff(colours, axis=0), axis=1).cumsum())
    at = np.linspace(0, travelled[-1], _MAP_POINTS)
    channels = [np.interp(at, travelled, colours[:, channel]) for channel in range(3)]
    return tuple((round(r), round(g), round(b)) for r, g, b in zip(*channels, strict=True))


def _is_photo_like(sample: U8) -> bool:
    """Many muted colours: a drawing has few, or saturated ones."""
    saturation = np.ptp(sample, axis=-1).mean() / 255
    cells = np.unique((sample >> 4).astype(np.int64) @ (256, 16, 1))
    return bool(saturation < 0.5 and len(cells) >= 64)
