"""Instances of one class, each in a colour of the model's own choice, on black."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.codecs.decoded import TOLERANCE, Decoded, require_drawing
from visionrouter.backends.generative.codecs.palette import MAX_COLOURS, nearest_colours
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.palette import BLACK, NAMED_COLOURS, RGB, separated_colours

FLAT_LEVELS = 48
"""Most that a channel varies over 3x3 pixels inside an instance; borders and thin lines vary more."""

_ORDER = (
    "red", "green", "blue", "yellow", "magenta", "cyan", "orange", "purple", "white", "lime", "pink", "teal", "navy",
    "maroon", "gray",
)  # fmt: skip
_BIN_BITS = 4
_SAMPLES = 1 << 18
_EIGHT = np.ones((3, 3), np.bool_)

_I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class DecodedInstances(Decoded):
    """`values`: bool (N, H, W), disjoint masks from left to right. `margin`: float32 (H, W), how much farther
    each pixel is from the second nearest colour found, background too, than from the nearest. `colours`:
    uint8 (N, 3), as drawn. `instance_residual` and `instance_margin`: float32 (N,), means over each mask. All
    in sides of the RGB cube.
    """

    margin: F32
    colours: U8
    instance_residual: F32
    instance_margin: F32


@dataclass(frozen=True, slots=True)
class InstanceCode:
    """A colour an instance, black elsewhere.

    `tolerance`: colours this near, in sides of the RGB cube, are one colour, and what is this near to black
    is background. `least_share`: the least share of the image's pixels that an instance covers. `split`:
    whether pieces of one colour that do not touch are instances of their own. A model that repeats a colour
    needs it; it also splits an object that another one hides in the middle: the drawing alone does not tell
    these apart.
    """

    tolerance: float = TOLERANCE
    least_share: float = 0.0005
    split: bool = True

    def encode(self, masks: Bool) -> U8:
        """Draw instances.

        `masks`: bool (N, H, W), N from 0 to 255; where they overlap, the later lies on top. Colours go from
        left to right by the mask's mean x, in a fixed order, no two nearer than 0.49 up to 15 instances.
        Returns uint8 (H, W, 3).

        Raises `SchemaError` on another dtype or shape.
        """
        if (
            not isinstance(masks, np.ndarray)
            or masks.dtype != np.bool_
            or masks.ndim != 3
            or 0 in masks.shape[1:]
        ):
            got = f"{masks.dtype} {masks.shape}" if isinstance(masks, np.ndarray) else type(masks).__name__
            raise SchemaError(
                f"masks: expected bool of shape (N, H, W), got {got}; threshold with masks > 0.5"
            )
        if len(masks) >= MAX_COLOURS:
            raise SchemaError(
                f"masks: {len(masks)} instances, more than the {MAX_COLOURS - 1} colours; draw them in parts"
            )
        colours = np.array((BLACK, *instance_colours(len(masks))), np.uint8)
        rank = np.argsort(np.argsort([_mean_x(mask) for mask in masks], kind="stable"))
        label = np.zeros(masks.shape[1:], np.uint8)
        for mask, place in zip(masks, rank, strict=True):
            label[mask] = place + 1
        return np.take(colours, label, axis=0)

    def decode(self, drawing: U8) -> DecodedInstances:
        """Read instances from uint8 (H, W, 3).

        Colours are found on flat pixels only, so that the blends at soft borders are none. Every pixel goes
        to the nearest colour or to black; a piece with too few flat pixels is a border or a speck and goes to
        the colour beside it. An object under three pixels wide has no flat pixel and is not found.

        Raises `SchemaError` where the drawing is not uint8 (H, W, 3).
        """
        require_drawing(drawing)
        size = drawing.shape[:2]
        least_px = max(1, round(self.least_share * size[0] * size[1]))
        flat = _flat(drawing)
        colours = (BLACK, *self._find_colours(drawing, flat, least_px))
        label, residual, margin = nearest_colours(drawing, colours)
        pieces, owner = _pieces(label, flat, len(colours), least_px)
        groups = [[piece] for piece in range(1, len(owner)) if owner[piece]]
        if not self.split:
            groups = [
                [p for (p,) in groups if owner[p] == colour]
                for colour in sorted({owner[p] for (p,) in groups})
            ]
        masks = [np.isin(pieces, group) for group in groups]
        order = np.argsort([_mean_x(mask) for mask in masks], kind="stable")
        values = np.stack([masks[i] for i in order]) if masks else np.zeros((0, *size), np.bool_)
        drawn = np.array([colours[owner[groups[i][0]]] for i in order], np.uint8).reshape(-1, 3)
        return DecodedInstances(
            values,
            residual,
            residual <= self.tolerance,
            margin,
            drawn,
            np.array([residual[mask].mean() for mask in values], np.float32),
            np.array([margin[mask].mean() for mask in values], np.float32),
        )

    def _find_colours(self, drawing: U8, flat: Bool, least_px: int) -> list[RGB]:
        """The colours of flat pixels that are not black: the fullest neighbourhood of RGB, then of what is left.

        A darker or lighter shade of a colour already found counts only where it is sharp: brightness that
        fades over an object is the model's doubt, not a second object.
        """
        step = max(1, math.isqrt(flat.size // _SAMPLES))
        samples = drawing[::step, ::step][flat[::step, ::step]]
        least = max(1, least_px // step**2)
        count, mean = _histogram(samples)
        radius = 255 * self.tolerance
        left = np.linalg.norm(mean, axis=1) > radius
        colours: list[npt.NDArray[np.float64]] = []
        while (count[left] >= 1).any() and len(colours) < MAX_COLOURS - 1:
            peak = np.where(left, count, 0).argmax()
            centre = mean[peak]
            for _ in range(3):
                near = left & (np.linalg.norm(mean - centre, axis=1) <= radius)
                centre = np.average(mean[near], axis=0, weights=count[near])
            left &= ~near
            left[peak] = False
            is_shade = any(
                np.linalg.norm(centre / centre.max() - c / c.max()) <= self.tolerance for c in colours
            )
            if count[near].sum() >= least and (not is_shade or _is_sharp(centre, mean, count, radius)):
                colours.append(centre)
        return [(int(r), int(g), int(b)) for r, g, b in np.rint(colours)] if colours else []


def instance_colours(n: int) -> tuple[RGB, ...]:
    """The colours of n instances from left to right; those of fewer instances are the first of these."""
    named = [NAMED_COLOURS[name] for name in _ORDER]
    more = separated_colours(max(0, n - len(named)), avoid=(BLACK, *named))
    return (*named, *(colour.rgb for colour in more))[:n]


def _mean_x(mask: Bool) -> float:
    columns = mask.sum(0)
    return float((columns * np.arange(len(columns))).sum() / max(1, columns.sum()))


def _flat(drawing: U8) -> Bool:
    """bool (H, W): no channel varies by more than `FLAT_LEVELS` over the 3x3 pixels around."""
    padded = np.pad(drawing, ((1, 1), (1, 1), (0, 0)), mode="edge")
    high = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    high = np.maximum(np.maximum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
    low = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    low = np.minimum(np.minimum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    spread = high - low
    flat: Bool = np.maximum(np.maximum(spread[..., 0], spread[..., 1]), spread[..., 2]) <= FLAT_LEVELS
    return flat


def _histogram(samples: U8) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pixels in each occupied cell of an RGB grid, and their mean colour: (B,) and (B, 3)."""
    index = ((samples >> (8 - _BIN_BITS)).astype(np.int64) << np.array([2 * _BIN_BITS, _BIN_BITS, 0])).sum(1)
    count = np.bincount(index)
    total = np.stack([np.bincount(index, samples[:, channel]) for channel in range(3)], axis=1)
    occupied = count > 0
    return count[occupied], total[occupied] / count[occupied, None]


