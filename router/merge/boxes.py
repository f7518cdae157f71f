"""Weighted boxes fusion (Solovyev, Wang and Gabruseva 2021, arXiv 1910.13302) over the detections of several sources."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.merge.elements import (
    agreement,
    contributors,
    joint_scores,
    loudest,
    pooled_confidence,
    voices,
)
from visionrouter.merge.matching import Cluster, box_iou
from visionrouter.merge.part import Merged, Part
from visionrouter.schema.arrays import F32
from visionrouter.schema.payload import Detections


def merge_boxes(payloads: Sequence[Detections], parts: Sequence[Part], *, iou: float = 0.55) -> Merged:
    """Boxes of one label that overlap by more than `iou` become their mean, weighted by weight times score.

    score = Σ w s / Σ w, over all sources below the line, so what fewer saw is worth less. Best first. Unlike the paper's
    algorithm, two boxes of one source never fuse: its own suppression has told them apart, and equal inputs come back
    as they are.
    """
    clusters: list[Cluster] = []
    means: list[F32] = []
    for label in sorted({label for found in payloads for label in found.labels}):
        grouped = _fuse(label, payloads, parts, iou)
        clusters += [held for held, _ in grouped]
        means += [box for _, box in grouped]
    voiced = voices(clusters, [found.scores for found in payloads], parts)
    scores = joint_scores(voiced, parts)
    held = contributors(clusters, len(parts))
    order = np.argsort(-scores, kind="stable")
    labels = tuple(payloads[s].labels[i] for s, i in (next(iter(c.items())) for c in clusters))
    payload = Detections(
        np.array(means, np.float32).reshape(-1, 4)[order], scores[order], tuple(labels[i] for i in order)
    )
    evidence = {"agreement": agreement(held, parts), "elements": float(len(clusters))}
    return Merged(payload, loudest(voiced)[order], held[order], None, pooled_confidence(parts), evidence)


def _fuse(
    label: str, payloads: Sequence[Detections], parts: Sequence[Part], iou: float
) -> list[tuple[Cluster, F32]]:
    """The clusters of one label and their mean boxes, float32 (4,), most heavily voiced first."""
    listed = [
        (-parts[s].weight * float(found.scores[i]), *found.boxes[i].tolist(), s, i)
        for s, found in enumerate(payloads)
        for i, name in enumerate(found.labels)
        if name == label
    ]
    clusters: list[Cluster] = []
    means: list[F32] = []
    for *_, source, i in sorted(listed):
        box = payloads[source].boxes[i]
        overlap = box_iou(box[None], np.array(means, np.float32).reshape(-1, 4))[0]
        overlap[[source in held for held in clusters]] = -1
        if clusters and overlap.max() > iou:
            nearest = int(overlap.argmax())
            clusters[nearest][source] = i
            means[nearest] = _mean(clusters[nearest], payloads, parts)
        else:
            clusters.append({source: i})
            means.append(box)
    return list(zip(clusters, means, strict=True))


def _mean(held: Cluster, payloads: Sequence[Detections], parts: Sequence[Part]) -> F32:
    boxes = np.array([payloads[s].boxes[i] for s, i in held.items()], np.float64)
    weights = np.array([parts[s].weight * payloads[s].scores[i] for s, i in held.items()], np.float64)
    if not weights.any():
        weights[:] = 1
    mean: F32 = (
        ((weights[:, None] * boxes).sum(0) / weights.sum())
        .clip(boxes.min(0), boxes.max(0))
        .astype(np.float32)
    )
    return mean
