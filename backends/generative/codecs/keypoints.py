"""Joints of people as discs on black, a colour a joint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.codecs.decoded import TOLERANCE, Decoded, require_drawing
from visionrouter.backends.generative.codecs.palette import nearest_colours
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.palette import BLACK, RGB, separation

_AMBIGUOUS = 0.25
_EIGHT = np.ones((3, 3), np.bool_)

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DecodedKeypoints(Decoded):
    """`values`: float32 (P, J, 2), x y in pixels of the drawing (pixel centres at +0.5), people from left to
    right; NaN where a person's joint was not found or not told. `roundness`: float32 (P, J) in [0, 1], 1 for
    a whole disc, low for one that is partly hidden or for two run together, NaN as in `values`. `loose`:
    float32 (M, 3), joint index, x, y of discs that may belong to either of two people.
    """

    roundness: F32
    loose: F32


@dataclass(frozen=True, slots=True)
class KeypointCode:
    """A colour a joint.

    `joints`: J names. `colours`: J colours, none twice, none black. `edges`: pairs of joint indices that a
    limb joins, along which discs are gathered into people; every joint must be reached by them. `tolerance`:
    the largest valid residual in sides of the RGB cube. `least_px`: discs of fewer pixels are specks.

    Raises `SchemaError` where these do not fit together.
    """

    joints: tuple[str, ...]
    colours: tuple[RGB, ...]
    edges: tuple[tuple[int, int], ...]
    tolerance: float = TOLERANCE
    least_px: int = 4

    def __post_init__(self) -> None:
        n = len(self.joints)
        if len(self.colours) != n or n == 0:
            raise SchemaError(f"KeypointCode.colours: {len(self.colours)} for {n} joints; give one a joint")
        if separation((BLACK, *self.colours)) == 0:
            raise SchemaError(
                "KeypointCode.colours: one is given twice or is black, the background; choose others"
            )
        if any(not 0 <= joint < n for edge in self.edges for joint in edge):
            raise SchemaError(f"KeypointCode.edges: name a joint outside 0..{n - 1}")
        reached = self._outward_from(0)
        if len(reached) < n:
            lost = [name for joint, name in enumerate(self.joints) if joint not in reached]
            raise SchemaError(
                f"KeypointCode.edges: do not reach {', '.join(lost)}; join every joint to the others"
            )

    def encode(
        self, keypoints: npt.NDArray[np.floating[Any]], height: int, width: int, radius_px: float
    ) -> U8:
        """Draw people.

        `keypoints`: float (P, J, 2), x y in pixels, NaN where a joint is not seen. A pixel is painted where
        its centre is within `radius_px`; later people and joints lie on top, so give the farthest person
        first. Returns uint8 (height, width, 3).

        Raises `SchemaError` on another shape or dtype, or a radius that paints nothing.
        """
        expected = (len(self.joints), 2)
        if (
            not isinstance(keypoints, np.ndarray)
            or keypoints.dtype.kind != "f"
            or keypoints.shape[1:] != expected
        ):
            got = (
                f"{keypoints.dtype} {keypoints.shape}"
                if isinstance(keypoints, np.ndarray)
                else type(keypoints).__name__
            )
            raise SchemaError(f"keypoints: expected floats of shape (P, {expected[0]}, 2), got {got}")
        if not radius_px >= 1 or min(height, width) < 1:
            raise SchemaError(
                f"keypoints: {height}x{width} with radius {radius_px}; give sizes and a radius of 1 or more"
            )
        drawing = np.zeros((height, width, 3), np.uint8)
        for person in keypoints:
            for (x, y), colour in zip(person.tolist(), self.colours, strict=True):
                if not (-radius_px < x < width + radius_px and -radius_px < y < height + radius_px):
                    continue
                left, top = max(0, int(x - radius_px)), max(0, int(y - radius_px))
                window = drawing[top : int(y + radius_px) + 1, left : int(x + radius_px) + 1]
                ys, xs = np.ogrid[top : top + window.shape[0], left : left + window.shape[1]]
                window[(xs + 0.5 - x) ** 2 + (ys + 0.5 - y) ** 2 <= radius_px**2] = colour
        return drawing

    def decode(self, drawing: U8) -> DecodedKeypoints:
        """Read people from uint8 (H, W, 3).

        A joint is at the centre of its disc, each pixel weighted by how bright its colour is. There are as
        many people as discs of the commonest joint. From that joint outwards along the edges, the discs of a
        joint go to people so that the distances are least in sum: from a disc to the person's nearest joint
        known so far that an edge joins to it, or to the nearest of all where none is known. A disc whose
        going elsewhere would lengthen that sum by under a quarter of its own distance is loose.

        What a drawing cannot tell: two discs of one joint that touch are one; a half hidden disc is at the
        centre of what shows; two people who show no joint in common are one.

        Raises `SchemaError` where the drawing is not uint8 (H, W, 3).
        """
        require_drawing(drawing)
        label, residual, _ = nearest_colours(drawing, (BLACK, *self.colours))
        discs = self._discs(drawing, label)
        root = max(range(len(discs)), key=lambda joint: len(discs[joint]))
        people = np.full((len(discs[root]), len(self.joints), 3), np.nan)
        loose: list[tuple[float, float, float]] = []
        people[:, root] = discs[root]
        for joint in self._outward_from(root)[1:]:
            owners = _assign(discs[joint], people[..., :2], self._joined_to(joint))
            for disc, person in zip(discs[joint], owners, strict=True):
                if person is None:
                    loose.append((joint, disc[0], disc[1]))
                else:
                    people[person, joint] = disc
        if len(people):
            people = people[np.argsort(np.nanmean(people[..., 0], axis=1), kind="stable")]
        found = people.astype(np.float32)
        return DecodedKeypoints(
            found[..., :2],
            residual,
            residual <= self.tolerance,
            found[..., 2],
            np.array(loose, np.float32).reshape(-1, 3),
        )

    def _discs(self, drawing: U8, label: U8) -> list[_Array]:
        """For each joint: float (D, 3), x, y and roundness of its discs."""
        from scipy import ndimage

        discs: list[_Array] = []
        boxes = ndimage.find_objects(label.astype(np.int32), len(self.joints))
        for joint, (box, colour) in enumerate(zip(boxes, self.colours, strict=True), start=1):
            rows: list[_Array] = []
            if box is not None:
                blobs, _ = ndimage.label(label[box] == joint, _EIGHT)
                towards = np.array(colour) / np.square(colour, dtype=float).sum()
                left, top = box[1].start, box[0].start
                for number, part in enumerate(ndimage.find_objects(blobs), start=1):
                    inside = blobs[part] == number
                    if inside.sum() >= self.least_px:
                        brightness = (drawing[box][part][inside] @ towards).clip(0, 1)
                        x, y, roundness = _centre(inside, brightness)
                        rows.append(np.array([x + left + part[1].start, y + top + part[0].start, roundness]))
            discs.append(np.array(rows).reshape(-1, 3))
        return discs

    def _joined_to(self, joint: int) -> list[int]:
        return [b if a == joint else a for a, b in self.edges if joint in (a, b)]

    def _outward_from(self, root: int) -> list[int]:
        """Every joint that the edges reach from `root`, nearest first."""
        order = [root]
        for joint in order:
            order += [near for near in self._joined_to(joint) if near not in order]
        return order


def _centre(inside: Bool, weight: _Array) -> tuple[float, float, float]:
    """Centre x, y of a blob in its window, and its roundness: the ratio of its short to its long axis.

    `weight`: one a pixel of the blob.
    """
    ys, xs = np.nonzero(inside)
    w = weight / weight.sum()
    x, y = w @ xs, w @ ys
    dx, dy = xs - x, ys - y
    pixel = 1 / 12
    xx, yy, xy = w @ (dx * dx) + pixel, w @ (dy * dy) + pixel, w @ (dx * dy)
    short, long = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
    return float(x + 0.5), float(y + 0.5), float(np.sqrt(short / long))


def _assign(discs: _Array, people: _Array, joined: list[int]) -> list[int | None]:
    """Which person each disc of one joint belongs to; None where that is not told.

    `discs`: (D, 3). `people`: (P, J, 2), every person with a joint known. `joined`: joints with an edge to
    this one.
    """
    from scipy.optimize import linear_sum_assignment

    if len(discs) == 0:
        return []
    far = np.linalg.norm(discs[:, None, None, :2] - people, axis=-1)
    known = ~np.isnan(people[..., 0])
    usable = known & np.isin(np.arange(people.shape[1]), joined)
    usable = np.where(usable.any(1, keepdims=True), usable, known)
    distance = np.where(usable, far, np.inf).min(-1)
    rows, columns = linear_sum_assignment(distance)
    least = distance[rows, columns].sum()
    told: list[int | None] = []
    for disc, person in zip(rows, columns, strict=True):
        elsewhere = distance.copy()
        elsewhere[disc, person] = 2 * distance.sum() + 1
        rise = elsewhere[linear_sum_assignment(elsewhere)].sum() - least
        told.append(int(person) if rise >= _AMBIGUOUS * distance[disc, person] else None)
    return told
