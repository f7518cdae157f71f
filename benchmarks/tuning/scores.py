"""What an answer is worth against the truth of its scene: pure functions of payloads.

Each gives `Tally`s: a name, a sum and a weight, so that a score over many answers is the ratio of two totals; or
`Found`s, from which average precision is computed over all answers together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.merge.matching import box_iou, mask_iou, same_labels
from visionrouter.schema.payload import DepthMap, Detections, NormalMap, Payload, Poses, Segmentation
from visionrouter.schema.task import Task

Bool = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]

MAX_DEPTH_M = 80.0
"""Depth is judged up to here, as in the outdoor benchmarks."""
FALSE_POSITIVE_SHARE = 0.001
"""Share of the picture that a mask of something absent must reach to count as a false positive."""
PCK_SHARE = 0.1
"""A keypoint is right within this share of the longer side of its person's box."""
LEAST_PERSON_SHARE = 0.1
"""People whose visible keypoints span less than this share of the picture's height are not judged."""
IOU_STEPS = np.arange(0.5, 1.0, 0.05)


@dataclass(frozen=True)
class Tally:
    """A part of a ratio."""

    name: str
    total: float
    weight: float


@dataclass(frozen=True)
class Found:
    """Things found in one picture: scores (N,), and whether each is a true one, (N, IOU_STEPS); how many there are."""

    name: str
    scores: Floats
    true: Bool
    truths: int


def score(task: Task, answer: Payload, truth: Payload, height: int) -> list[Tally | Found]:
    """The parts of a task's scores that one answer on a picture of `height` pixels gives."""
    match answer, truth:
        case DepthMap(), DepthMap():
            return depth(answer.values, truth.values)
        case NormalMap(), NormalMap():
            return normals(answer.values, truth.values)
        case Segmentation(), Segmentation() if task is Task.SEMANTIC:
            return semantic(answer, truth)
        case Segmentation(), Segmentation() if task is Task.INSTANCE:
            overlap = mask_iou(answer.masks, truth.masks)
            return [found("instance AP", answer.scores, overlap)]
        case Segmentation(), Segmentation() if task is Task.REFERRING:
            return referring(np.asarray(answer.masks.any(0)), np.asarray(truth.masks.any(0)))
        case Segmentation(), Segmentation():
            return [Tally("prompt IoU", float(mask_iou(answer.masks[:1], truth.masks[:1]).sum()), 1)]
        case Detections(), Detections():
            return [
                found(
                    "box AP",
                    answer.scores,
                    box_overlap(answer, truth),
                )
            ]
        case Poses(), Poses():
            return pose(answer, truth, LEAST_PERSON_SHARE * height)
    raise TypeError(f"{type(answer).__name__} does not answer {task}, whose truth is {type(truth).__name__}")


def depth(seen: Floats, depth_m: Floats) -> list[Tally | Found]:
    """AbsRel and delta-1 over the pixels of a picture (mean over pictures)."""
    known = np.isfinite(depth_m) & (depth_m > 0) & (depth_m <= MAX_DEPTH_M)
    if not known.any():
        return []
    truth, guess = (
        depth_m[known].astype(np.float64),
        np.clip(np.nan_to_num(seen[known], posinf=1e3), 1e-3, 1e3),
    )
    ratio = np.maximum(guess / truth, truth / guess)
    relative = np.abs(guess - truth) / truth
    return [Tally("depth d1", float((ratio < 1.25).mean()), 1), Tally("AbsRel", float(relative.mean()), 1)]


def normals(seen: Floats, truth: Floats) -> list[Tally | Found]:
    """Mean angle in degrees over the pixels with a surface; one that is called none counts as 90."""
    known = np.isfinite(truth).all(-1)
    if not known.any():
        return []
    cosine = np.nan_to_num((seen[known] * truth[known]).sum(-1), nan=0.0)
    return [Tally("normals deg", float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()), 1)]


def semantic(answer: Segmentation, truth: Segmentation) -> list[Tally | Found]:
    """Intersection and union of each class asked for."""
    drawn = dict(zip(answer.labels, answer.masks, strict=True))
    out: list[Tally | Found] = []
    for label, there in zip(truth.labels, truth.masks, strict=True):
        mine = drawn.get(label, np.zeros_like(there))
        if (mine | there).any():
            out.append(Tally(f"mIoU/{label}", int((mine & there).sum()), int((mine | there).sum())))
    return out


