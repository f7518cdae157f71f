"""Intrinsics of several sources: how far two maps are apart but for one scale, and one answer out of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from visionrouter.merge.masks import heaviest
from visionrouter.merge.part import Merged, Part, canonical, one_size, pixel_weights, supported
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.payload import INTRINSIC_NUMBERS, Intrinsics

_LIGHT = ("shading", "residual")


def known_in(values: F32) -> Bool:
    """bool (H, W): where a map (H, W) or (H, W, C) says something."""
    finite: Bool = np.isfinite(values)
    return finite if values.ndim == 2 else np.asarray(finite.all(-1))


def scale_onto(a: F32, b: F32) -> float:
    """The s that minimises Σ (s a - b)² of two maps of one shape without NaN, one for all channels; 0, which is no scale,
    where either is black."""
    wide = a.astype(np.float64)
    power = float((wide * wide).sum())
    return float((wide * b).sum()) / power if power else 0.0


def offset(a: F32, b: F32) -> F32:
    """float32 (N,): length of a - b over the channels of maps (N, C) without NaN, as a share of b's root mean square; where
    all of b is black, 1 for what is not black in a."""
    level = float(np.sqrt((b.astype(np.float64) ** 2).sum(-1).mean())) if b.size else 0.0
    length = np.linalg.norm(a - b, axis=-1)
    return np.asarray(length / level if level else length > 0, np.float32)


def si_rmse(a: F32, b: F32) -> float:
    """Root mean square error of maps (N, C) without NaN as a share of b's root mean square, after a was brought onto b's scale.

    In [0, 1], and the same of (b, a): it is the sine of the angle between the two. The square is the score of one window
    of the local error of Grosse et al. (ICCV 2009), where the window is all there is. Black is like black alone.
    """
    away = offset(np.float32(scale_onto(a, b) or 1) * a, b).astype(np.float64)
    return float(np.sqrt(min((away**2).mean(), 1))) if away.size else 0.0


def merge_intrinsics(payloads: Sequence[Intrinsics], parts: Sequence[Part]) -> Merged:
    """Albedo, roughness and metallicity are Σ w x / Σ w over the parts that know the pixel, NaN where none does.

    Albedos are first brought onto the heaviest part's by a scale each, fitted where both know them; one that has no scale
    in common with it is left out (`not_aligned:I`). Shading and residual are in a unit of their own and belong together:
    both are those of the heaviest part that has either.
    """
    size = one_size([found.albedo.shape for found in payloads])
    sources = canonical(parts)
    weights = pixel_weights(parts, size)
    albedos, notes = _on_one_scale(payloads, sources)
    knows = np.array([known_in(values) for values in albedos])
    albedo = _mean(albedos[sources], weights[sources])
    agrees = np.zeros(knows.shape, np.float32)
    for s in sources:
        agrees[s][knows[s]] = 1 - offset(albedos[s][knows[s]], albedo[knows[s]]).clip(0, 1)
    confidence, agreed = supported(parts, weights, agrees, knows)
    maps: dict[str, Any] = {"albedo": albedo}
    for name in INTRINSIC_NUMBERS:
        having = [s for s in sources if name in payloads[s].maps]
        if having:
            maps[name] = _mean(np.array([payloads[s].maps[name] for s in having]), weights[having])
    lit = next((s for s in sources if any(name in payloads[s].maps for name in _LIGHT)), sources[0])
    maps |= {name: values for name, values in payloads[lit].maps.items() if name in _LIGHT}
    return Merged(
        Intrinsics(**maps),
        source_map=heaviest(weights, knows, sources),
        confidence_map=confidence,
        evidence={"agreement": agreed},
        notes=tuple(notes),
    )


def _on_one_scale(payloads: Sequence[Intrinsics], sources: Sequence[int]) -> tuple[F32, list[str]]:
    """The albedos, float32 (S, H, W, 3), on that of the first of `sources`; NaN throughout, and a note, of one that has no
    scale in common with it."""
    lead = payloads[sources[0]].albedo
    albedos = np.array([found.albedo for found in payloads])
    notes = []
    for s in sorted(sources[1:]):
        both = known_in(albedos[s]) & known_in(lead)
        scale = scale_onto(albedos[s][both], lead[both])
        albedos[s] *= np.float32(scale) if scale > 0 else np.float32(np.nan)
        if not scale > 0:
            notes.append(f"not_aligned:{s}")
    return albedos, notes


def _mean(values: F32, weights: F32) -> F32:
    """The weighted mean of maps (S, H, W) or (S, H, W, C) with weights (S, H, W), in [0, 1]; NaN where none knows."""
    total = np.zeros(weights.shape[1:], np.float32)
    summed = np.zeros(values.shape[1:], np.float32)
    for each, weight in zip(values, weights, strict=True):
        voice = np.where(known_in(each), weight, 0).astype(np.float32)
        total += voice
        summed += (voice if each.ndim == 2 else voice[..., None]) * np.nan_to_num(each)
    whole = total if summed.ndim == 2 else total[..., None]
    mean: F32 = np.divide(summed, whole, out=np.full_like(summed, np.nan), where=whole > 0)
    return mean.clip(0, 1)
