"""Several normal maps to one: the weighted mean direction of each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.merge.masks import heaviest
from visionrouter.merge.part import Merged, Part, canonical, one_size, pixel_weights, supported
from visionrouter.schema.arrays import F32
from visionrouter.schema.payload import NormalMap

_LEAST_LENGTH = 0.5
"""Of the mean vector: below it the sources point apart (two of them by 120°) and have no direction between them."""


def merge_normals(payloads: Sequence[NormalMap], parts: Sequence[Part]) -> Merged:
    """n = Σ w n / ‖Σ w n‖; 1 - ‖Σ w n‖ / Σ w is the disagreement, its mean over pixels that several know the evidence.

    Where the mean vector is shorter than half, the heaviest source's normal stands. NaN where no part knows.
    """
    size = one_size([normals.values.shape for normals in payloads])
    sources = canonical(parts)
    weights = pixel_weights(parts, size)
    knows = np.array([np.isfinite(np.einsum("hwc->hw", normals.values)) for normals in payloads])
    voiced = np.where(knows, weights, 0)
    total = voiced[sources].sum(0)
    summed = np.zeros((*size, 3), np.float32)
    for s in sources:
        summed += voiced[s][..., None] * np.nan_to_num(payloads[s].values)
    length = np.sqrt(np.einsum("hwc,hwc->hw", summed, summed))
    known = total > 0
    share = np.divide(length, total, out=np.zeros(size, np.float32), where=known)
    leading = heaviest(weights, knows, sources)
    values: F32 = summed / np.where(length > 0, length, 1).astype(np.float32)[..., None]
    apart = known & (share < _LEAST_LENGTH)
    for s in sources:
        here = apart & (leading == s)
        values[here] = payloads[s].values[here]
    values[~known] = np.nan
    cosines = [np.einsum("hwc,hwc->hw", normals.values, values) for normals in payloads]
    agreement = np.nan_to_num(np.array(cosines), nan=0.0).clip(0, 1)
    confidence, agreed = supported(parts, weights, agreement, knows)
    several = knows.sum(0) > 1
    evidence = {
        "agreement": agreed,
        "disagreement": float(np.clip(1 - share[several], 0, 1).mean()) if several.any() else 0.0,
    }
    return Merged(NormalMap(values), source_map=leading, confidence_map=confidence, evidence=evidence)
