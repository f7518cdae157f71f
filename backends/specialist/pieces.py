"""A declared chain: a map of classes is taken apart into things, of which words or boxes single some out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.backends.specialist.asked import narrow
from visionrouter.backends.specialist.boxes import pairwise_iou
from visionrouter.backends.specialist.chain import Chain, ask, check_parts, compose, score_as
from visionrouter.backends.specialist.detected import signals_of
from visionrouter.backends.specialist.sam.prompts import ANYTHING
from visionrouter.backends.tasks import check_task
from visionrouter.instruction.selection import RGB
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.errors import BackendError, ProfileError
from visionrouter.schema.payload import DepthMap, Detections, Segmentation, boxes_of
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import NO_PROMPTS, Query
from visionrouter.schema.task import Task

_Answer = tuple[Segmentation | Detections, dict[str, float], tuple[str, ...]]
"""Masks or boxes, signals and notes."""


class Pieces(Chain):
    """Masks and boxes of what words or boxes mean, out of a segmenter of classes: each connected piece of a class is a thing.

    Things of one class that touch are one piece, and one that is cut in two by what stands before it is two: good enough to
    speak for or against another's answer, hardly to be vouched for alone. `segmenter`: any backend that does
    `segment.semantic`; it answers for the words. `depth`, where given, is asked where words go by it ("nearest"): a piece is
    as far as the median of its pixels. Pieces under `least_share` of the image do not count. A prompted box means
    the piece that fits it best, cut off at its edges; points are not heeded.

    Scores are the mean confidence in the class over the piece, 1 where the segmenter has no map of it. Colours are means
    over pieces. Signals: `count`, the least `score`, the segmenter's own (its `score` as `class_score`), and for boxes
    `prompt_fit`, the least fit: the IoU of the box with that of what it cuts out, times the share of the piece in it.
    Notes: the parts', those of `asked.narrow`, and `points_outside:COUNT` for points.
    """

    def __init__(
        self, segmenter: Backend, depth: Backend | None = None, *, least_share: float = 0.0005
    ) -> None:
        """Raises `ProfileError` for a part that lacks its task, or a `least_share` outside 0..1."""
        if not 0 <= least_share < 1:
            raise ProfileError(f"least_share is {least_share}; a share of the image is from 0 to below 1")
        needs = [("segmenter", segmenter, Task.SEMANTIC)]
        if depth is not None:
            needs.append(("depth", depth, Task.DEPTH))
        check_parts("pieces", needs)
        self._segmenter, self._depth, self._least_share = segmenter, depth, least_share
        self._parts = tuple(dict.fromkeys(part for _, part, _ in needs))
        tasks = frozenset({Task.DETECT, Task.INSTANCE, Task.REFERRING, Task.PROMPTABLE})
        self.spec = compose("pieces", "specialist", tasks, [part.spec for part in self._parts])

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        check_task(self.spec, query)
        classes = ask(
            self._segmenter, replace(query, task=Task.SEMANTIC, targets=(), palette=(), prompts=NO_PROMPTS)
        )
        drawn = classes.payload
        if not isinstance(drawn, Segmentation):
            raise BackendError(f"{self._segmenter.spec.name} answered {drawn.kind} where classes were asked")
        masks, labels = _apart(drawn, self._least_share)
        trust = classes.evidence.confidence_map
        scores = np.array([1.0 if trust is None else trust[mask].mean() for mask in masks], np.float32)
        if query.task is Task.PROMPTABLE:
            payload, signals, notes = self._prompted(query, masks, scores)
        else:
            payload, signals, notes = self._named(query, masks, scores, labels)
        theirs = score_as("class_score", classes.evidence.signals)
        return Prediction(payload, Evidence({**theirs, **signals}, trust), notes=(*classes.notes, *notes))

    def _named(self, query: Query, masks: Bool, scores: F32, labels: tuple[str, ...]) -> _Answer:
        found = Detections(boxes_of(masks), scores, labels)
        depths, said = self._depths(query, masks)
        chosen, notes = narrow(
            found, query, self.spec, lambda i: _mean_colour(query.image.pixels, masks[i]), depths
        )
        names = tuple(labels[i] for i in chosen)
        payload: Segmentation | Detections
        if query.task is Task.DETECT:
            payload = Detections(found.boxes[chosen], scores[chosen], names)
        else:
            mode: Literal["instance", "referring"] = (
                "instance" if query.task is Task.INSTANCE else "referring"
            )
            payload = Segmentation(masks[chosen], scores[chosen], names, mode)
        return payload, signals_of(payload.scores), (*said, *notes)

    def _depths(self, query: Query, masks: Bool) -> tuple[F32 | None, tuple[str, ...]]:
        """How far each piece is, float32 (N,), larger is farther, where words go by it; and the depth's notes."""
        if self._depth is None or not any(target.by_depth for target in query.targets):
            return None, ()
        answer = ask(self._depth, replace(query, task=Task.DEPTH, targets=(), palette=(), prompts=NO_PROMPTS))
        depth = answer.payload
        if not isinstance(depth, DepthMap):
            raise BackendError(f"{self._depth.spec.name} answered {depth.kind} where depth was asked")
        away = -depth.values if depth.unit == "disparity" else depth.values
        return np.array([_median(away[mask]) for mask in masks], np.float32), answer.notes

    def _prompted(self, query: Query, masks: Bool, scores: F32) -> _Answer:
        prompts = query.prompts
        if not len(prompts.boxes):
            raise BackendError(f"{self.spec.name} is prompted by boxes; give boxes=")
        cuts = [_best_fit(masks, box) for box in prompts.boxes]
        count = len(cuts)
        payload = Segmentation(
            np.stack([mask for mask, _, _ in cuts]),
            np.array([0.0 if i is None else scores[i] for _, _, i in cuts], np.float32),
            (ANYTHING,) * count,
            "promptable",
        )
        signals = {**signals_of(payload.scores), "prompt_fit": min(fit for _, fit, _ in cuts)}
        return payload, signals, (f"points_outside:{len(prompts.points)}",) if len(prompts.points) else ()


