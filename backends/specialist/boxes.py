"""Arithmetic of xyxy boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from visionrouter.schema.arrays import F32


def pairwise_iou(a: F32, b: F32) -> F32:
    """float32 (N, M): intersection over union of every box of `a` (N, 4) with every box of `b` (M, 4)."""
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    overlap = (np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner).clip(0).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1)[None] - overlap
    return np.where(union > 0, overlap / np.maximum(union, 1e-9), 0).astype(np.float32)


def suppress(boxes: F32, scores: F32, iou: float) -> npt.NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of the boxes kept, best score first.

    `boxes` float32 (N, 4), `scores` float32 (N,). A box goes when it overlaps a better one by more than `iou`.
    """
    order = np.argsort(-scores, kind="stable")
    overlap = pairwise_iou(boxes, boxes)
    kept: list[int] = []
    for i in order:
        if not kept or overlap[i, kept].max() <= iou:
            kept.append(int(i))
    return np.array(kept, np.intp)
