"""One region's repair: hold the specialist against the ring around the region, then set it in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.merge.alignment import Alignment, align
from visionrouter.merge.membrane import membrane, sides
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.payload import DepthMap

Classes = npt.NDArray[np.int32]

LEAST_RING = 32
"""Fewer pixels of the ring that both know vouch for nothing."""
_MOST_SKY = 0.25
"""Of the ring: where one sees sky and the other a surface."""


class Refusal(StrEnum):
    """Why a region was not mended. Stable codes."""

    NOT_COVERED = "not_covered"  # no patch holds the region and its context
    RING_TOO_SMALL = "ring_too_small"  # too few trusted pixels around it that both know
    NOT_ALIGNED = "not_aligned"  # no positive scale brings the patch onto the ring
    RING_DISAGREES = "ring_disagrees"  # on the ring, where the base is trusted, the patch says something else
    NOTHING_KNOWN = "nothing_known"  # the patch knows no pixel of the region


@dataclass(frozen=True, slots=True, eq=False)
class Graft:
    """A window with a region set in.

    `values`: the window's values, to be read where `used`, bool (h, w). `residual`: the error left on the ring, in
    [0, 1] or above, `pixels` of it compared. `seam`: mean step across the border beyond the specialist's own step there.
    """

    values: npt.NDArray[Any]
    used: Bool
    residual: float
    pixels: int
    seam: float
    alignment: Alignment | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A region left as it was. `residual`, `pixels` and `alignment` as far as it got."""

    refusal: Refusal
    residual: float | None = None
    pixels: int = 0
    alignment: Alignment | None = None


def graft_depth(base: DepthMap, patch: DepthMap, inside: Bool, ring: Bool, most: float) -> Graft | Rejected:
    """Scale (and shift, unless both are metric) on the ring, then a membrane of what is left on the border.

    The membrane works on log depth where the base is metric. Residual: median relative error on the ring. Sky of the
    patch is set in as sky; what it does not know stays the base's.
    """
    sky = np.isposinf(base.values) != np.isposinf(patch.values)
    known = ring & ~np.isnan(base.values) & ~np.isnan(patch.values)
    pixels = int((known & np.isfinite(base.values) & np.isfinite(patch.values)).sum())
    if pixels < LEAST_RING:
        return Rejected(Refusal.RING_TOO_SMALL, None, pixels)
    found = align(patch, base, where=ring)
    if found is None:
        return Rejected(Refusal.NOT_ALIGNED, None, pixels)
    if found.residual > most or sky[known].mean() > _MOST_SKY:
        return Rejected(Refusal.RING_DISAGREES, found.residual, pixels, found)
    aligned = found.apply(patch, base.unit)
    used = inside & ~np.isnan(aligned)
    if not used.any():
        return Rejected(Refusal.NOTHING_KNOWN, found.residual, pixels, found)
    here, there = _levels(aligned, base.unit), _levels(base.values, base.unit)
    pinned = np.isfinite(here) & np.isfinite(there) & ring
    offset = np.subtract(there, here, out=np.full(here.shape, np.nan), where=pinned)
    spread = (
        1.0
        if base.unit == "m"
        else max(float(np.ptp(np.quantile(there[ring & np.isfinite(there)], (0.05, 0.95)))), 1e-12)
    )
    lifted = here + membrane(_without_outliers(offset, 0.05 * spread), used & np.isfinite(here))
    values = np.exp(lifted) if base.unit == "m" else lifted
    values = np.where(np.isposinf(aligned), np.inf, values).astype(np.float32)
    mixed = np.where(used, lifted, there)
    seam = _seam(used, inside, lambda a, b: np.abs((mixed[a] - mixed[b]) - (here[a] - here[b])) / spread)
    return Graft(values, used, found.residual, pixels, seam, found)