def _median(values: F32) -> float:
    """Of the finite ones; NaN where there is none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _best_fit(masks: Bool, box: F32) -> tuple[Bool, float, int | None]:
    """What a box (4,) xyxy cuts out of the piece that fits it best, how well it fits, and which it is."""
    inside = np.zeros(masks.shape[1:], np.bool_)
    left, top = np.floor(box[:2]).astype(int).clip(0)
    right, bottom = np.ceil(box[2:]).astype(int)
    inside[top:bottom, left:right] = True
    cut: Bool = masks & inside
    sizes = cut.sum((1, 2))
    if not sizes.any():
        return np.zeros_like(inside), 0.0, None
    fits = pairwise_iou(boxes_of(cut), box[None])[:, 0] * sizes / masks.sum((1, 2))
    best = int(fits.argmax())
    return cut[best], float(fits[best]), best


def _apart(drawn: Segmentation, least_share: float) -> tuple[Bool, tuple[str, ...]]:
    """Every connected piece of every class as a mask of its own, bool (N, H, W), and its class."""
    import cv2

    height, width = drawn.masks.shape[1:]
    pieces: list[Bool] = []
    labels: list[str] = []
    for mask, label in zip(drawn.masks, drawn.labels, strict=True):
        count, places, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= least_share * height * width]
        pieces += [places == i for i in large]
        labels += [label] * len(large)
    masks: Bool = np.stack(pieces) if pieces else np.zeros((0, height, width), np.bool_)
    return masks, tuple(labels)


def _mean_colour(pixels: U8, mask: Bool) -> RGB:
    """Mean sRGB of a mask's pixels, 0 to 255."""
    mean: F32 = pixels[mask].mean(0)
    return float(mean[0]), float(mean[1]), float(mean[2])
