"""A declared chain: detect, pick by words, find people's skeletons, cut each thing out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.backends.specialist.boxes import pairwise_iou
from visionrouter.backends.specialist.chain import Chain, ask, check_parts, compose, masks_for, score_as
from visionrouter.backends.specialist.skeleton import Skeleton, skeletons
from visionrouter.backends.tasks import check_task
from visionrouter.schema.errors import BackendError
from visionrouter.schema.payload import Detections, Poses, Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import NO_PROMPTS, Prompts, Query
from visionrouter.schema.task import Task

_SAME_PERSON_IOU = 0.3


@runtime_checkable
class BodySegmenter(Protocol):
    """A promptable segmenter that can use people's skeletons. `bodies`: one or None for each box of the query."""

    def predict_bodies(
        self, query: Query, bodies: Sequence[Skeleton | None], bystanders: Sequence[Skeleton]
    ) -> Prediction: ...


class Cutout(Chain):
    """Masks of the things that words name, made by a detector and a promptable segmenter, helped by a pose model.

    The parts are any backends that do `detect`, `segment.promptable` and `pose`; the detector answers for the words.
    The pose model is asked where people were found and the segmenter can use skeletons (`BodySegmenter`); any other
    segmenter gets the boxes alone.

    Labels and scores are the detector's. Signals: the detector's, the segmenter's (its `score` as `mask_score`).
    Notes: the parts' own, and `nothing_found:NAME` for the part that came back empty.
    """

    def __init__(self, detector: Backend, segmenter: Backend, pose: Backend | None = None) -> None:
        """Raises `ProfileError` for a part that lacks its task."""
        needs = [("detector", detector, Task.DETECT), ("segmenter", segmenter, Task.PROMPTABLE)]
        if pose is not None:
            needs.append(("pose", pose, Task.POSE))
        check_parts("cutout", needs)
        self._detector, self._segmenter, self._pose = detector, segmenter, pose
        self._parts = [part for _, part, _ in needs]
        tasks = frozenset({Task.INSTANCE, Task.REFERRING})
        self.spec = compose("cutout", "specialist", tasks, [part.spec for part in self._parts])

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        check_task(self.spec, query)
        mode: Literal["instance", "referring"] = "instance" if query.task is Task.INSTANCE else "referring"
        detection = ask(self._detector, replace(query, task=Task.DETECT, prompts=NO_PROMPTS))
        found = detection.payload
        if not isinstance(found, Detections):
            raise BackendError(
                f"{self._detector.spec.name} answered {found.kind} where detections were asked"
            )
        if not len(found):
            nothing = np.zeros((0, query.image.height, query.image.width), np.bool_)
            payload = Segmentation(nothing, found.scores, (), mode)
            notes = (*detection.notes, f"nothing_found:{self._detector.spec.name}")
            return Prediction(payload, detection.evidence, notes=notes)
        prompted = replace(query, task=Task.PROMPTABLE, prompts=Prompts(boxes=found.boxes))
        segmentation, notes = self._segment(prompted, found)
        masks = masks_for(self._segmenter, segmentation, len(found))
        payload = Segmentation(masks.masks, found.scores, found.labels, mode)
        signals = {**score_as("mask_score", segmentation.evidence.signals), **detection.evidence.signals}
        evidence = Evidence(signals, segmentation.evidence.confidence_map)
        return Prediction(payload, evidence, notes=(*detection.notes, *notes, *segmentation.notes))

    def _segment(self, query: Query, found: Detections) -> tuple[Prediction, tuple[str, ...]]:
        segmenter, pose = self._segmenter, self._pose
        people = np.array([label == "person" for label in found.labels])
        if pose is None or not people.any() or not isinstance(segmenter, BodySegmenter):
            return ask(segmenter, query), ()
        poses = ask(pose, replace(query, task=Task.POSE, targets=(), prompts=NO_PROMPTS)).payload
        if not isinstance(poses, Poses):
            raise BackendError(f"{pose.spec.name} answered {poses.kind} where poses were asked")
        owner = _owners(found, people, poses)
        drawn = skeletons(poses)
        bodies = [drawn[owner[i]] if i in owner else None for i in range(len(found))]
        bystanders = [skeleton for j, skeleton in enumerate(drawn) if j not in owner.values()]
        notes = () if owner else (f"nothing_found:{pose.spec.name}",)
        return segmenter.predict_bodies(query, bodies, bystanders), notes


def _owners(
    found: Detections, people: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], poses: Poses
) -> dict[int, int]:
    """Which pose belongs to which box: index of the box to index of the pose, best overlaps first, one to one."""
    overlap = pairwise_iou(found.boxes, poses.boxes)
    overlap[~people] = 0
    owner: dict[int, int] = {}
    while overlap.size and overlap.max() >= _SAME_PERSON_IOU:
        i, j = (int(k) for k in np.unravel_index(overlap.argmax(), overlap.shape))
        owner[i] = j
        overlap[i], overlap[:, j] = 0, 0
    return owner