def _is_sharp(
    centre: npt.NDArray[np.float64],
    mean: npt.NDArray[np.float64],
    count: npt.NDArray[np.int64],
    radius: float,
) -> bool:
    """Whether, of the pixels within `radius` of `centre`, three quarters are within half of it (an even fade: half)."""
    distance = np.linalg.norm(mean - centre, axis=1)
    return bool(count[distance <= radius / 2].sum() >= 0.75 * count[distance <= radius].sum())


def _pieces(label: U8, flat: Bool, n_colours: int, least_px: int) -> tuple[_I32, list[int]]:
    """Connected pieces of one colour, the small ones given to the nearest that is kept.

    int32 (H, W) piece numbers from 1, and the colour of each piece number.
    """
    from scipy import ndimage

    pieces = np.zeros(label.shape, np.int32)
    owner = [0]
    for colour, where in enumerate(ndimage.find_objects(label.astype(np.int32) + 1, n_colours)):
        if where is None:
            continue
        found, n = ndimage.label(label[where] == colour, _EIGHT)
        flat_px = np.bincount(found[flat[where]], minlength=n + 1)
        kept = flat_px >= (1 if colour == 0 else least_px)
        kept[0] = False
        number = np.zeros(n + 1, np.int32)
        number[kept] = np.arange(len(owner), len(owner) + kept.sum())
        pieces[where] += number[found]
        owner += [colour] * int(kept.sum())
    return _grown(pieces), owner


def _grown(pieces: _I32) -> _I32:
    """`pieces` with every 0 given to the piece that reaches it first, each growing by a pixel a turn."""
    padded = np.pad(pieces, 1)
    cells = padded.reshape(-1)
    rows, columns = np.nonzero(pieces == 0)
    width = padded.shape[1]
    bare = (rows + 1) * width + columns + 1
    while bare.size:
        reached = cells[bare[:, None] + (-width, -1, 1, width)].max(1)
        cells[bare] = reached
        if not reached.any():
            break
        bare = bare[reached == 0]
    return padded[1:-1, 1:-1]
