"""Where a dense answer is not to be trusted: threshold, close, open, connect, and leave out what is too small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visionrouter.schema.arrays import F32, Bool, Record, check, fail
from visionrouter.schema.errors import SchemaError


@dataclass(frozen=True, slots=True, eq=False)
class Regions(Record):
    """K regions of an image, largest first.

    `labels`: int32 (H, W), 0 outside, 1..K inside. `boxes`: int32 (K, 4) x1 y1 x2 y2 in whole pixels, inside the image,
    with context around each region: what a specialist is to see, and where it is aligned. `trusted`: bool (H, W), not
    doubtful and in no region. `below`: the threshold. `dropped`: regions left out because there were too many.
    """

    labels: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.int32]
    trusted: Bool
    below: float
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def share(self) -> float:
        """Of the image, what lies in a region: above a route's limit, the whole answer is to fall back."""
        return float((self.labels > 0).mean()) if self.labels.size else 0.0


def doubtful(
    confidence_map: F32,
    below: float,
    *,
    least_area_share: float = 0.002,
    close_px: float | None = None,
    open_px: float | None = None,
    max_count: int = 8,
    context: float = 0.25,
) -> Regions:
    """The regions of `confidence_map`, float32 (H, W) in [0, 1], where it is under `below` or NaN.

    Closing by a square of half side `close_px` joins what nearly touches, opening by `open_px` removes threads (both default to 1 %
    of the short side). Components (8-neighbours) of less than `least_area_share` of the image are left out, and of more
    than `max_count` the smallest. Boxes reach `context` of their longer side further, at least 8 pixels.
    """
    check(confidence_map, "doubtful", "confidence_map", np.float32, (None, None), finite=False)
    if not 0 <= below <= 1:
        fail("doubtful", "below", f"is {below}; confidences are in 0..1")
    if max_count < 0 or least_area_share < 0 or context < 0:
        raise SchemaError("doubtful: max_count, least_area_share and context are at least 0")
    height, width = confidence_map.shape
    close, open_ = (0.01 * min(height, width) if r is None else r for r in (close_px, open_px))
    low = ~(confidence_map >= below)
    closed = _eroded(dilated(low, close), close)
    smooth = dilated(_eroded(closed, open_), open_)
    from scipy.ndimage import find_objects, label

    found, count = label(smooth, np.ones((3, 3)))
    sizes = np.bincount(found.ravel(), minlength=count + 1)[1:]
    large = np.flatnonzero(sizes >= max(1.0, least_area_share * found.size))
    ranked = large[np.argsort(-sizes[large], kind="stable")]
    kept = ranked[:max_count]
    renamed = np.zeros(count + 1, np.int32)
    renamed[kept + 1] = np.arange(1, len(kept) + 1)
    labels = renamed[found]
    slices = find_objects(labels)
    boxes = np.array([_with_context(at, context, (height, width)) for at in slices], np.int32).reshape(-1, 4)
    return Regions(labels, boxes, ~low & (labels == 0), below, len(ranked) - len(kept))


def dilated(mask: Bool, radius: float) -> Bool:
    """bool (H, W): what lies within a square of half side `radius` pixels of `mask`."""
    reach = int(radius)
    if reach < 1 or not mask.any():
        return mask
    from scipy.ndimage import maximum_filter

    grown: Bool = maximum_filter(mask.view(np.uint8), 2 * reach + 1, mode="constant").view(np.bool_)
    return grown


def _eroded(mask: Bool, radius: float) -> Bool:
    """bool (H, W): what lies deeper than `radius` pixels inside; the image's frame is no edge."""
    return ~dilated(~mask, radius)


def _with_context(
    at: tuple[slice, slice], context: float, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    (top, bottom), (left, right) = ((s.start, s.stop) for s in at)
    margin = max(8, round(context * max(bottom - top, right - left)))
    return (
        max(0, left - margin),
        max(0, top - margin),
        min(size[1], right + margin),
        min(size[0], bottom + margin),
    )
