"""Which element of one source is which of another: one to one, the sum of similarities greatest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from visionrouter.schema.arrays import F32, Bool

Cluster = dict[int, int]
"""One thing as several sources saw it: source to the place of its element there. The first source founded it."""


def assign(similarity: F32, least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of float32 (N, M), Hungarian over those of at least `least`; ascending by row."""
    if not similarity.size or similarity.max() < least:
        return []
    from scipy.optimize import linear_sum_assignment

    worth = np.where(similarity >= least, similarity, 0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if similarity[i, j] >= least]


def cluster(
    counts: Sequence[int], similarity: Callable[[int, Cluster], F32], sources: Sequence[int], least: float
) -> list[Cluster]:
    """Group the elements of several sources, at most one of a source in a cluster.

    `sources` are visited in order; each one's `counts[source]` elements are assigned to the clusters there are, or
    found new ones. `similarity(source, cluster)`: float32 (counts[source],), of each element with that cluster.
    """
    clusters: list[Cluster] = []
    for source in sources:
        count = counts[source]
        if not count:
            continue
        rows = [similarity(source, held) for held in clusters]
        known = len(clusters)
        pairs = assign(np.stack(rows, 1), least) if rows else []
        for i, j in pairs:
            clusters[j][source] = i
        taken = {i for i, _ in pairs}
        clusters += [{source: i} for i in range(count) if i not in taken]
        assert len(clusters) == known + count - len(taken)
    return clusters


def box_iou(a: F32, b: F32) -> F32:
    """float32 (N, M): intersection over union of boxes (N, 4) and (M, 4); two that are one and the same give 1."""
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    overlap = (np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner).clip(0).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1)[None] - overlap
    same = (a[:, None] == b[None]).all(-1)
    return np.where(same, 1, overlap / np.where(union > 0, union, 1)).astype(np.float32)


def mask_iou(a: Bool, b: Bool) -> F32:
    """float32 (N, M): intersection over union of masks (N, H, W) and (M, H, W); two empty ones give 1."""
    flat_a, flat_b = (
        a.reshape(len(a), a[0].size if len(a) else 0),
        b.reshape(len(b), b[0].size if len(b) else 0),
    )
    sizes_a, sizes_b = flat_a.sum(1), flat_b.sum(1)
    out = np.zeros((len(a), len(b)), np.float32)
    for i, one in enumerate(flat_a):
        for j, other in enumerate(flat_b):
            if not sizes_a[i] and not sizes_b[j]:
                out[i, j] = 1
            elif sizes_a[i] and sizes_b[j]:
                overlap = np.count_nonzero(one & other)
                out[i, j] = overlap / (sizes_a[i] + sizes_b[j] - overlap)
    return out


def same_labels(a: Sequence[str], b: Sequence[str]) -> npt.NDArray[np.bool_]:
    """bool (N, M): where the labels are the same word."""
    return np.array([[x == y for y in b] for x in a], np.bool_).reshape(len(a), len(b))