def referring(guess: Bool, mask: Bool) -> list[Tally | Found]:
    """Intersection over union of a target's mask; for an absent one, whether anything much was found."""
    if not mask.any():
        return [Tally("absent FP", float(guess.mean() >= FALSE_POSITIVE_SHARE), 1)]
    return [Tally("ref cIoU", int((guess & mask).sum()), int((guess | mask).sum()))]


def found(name: str, confidence: Floats, overlap: Floats) -> Found:
    """Pair the answers, best first, with what is there and still free."""
    true = np.zeros((len(overlap), len(IOU_STEPS)), np.bool_)
    for step, least in enumerate(IOU_STEPS):
        free = np.ones(overlap.shape[1], np.bool_)
        for i in np.argsort(-confidence, kind="stable"):
            if free.any():
                j = int(np.argmax(np.where(free, overlap[i], -1)))
                if overlap[i, j] >= least:
                    free[j], true[i, step] = False, True
    return Found(name, confidence, true, overlap.shape[1])


def average_precision(some: Sequence[Found]) -> float:
    """COCO's AP: precision at 101 recalls, mean over IOU_STEPS, all pictures and classes pooled."""
    truths = sum(f.truths for f in some)
    confidence = np.concatenate([f.scores for f in some])
    if not truths or not len(confidence):
        return 0.0
    order = np.argsort(-confidence, kind="stable")
    true = np.concatenate([f.true for f in some])[order].cumsum(0)
    precision = true / np.arange(1, len(order) + 1)[:, None]
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    values = []
    for step in range(len(IOU_STEPS)):
        at = np.searchsorted(true[:, step] / truths, np.linspace(0, 1, 101), side="left")
        values.append(np.where(at < len(order), envelope[np.minimum(at, len(order) - 1), step], 0).mean())
    return float(np.mean(values))


def pose(answer: Poses, truth: Poses, least_px: float) -> list[Tally | Found]:
    """PCK over the visible keypoints that both name, of people who span `least_px`. People found are paired with
    people there so that the most keypoints are right."""
    from scipy.optimize import linear_sum_assignment

    names = [name for name in truth.names if name in answer.names]
    there, here = ([poses.names.index(name) for name in names] for poses in (truth, answer))
    points, shown = truth.keypoints[:, there], truth.keypoint_scores[:, there] == 1
    guesses, given = answer.keypoints[:, here], answer.keypoint_scores[:, here] > 0
    right, total = [], 0
    for place, seen in zip(points, shown, strict=True):
        span = float(np.ptp(place[seen], axis=0).max()) if seen.sum() >= 3 else 0.0
        if span >= least_px:
            near = np.linalg.norm(guesses - place, axis=-1) <= PCK_SHARE * span
            right.append((near & given & seen).sum(-1))
            total += int(seen.sum())
    if not right:
        return []
    counts = np.stack(right)
    rows, columns = linear_sum_assignment(-counts)
    return [Tally("pose PCK", float(counts[rows, columns].sum()), total)]


def summarise(parts: Iterable[Tally | Found]) -> dict[str, float]:
    """Ratio of the totals of each name; names with a slash are classes, whose mean is their stem's value."""
    totals: dict[str, list[float]] = {}
    ranked: dict[str, list[Found]] = {}
    for part in parts:
        if isinstance(part, Found):
            ranked.setdefault(part.name, []).append(part)
            continue
        pair = totals.setdefault(part.name, [0.0, 0.0])
        pair[0] += part.total
        pair[1] += part.weight
    ratios = {name: total / weight for name, (total, weight) in totals.items()}
    plain = {name: value for name, value in ratios.items() if "/" not in name}
    return plain | _means(ratios) | {name: average_precision(some) for name, some in ranked.items()}


def _means(ratios: Mapping[str, float]) -> dict[str, float]:
    stems: dict[str, list[float]] = {}
    for name, value in ratios.items():
        if "/" in name:
            stems.setdefault(name.partition("/")[0], []).append(value)
    return {stem: float(np.mean(values)) for stem, values in stems.items()}


def box_overlap(answer: Detections, truth: Detections) -> Floats:
    """IoU (N, M) of boxes, 0 between different labels."""
    overlap = box_iou(answer.boxes, truth.boxes)
    overlap[~same_labels(answer.labels, truth.labels)] = 0
    return overlap
