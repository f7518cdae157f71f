"""What a drawing is worth against the truth of its scene: pure functions of numpy arrays, one drawing a call.

Each gives `Tally`s: a name, a sum and a weight, so that a score over many drawings is the ratio of two totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.backends.generative.nano.codes import DEPTH, INSTANCES, NORMALS, POSE
from visionrouter.schema.task import Palette, PaletteEntry

U8 = npt.NDArray[np.uint8]
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
BLACK_AND_WHITE: Palette = (PaletteEntry("rest", (0, 0, 0)), PaletteEntry("target", (255, 255, 255)))


@dataclass(frozen=True)
class Tally:
    """A part of a ratio."""

    name: str
    total: float
    weight: float


@dataclass(frozen=True)
class Found:
    """An instance found: its score, and whether it is a true one at each of IOU_STEPS."""

    score: float
    true: Bool


def depth(drawing: U8, depth_m: Floats) -> list[Tally]:
    """AbsRel and delta-1 over the pixels of a picture (mean over pictures)."""
    seen = DEPTH.decode(drawing).values
    known = np.isfinite(depth_m) & (depth_m > 0) & (depth_m <= MAX_DEPTH_M)
    if not known.any():
        return []
    truth, guess = depth_m[known].astype(np.float64), np.clip(seen[known], 1e-3, 1e3)
    ratio = np.maximum(guess / truth, truth / guess)
    relative = np.abs(guess - truth) / truth
    return [Tally("depth d1", float((ratio < 1.25).mean()), 1), Tally("AbsRel", float(relative.mean()), 1)]


def normals(drawing: U8, truth: Floats) -> list[Tally]:
    """Mean angle in degrees over the pixels with a surface. `truth`: (H, W, 3)."""
    known = np.linalg.norm(truth, axis=-1) > 0.5
    if not known.any():
        return []
    guess = NORMALS.decode(drawing).values[known]
    cosine = np.nan_to_num((guess * truth[known]).sum(-1), nan=-1.0)
    return [Tally("normals deg", float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()), 1)]


def semantic(drawing: U8, labels: U8, palette: Palette, name: str) -> list[Tally]:
    """Intersection and union of each class of a palette. `labels`: (H, W) index into it."""
    guess = PaletteCode(palette).decode(drawing).values
    out = []
    for index, entry in enumerate(palette):
        mine, there = guess == index, labels == index
        if entry.label and (mine | there).any():
            out.append(Tally(f"{name}/{entry.label}", int((mine & there).sum()), int((mine | there).sum())))
    return out


def referring(drawing: U8, mask: Bool) -> list[Tally]:
    """Intersection over union of a target's mask; for an empty one, whether anything much was drawn."""
    guess = PaletteCode(BLACK_AND_WHITE).decode(drawing).values == 1
    if not mask.any():
        return [Tally("absent FP", float(guess.mean() >= FALSE_POSITIVE_SHARE), 1)]
    both, either = int((guess & mask).sum()), int((guess | mask).sum())
    return [Tally("ref cIoU", both, either), Tally("ref mIoU", both / either, 1)]


def instances(drawing: U8, masks: Bool) -> tuple[list[Found], int]:
    """Instances found, and how many there are. `masks`: (N, H, W)."""
    read = INSTANCES.decode(drawing)
    scores = read.instance_margin - read.instance_residual
    overlap = np.zeros((len(read.values), len(masks)))
    for i, guess in enumerate(read.values):
        for j, mask in enumerate(masks):
            either = (guess | mask).sum()
            overlap[i, j] = (guess & mask).sum() / either if either else 0.0
    true = np.zeros((len(read.values), len(IOU_STEPS)), np.bool_)
    for step, least in enumerate(IOU_STEPS):
        free = np.ones(len(masks), np.bool_)
        for i in np.argsort(-scores, kind="stable"):
            if len(masks):
                j = int(np.argmax(np.where(free, overlap[i], -1)))
                if free[j] and overlap[i, j] >= least:
                    free[j], true[i, step] = False, True
    return [Found(float(s), t) for s, t in zip(scores, true, strict=True)], len(masks)


def average_precision(found: Sequence[Found], truths: int) -> float:
    """COCO's AP: precision at 101 recalls, mean over IOU_STEPS, all drawings pooled."""
    if not truths or not found:
        return 0.0
    order = np.argsort([-f.score for f in found], kind="stable")
    true = np.stack([found[i].true for i in order]).cumsum(0)
    precision = true / np.arange(1, len(order) + 1)[:, None]
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    values = []
    for step in range(len(IOU_STEPS)):
        at = np.searchsorted(true[:, step] / truths, np.linspace(0, 1, 101), side="left")
        values.append(np.where(at < len(order), envelope[np.minimum(at, len(order) - 1), step], 0).mean())
    return float(np.mean(values))


def pose(drawing: U8, keypoints: Floats) -> list[Tally]:
    """PCK over the visible keypoints of people, (P, 17, 3: x, y, v). People drawn are paired with people there so
    that the most keypoints are right."""
    from scipy.optimize import linear_sum_assignment

    least = LEAST_PERSON_SHARE * len(drawing)
    people = [p for p in keypoints if (p[:, 2] >= 2).sum() >= 3 and _span(p) >= least]
    if not people:
        return []
    read = POSE.decode(drawing).values
    right = np.zeros((len(people), len(read)))
    for i, person in enumerate(people):
        shown = person[:, 2] >= 2
        side = _span(person)
        for j, guess in enumerate(read):
            distance = np.linalg.norm(guess[shown] - person[shown, :2], axis=-1)
            right[i, j] = (distance <= PCK_SHARE * side).sum()
    rows, columns = linear_sum_assignment(-right)
    total = sum(int((p[:, 2] >= 2).sum()) for p in people)
    return [Tally("pose PCK", float(right[rows, columns].sum()), total)]


def _span(person: Floats) -> float:
    return float(np.ptp(person[person[:, 2] >= 2, :2], axis=0).max())


def summarise(tallies: Iterable[Tally]) -> dict[str, float]:
    """Ratio of the totals of each name; names with a slash are classes, whose mean is their stem's value."""
    totals: dict[str, list[float]] = {}
    for tally in tallies:
        pair = totals.setdefault(tally.name, [0.0, 0.0])
        pair[0] += tally.total
        pair[1] += tally.weight
    ratios = {name: total / weight for name, (total, weight) in totals.items()}
    plain = {name: value for name, value in ratios.items() if "/" not in name}
    return plain | _means(ratios)


def _means(ratios: Mapping[str, float]) -> dict[str, float]:
    stems: dict[str, list[float]] = {}
    for name, value in ratios.items():
        if "/" in name:
            stems.setdefault(name.partition("/")[0], []).append(value)
    return {stem: float(np.mean(values)) for stem, values in stems.items()}
