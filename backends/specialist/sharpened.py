"""A declared chain: a mask that is meant right but drawn soft prompts a segmenter that finds its edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.backends.specialist.chain import Chain, ask, check_parts, compose, masks_for, score_as
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.errors import BackendError, ProfileError
from visionrouter.schema.payload import Segmentation, boxes_of
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import NO_PROMPTS, Prompts, Query
from visionrouter.schema.task import Task

_MARGIN = 0.03
"""Of a mask's sides: how far its box reaches beyond it, since a soft edge may end early."""


class Sharpened(Chain):
    """Masks of one backend, each with the edge that a promptable segmenter finds from its box and a point deep inside.

    `referrer`: any backend that does `segment.referring` or `segment.instance`, a generative one say; it answers for
    what is meant. `segmenter`: any that does `segment.promptable`. A sharpened mask that overlaps the original by an IoU
    of less than `least_iou` is another thing's: the original is kept, with the note `edge_kept:I`.

    Tasks are the referrer's of those two; labels and scores are the referrer's too. Signals: the referrer's, the
    segmenter's (its `score` as `mask_score`), and `edge_iou`, the least IoU of original and sharpened mask. The
    confidence map is the lower of the two. Notes: the parts' own, and `nothing_found:NAME` where there was no mask.
    """

    def __init__(self, referrer: Backend, segmenter: Backend, *, least_iou: float = 0.6) -> None:
        """Raises `ProfileError` for a part that lacks its task, or a `least_iou` outside 0..1."""
        if not 0 <= least_iou <= 1:
            raise ProfileError(f"least_iou is {least_iou}; an IoU is in 0..1")
        tasks = frozenset({Task.REFERRING, Task.INSTANCE}) & referrer.spec.tasks
        check_parts(
            "sharpened",
            [
                ("referrer", referrer, next(iter(tasks), Task.REFERRING)),
                ("segmenter", segmenter, Task.PROMPTABLE),
            ],
        )
        self._referrer, self._segmenter, self._least_iou = referrer, segmenter, least_iou
        self._parts = (referrer, segmenter)
        specs = [part.spec for part in self._parts]
        self.spec = compose("sharpened", referrer.spec.kind, tasks, specs)

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        check_task(self.spec, query)
        meant = ask(self._referrer, replace(query, prompts=NO_PROMPTS))
        soft = meant.payload
        if not isinstance(soft, Segmentation):
            raise BackendError(f"{self._referrer.spec.name} answered {soft.kind} where masks were asked")
        drawn = np.flatnonzero(soft.masks.any((1, 2)))
        if not len(drawn):
            return replace(meant, notes=(*meant.notes, f"nothing_found:{self._referrer.spec.name}"))
        prompts = _prompts(soft.masks[drawn])
        cut = ask(self._segmenter, replace(query, task=Task.PROMPTABLE, prompts=prompts))
        sharp = masks_for(self._segmenter, cut, len(drawn))
        masks, kept = soft.masks.copy(), []
        overlaps = [_iou(soft.masks[i], mask) for i, mask in zip(drawn, sharp.masks, strict=True)]
        for i, mask, overlap in zip(drawn, sharp.masks, overlaps, strict=True):
            if overlap >= self._least_iou:
                masks[i] = mask
            else:
                kept.append(f"edge_kept:{i}")
        signals = {
            **score_as("mask_score", cut.evidence.signals),
            **meant.evidence.signals,
            "edge_iou": min(overlaps),
        }
        evidence = Evidence(signals, _lower(meant.evidence.confidence_map, cut.evidence.confidence_map))
        payload = Segmentation(masks, soft.scores, soft.labels, soft.mode)
        return Prediction(payload, evidence, meant.drawing, (*meant.notes, *cut.notes, *kept))


def _prompts(masks: Bool) -> Prompts:
    """A box for each mask, and for each the point deepest inside it, unless that lies in another's box too."""
    height, width = masks.shape[1:]
    boxes = boxes_of(masks)
    margin = _MARGIN * (boxes[:, 2:] - boxes[:, :2])
    boxes = np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], 1)
    boxes = boxes.clip(0, (width, height, width, height)).astype(np.float32)
    points = np.array([_deepest(mask) for mask in masks], np.float32)
    inside = ((points[:, None] >= boxes[None, :, :2]) & (points[:, None] <= boxes[None, :, 2:])).all(-1)
    own = points[inside.sum(1) == 1]
    return Prompts(boxes, own, np.ones(len(own), np.uint8))


def _deepest(mask: Bool) -> tuple[float, float]:
    """x y of the centre of the mask's pixel that is farthest from what is not the mask, the image's frame included."""
    from scipy.ndimage import distance_transform_edt

    y, x = np.unravel_index(distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].argmax(), mask.shape)
    return float(x) + 0.5, float(y) + 0.5


def _iou(a: Bool, b: Bool) -> float:
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 0.0


def _lower(a: F32 | None, b: F32 | None) -> F32 | None:
    if a is None or b is None:
        return a if b is None else b
    return np.minimum(a, b)
