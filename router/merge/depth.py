"""Several depth maps to one: brought onto one scale, then the middle of what they say, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.merge.alignment import Alignment, align
from visionrouter.merge.masks import heaviest
from visionrouter.merge.part import Merged, Part, canonical, one_size, pixel_weights, supported
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.payload import DepthMap

NEAR = 1.25
"""Depths within this ratio (δ1's) are of one surface, and averaged; in maps without metres, within 10 % of the spread."""
_NEAR_SPREAD = 0.1


def merge_depth(payloads: Sequence[DepthMap], parts: Sequence[Part]) -> Merged:
    """Depth in the unit of the heaviest metric part, or of the heaviest part where none is metric.

    Parts without metres are aligned to that reference; those in metres are taken at their word, and how far their
    scales lie apart is evidence (`log_scale`, the largest |ln s|), never corrected. A pixel is sky where more weight
    says so than says a depth. Else it is the weighted mean of the depths near the weighted median (of two medians the
    nearer), so that the edge of a thing gets no depth between it and what is behind. NaN where no part knows.

    Notes: `not_aligned:I`, part I has no scale and could not be given one, and is left out.
    """
    size = one_size([depth.values.shape for depth in payloads])
    sources = canonical(parts)
    weights = pixel_weights(parts, size)
    reference = next((s for s in sources if payloads[s].is_metric), sources[0])
    unit = payloads[reference].unit
    values = np.full((len(parts), *size), np.nan, np.float32)
    alignments: list[Alignment | None] = [None] * len(parts)
    notes = []
    for s, depth in enumerate(payloads):
        if s == reference:
            values[s] = depth.values
            continue
        found = align(depth, payloads[reference], weights=weights[s] * weights[reference])
        alignments[s] = found
        if depth.is_metric:
            values[s] = depth.values
        elif found is None:
            notes.append(f"not_aligned:{s}")
        else:
            values[s] = found.apply(depth, unit)
    merged, agrees, knows, near = _middle(values[sources], weights[sources], unit)
    back = np.argsort(sources)
    confidence, agreed = supported(parts, weights, agrees[back], knows[back])
    evidence = {"agreement": agreed, **_scales(alignments)}
    return Merged(
        DepthMap(merged, unit),
        source_map=heaviest(weights, near[back], sources),
        confidence_map=confidence,
        evidence=evidence,
        alignments=tuple(alignments),
        notes=tuple(notes),
    )


def _middle(values: F32, weights: F32, unit: str) -> tuple[F32, F32, Bool, Bool]:
    """The merged map (H, W), then per source (S, H, W): agreement in [0, 1], whether it knows, whether it was used."""
    sky, finite = np.isposinf(values), np.isfinite(values)
    knows = sky | finite
    is_sky = np.where(sky, weights, 0).sum(0) > np.where(finite, weights, 0).sum(0)
    middle = _median(values, np.where(finite, weights, 0), nearest_is_largest=unit == "disparity")
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if unit == "m":
            apart = np.abs(np.log(values / middle)) / np.log(NEAR)
            apart = np.where(values == middle, 0, apart)
        else:
            known = values[finite]
            low, high = np.quantile(known, (0.05, 0.95)) if known.size else (0.0, 1.0)
            apart = np.abs(values - middle) / max(_NEAR_SPREAD * float(high - low), 1e-12)
    apart = np.where(finite & ~is_sky, np.nan_to_num(apart, nan=np.inf), np.inf)
    near = apart <= 1
    total = np.where(near, weights, 0).sum(0, dtype=np.float64)
    summed = np.where(near, weights * np.where(finite, values, 0).astype(np.float64), 0).sum(0)
    mean = np.divide(summed, total, out=np.full(total.shape, np.nan), where=total > 0).astype(np.float32)
    merged = np.where(is_sky, np.float32(np.inf), mean)
    agrees: F32 = np.where(is_sky, sky, np.clip(1 - apart, 0, 1)).astype(np.float32)
    return merged, agrees, knows, near | (sky & is_sky)


def _median(values: F32, weights: F32, *, nearest_is_largest: bool) -> F32:
    """float32 (H, W): the weighted median of (S, H, W) along the sources, the nearer where two halves meet."""
    sign = -1 if nearest_is_largest else 1
    order = np.argsort(np.where(weights > 0, sign * values, np.inf), axis=0, kind="stable")
    climbed = np.take_along_axis(weights, order, 0).cumsum(0, dtype=np.float64)
    at = (climbed >= climbed[-1] / 2 * (1 - 1e-9)).argmax(0)
    place = np.take_along_axis(order, at[None], 0)
    middle: F32 = np.take_along_axis(np.where(weights > 0, values, np.nan), place, 0)[0]
    return middle


def _scales(alignments: Sequence[Alignment | None]) -> dict[str, float]:
    found = [a for a in alignments if a is not None]
    metric = [abs(a.log_scale) for a in found if a.space == "log"]
    scales = {"log_scale": max(metric)} if metric else {}
    return scales | ({"residual": max(a.residual for a in found)} if found else {})
