"""Several normal maps to one: the weighted mean direction of each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.merge.masks import heaviest
from visionrouter.merge.part import Merged, Part, canonical, one_size, pixel_weights, supported
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
    knows = np.array([np.isfinite(normals.values).all(-1) for normals in payloads])
    voiced = np.where(knows, weights, 0)
    total = voiced.sum(0)
    summed = np.zeros((*size, 3))
    for s in sources:
        summed += voiced[s][..., None] * np.where(knows[s][..., None], payloads[s].values, 0)
    length = np.linalg.norm(summed, axis=-1)
    known = total > 0
    share = np.divide(length, total, out=np.zeros(size), where=known)
    leading = heaviest(weights, knows, sources)
    stack = np.array([normals.values for normals in payloads])
    lead = np.take_along_axis(stack, leading[None, ..., None].astype(np.intp), 0)[0]
    mean = summed / np.where(length > 0, length, 1)[..., None]
    values = np.where((share >= _LEAST_LENGTH)[..., None], mean, lead).astype(np.float32)
    values[~known] = np.nan
    cosines = np.nan_to_num((stack * values[None]).sum(-1), nan=0.0).clip(0, 1)
    confidence, agreed = supported(parts, weights, cosines.astype(np.float32), knows)
    several = knows.sum(0) > 1
    evidence = {
        "agreement": agreed,
        "disagreement": float(np.clip(1 - share[several], 0, 1).mean()) if several.any() else 0.0,
    }
    return Merged(NormalMap(values), source_map=leading, confidence_map=confidence, evidence=evidence)
