"""What the mergers of things (boxes, masks, people, classes) share: scores, sources and agreement of clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visionrouter.merge.matching import Cluster
from visionrouter.merge.part import Part
from visionrouter.schema.arrays import F32, U8, Bool


def voices(
    clusters: Sequence[Cluster], scores: Sequence[F32], parts: Sequence[Part]
) -> npt.NDArray[np.float64]:
    """float64 (N, S): weight times score of each source in each cluster, NaN where it has no element there."""
    out = np.full((len(clusters), len(parts)), np.nan)
    for n, held in enumerate(clusters):
        for source, i in held.items():
            out[n, source] = parts[source].weight * scores[source][i]
    return out


def joint_scores(voiced: npt.NDArray[np.float64], parts: Sequence[Part]) -> F32:
    """float32 (N,): Σ w s over the sources that saw a thing, over Σ w of all: an absent source counts as 0.

    With one element a source this is the confidence of weighted boxes fusion, mean(C) · min(T, N) / N.
    """
    total = sum(sorted(part.weight for part in parts))
    made: F32 = (_ordered_sum(np.nan_to_num(voiced)) / total).clip(0, 1).astype(np.float32)
    return made


def contributors(clusters: Sequence[Cluster], sources: int) -> Bool:
    """bool (N, S): which sources have an element in each cluster."""
    out = np.zeros((len(clusters), sources), np.bool_)
    for n, held in enumerate(clusters):
        out[n, list(held)] = True
    return out


def loudest(voiced: npt.NDArray[np.float64]) -> U8:
    """uint8 (N,): the source with the most weight times score in each cluster; the first of equals."""
    return np.nan_to_num(voiced, nan=-1).argmax(1).astype(np.uint8) if len(voiced) else np.zeros(0, np.uint8)


def agreement(held: Bool, parts: Sequence[Part]) -> float:
    """The mean over the things of the share of weight that saw them; 1 where nobody saw anything."""
    if not len(held):
        return 1.0
    weights = np.array([part.weight for part in parts])
    return float((held @ weights / weights.sum()).mean().clip(0, 1))


def pooled_confidence(parts: Sequence[Part]) -> F32 | None:
    """The weighted mean, float32 (H, W), of the confidence maps there are; None where there is none."""
    mapped = [part for part in parts if part.confidence_map is not None]
    if not mapped:
        return None
    maps = np.stack([part.weight * part.confidence_map for part in mapped if part.confidence_map is not None])
    mean: F32 = (_ordered_sum(maps.T).T / sum(sorted(p.weight for p in mapped))).clip(0, 1).astype(np.float32)
    return mean


def _ordered_sum(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The sum along the last axis, the same to the last bit in whichever order the sources stand."""
    summed: npt.NDArray[np.floating] = np.sort(values, -1).sum(-1)
    return summed
