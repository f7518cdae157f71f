"""People seen by several pose models: matched, and their joints fused by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visionrouter.merge.elements import (
    agreement,
    contributors,
    joint_scores,
    loudest,
    pooled_confidence,
    voices,
)
from visionrouter.merge.matching import Cluster, box_iou, cluster
from visionrouter.merge.part import Merged, Part, canonical
from visionrouter.schema.arrays import F32
from visionrouter.schema.payload import Poses

F64 = npt.NDArray[np.float64]

_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
"""COCO's spread of each joint, in roots of the person's area; a joint of no such name gets the shoulder's."""
_LEAST_JOINTS = 3
_SAME_JOINT = 0.5
"""Least similarity exp(-d²/2a(2σ)²) of two places for one joint that are averaged."""


def merge_poses(payloads: Sequence[Poses], parts: Sequence[Part], *, least: float = 0.5) -> Merged:
    """People matched by OKS of at least `least` (by box IoU where fewer than three joints are common), best first.

    A joint is the mean of its places weighted by weight times score, of those near the loudest; others are left out,
    so that a left knee taken for a right one makes no knee between. Sets of joints are united by name. Scores of joints
    are Σ w s / Σ w over the sources that used it or know the name without finding it, those of people over all sources.
    """
    sources = canonical(parts)
    names = tuple(dict.fromkeys(name for s in sources for name in payloads[s].names))
    joints = [on_names(found, names) for found in payloads]
    clusters = cluster(
        [len(found) for found in payloads],
        lambda s, held: _likeness(s, held, payloads, joints, names),
        sources,
        least,
    )
    voiced = voices(clusters, [found.scores for found in payloads], parts)
    scores = joint_scores(voiced, parts)
    seen = contributors(clusters, len(parts))
    order = np.argsort(-scores, kind="stable")
    people = [_fuse(clusters[n], payloads, joints, parts, names) for n in order]
    payload = Poses(
        np.array([points for points, _, _ in people], np.float32).reshape(-1, len(names), 2),
        np.array([found for _, found, _ in people], np.float32).reshape(-1, len(names)),
        np.array([box for _, _, box in people], np.float32).reshape(-1, 4),
        scores[order],
        names,
        _edges(payloads, sources, names),
    )
    leading = np.array(sources, np.uint8)[loudest(np.nan_to_num(voiced, nan=-1)[:, sources])]
    evidence = {"agreement": agreement(seen, parts), "elements": float(len(clusters))}
    return Merged(payload, leading[order], seen[order], None, pooled_confidence(parts), evidence)


def on_names(found: Poses, names: Sequence[str]) -> tuple[F32, F32]:
    """Places float32 (N, K, 2) and scores (N, K) of the joints in the order of `names`; score 0 where it has none."""
    places = np.zeros((len(found), len(names), 2), np.float32)
    scores = np.zeros((len(found), len(names)), np.float32)
    for k, name in enumerate(names):
        if name in found.names:
            places[:, k] = found.keypoints[:, found.names.index(name)]
            scores[:, k] = found.keypoint_scores[:, found.names.index(name)]
    return places, scores


def kernels(names: Sequence[str]) -> F64:
    """float64 (K,): 2σ of each joint, in roots of the person's area."""
    words = [name.replace("-", " ").replace("_", " ").split() for name in names]
    return np.array([2 * next((_SIGMAS[w] for w in word if w in _SIGMAS), 0.079) for word in words])


def similarity(a: Poses, b: Poses, names: Sequence[str]) -> F32:
    """float32 (N, M): OKS of every two people over the joints that both found, IoU of their boxes below three."""
    (places_a, found_a), (places_b, found_b) = on_names(a, names), on_names(b, names)
    both = (found_a[:, None] > 0) & (found_b[None] > 0)
    area = np.sqrt(np.maximum(_area(a.boxes)[:, None] * _area(b.boxes)[None], 1e-12))
    squares = ((places_a[:, None].astype(np.float64) - places_b[None]) ** 2).sum(-1)
    alike = np.exp(-squares / (2 * area[..., None] * kernels(names) ** 2))
    common = both.sum(-1)
    oks = np.where(both, alike, 0).sum(-1) / np.maximum(common, 1)
    return np.where(common >= _LEAST_JOINTS, oks, box_iou(a.boxes, b.boxes)).astype(np.float32)


def _likeness(
    source: int,
    held: Cluster,
    payloads: Sequence[Poses],
    joints: Sequence[tuple[F32, F32]],
    names: Sequence[str],
) -> F32:
    founder, i = next(iter(held.items()))
    one = payloads[founder]
    alone = Poses(
        joints[founder][0][i : i + 1], joints[founder][1][i : i + 1], one.boxes[i : i + 1], one.scores[i : i + 1],
        tuple(names),
    )  # fmt: skip
    return similarity(payloads[source], alone, names)[:, 0]


def _fuse(
    held: Cluster,
    payloads: Sequence[Poses],
    joints: Sequence[tuple[F32, F32]],
    parts: Sequence[Part],
    names: Sequence[str],
) -> tuple[F64, F64, F64]:
    """Places (K, 2), scores (K,) and box (4,) of one person."""
    places = np.array([joints[s][0][i] for s, i in held.items()], np.float64)
    scores = np.array([joints[s][1][i] for s, i in held.items()], np.float64)
    weights = np.array([parts[s].weight for s in held], np.float64)
    boxes = np.array([payloads[s].boxes[i] for s, i in held.items()], np.float64)
    said = np.array([payloads[s].scores[i] for s, i in held.items()], np.float64) * weights
    said = said if said.any() else weights
    box = ((said[:, None] * boxes).sum(0) / said.sum()).clip(boxes.min(0), boxes.max(0))
    voiced = weights[:, None] * scores
    lead = np.take_along_axis(places, voiced.argmax(0)[None, :, None], 0)
    squares = ((places - lead) ** 2).sum(-1)
    spread = 2 * max(float(np.prod(box[2:] - box[:2])), 1e-12) * kernels(names) ** 2
    used = np.exp(-squares / spread) >= _SAME_JOINT
    total = np.where(used, voiced, 0).sum(0)
    mean = np.where(used, voiced, 0)[..., None] * places
    knows = np.array([[name in payloads[s].names for name in names] for s in held])
    return (
        np.where(total[:, None] > 0, mean.sum(0) / np.where(total > 0, total, 1)[:, None], lead[0]),
        (total / np.maximum((weights[:, None] * knows).sum(0), 1e-12)).clip(0, 1),
        box,
    )


def _edges(
    payloads: Sequence[Poses], sources: Sequence[int], names: tuple[str, ...]
) -> tuple[tuple[int, int], ...]:
    drawn = dict.fromkeys(
        (names.index(payloads[s].names[a]), names.index(payloads[s].names[b]))
        for s in sources
        for a, b in payloads[s].edges
    )
    return tuple(edge for edge in drawn if edge[::-1] not in drawn or edge[0] < edge[1])


def _area(boxes: F32) -> F64:
    area: F64 = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).clip(0).prod(-1)
    return area