def graft_normals(
    base: F32, patch: F32, inside: Bool, ring: Bool, most: float, feather_px: float
) -> Graft | Rejected:
    """No rotation is fitted: normals have a frame. Blended over `feather_px` pixels inside the border.

    Residual: median angle on the ring, in half turns.
    """
    both = np.isfinite(base).all(-1) & np.isfinite(patch).all(-1)
    pixels = int((ring & both).sum())
    if pixels < LEAST_RING:
        return Rejected(Refusal.RING_TOO_SMALL, None, pixels)
    residual = float(np.median(_angles(base[ring & both], patch[ring & both])))
    if residual > most:
        return Rejected(Refusal.RING_DISAGREES, residual, pixels)
    used = inside & np.isfinite(patch).all(-1)
    if not used.any():
        return Rejected(Refusal.NOTHING_KNOWN, residual, pixels)
    from scipy.ndimage import distance_transform_edt

    depth_px = distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
    share = np.where(both, np.clip(depth_px / (feather_px + 1), 0, 1), 1)[..., None]
    blend = share * np.nan_to_num(patch) + (1 - share) * np.nan_to_num(base)
    length = np.linalg.norm(blend, axis=-1, keepdims=True)
    values = np.where(length > 0.1, blend / np.maximum(length, 1e-12), patch).astype(np.float32)
    mixed = np.where(used[..., None], values, base)
    seam = _seam(
        used, inside, lambda a, b: (_angles(mixed[a], mixed[b]) - _angles(patch[a], patch[b])).clip(0)
    )
    return Graft(values, used, residual, pixels, seam)


def graft_classes(base: Classes, patch: Classes, inside: Bool, ring: Bool, most: float) -> Graft | Rejected:
    """Classes, -1 for none, by one list of names. Residual: share of the ring's pixels that both label otherwise.

    Seam: share of the border where a class ends though the patch sees none end.
    """
    both = ring & (base >= 0) & (patch >= 0)
    pixels = int(both.sum())
    if pixels < LEAST_RING:
        return Rejected(Refusal.RING_TOO_SMALL, None, pixels)
    residual = float((base != patch)[both].mean())
    if residual > most:
        return Rejected(Refusal.RING_DISAGREES, residual, pixels)
    used = inside & (patch >= 0)
    if not used.any():
        return Rejected(Refusal.NOTHING_KNOWN, residual, pixels)
    mixed = np.where(used, patch, base)
    seam = _seam(
        used, inside, lambda a, b: ((mixed[a] != mixed[b]) & (patch[a] == patch[b])).astype(np.float64)
    )
    return Graft(patch, used, residual, pixels, seam)


def _levels(values: F32, unit: str) -> npt.NDArray[np.float64]:
    """What a membrane adds to: the logarithm of metres, other values as they are; sky and unknown are not finite."""
    if unit != "m":
        return values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values.astype(np.float64))


def _without_outliers(offset: npt.NDArray[np.float64], least: float) -> F32:
    """Offsets held to three robust deviations about their median, so that an edge that lies a pixel off leaves no smear."""
    middle = np.nanmedian(offset)
    reach = max(least, 3 * 1.4826 * float(np.nanmedian(np.abs(offset - middle))))
    return offset.clip(middle - reach, middle + reach).astype(np.float32)


def _seam(used: Bool, inside: Bool, step: Any) -> float:
    """The mean of `step(a, b)`, (P,), over neighbours a set in and b outside; 0 where there are none to compare."""
    place = np.arange(used.size).reshape(used.shape)
    near, far = [], []
    for axis in (0, 1):
        for here, there in (sides(axis), sides(axis)[::-1]):
            edge = used[here] & ~inside[there]
            near.append(place[here][edge])
            far.append(place[there][edge])
    a, b = (np.unravel_index(np.concatenate(places), used.shape) for places in (near, far))
    with np.errstate(invalid="ignore"):
        steps = step(a, b)
    known = steps[np.isfinite(steps)]
    return float(known.mean()) if known.size else 0.0


def _angles(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Angles between vectors (P, 3), in half turns."""
    return np.asarray(np.arccos((a * b).sum(-1, dtype=np.float64).clip(-1, 1)) / np.pi)
