"""Poses by ViTPose (Xu et al. 2022, arXiv 2204.12484): top-down, one person in each box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.specialist.asked import narrow
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin
from visionrouter.backends.specialist.detected import signals_of
from visionrouter.backends.specialist.pretrained import (
    EXTRA,
    REQUIRES,
    Pretrained,
    check_family,
    finite,
    fixed_size,
    labels_of,
)
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import BackendError, ProfileError, WeightsError
from visionrouter.schema.payload import Detections, Poses
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import NO_PROMPTS, Query
from visionrouter.schema.task import Target, Task

PERSON = "person"
_AT_ONCE = 32
"""People that go through the network in one run."""


class VitPose(CheckpointBackend):
    """The checkpoint's joints of the person in each box.

    Boxes are the query's own, or those that the part `detector` finds people in. It always answers, also on a dog: trust
    a mean joint score above 0.3 only. A person's score is the mean of the joints'. The crops of a batch of images go
    through the network together.

    Signals: `score`, the least person score given (absent where nobody is found), and `count`. Notes: the detector's,
    and `nothing_found:NAME` where the detector found nobody.
    """

    def __init__(
        self,
        detector: Backend | None = None,
        *,
        source: str = "usyd-community/vitpose-base-simple",
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        expert: int = 0,
        batch_limit: int = 8,
    ) -> None:
        """`source`: a hub id or a folder. `expert`: which data set's head a mixture of experts (ViTPose+) answers with.

        Raises `ProfileError` for a detector that does not detect.
        """
        if detector is not None and Task.DETECT not in detector.spec.tasks:
            raise ProfileError(
                f"the detector of vitpose must do detect; {detector.spec.name} does not, name another"
            )
        self._detector = detector
        self._expert = expert
        self._joints: tuple[str, ...] = ()
        self._edges: tuple[tuple[int, int], ...] = ()
        spec = BackendSpec(
            name="vitpose",
            kind="specialist",
            tasks=frozenset({Task.POSE}),
            licence="unknown",
            labels=(PERSON,),
            batch_limit=batch_limit,
            cost=3.0,
            memory_mb=600,
            needs_prompts=detector is None,
            extra=EXTRA,
            requires=(*REQUIRES, "scipy"),
        )
        super().__init__(spec, Origin(source, revision, device, precision, licence))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        config = check_family(folder, self.spec.name, ("vitpose",))
        self._joints = tuple(_joint(label) for label in labels_of(config))
        edges = config.get("edges") or ()
        self._edges = tuple((int(a), int(b)) for a, b in edges)
        return {"input_size": fixed_size(folder)}

    def unavailable(self) -> str | None:
        return super().unavailable() or (self._detector.unavailable() if self._detector is not None else None)

    def open(self, folder: Path, device: Any, dtype: Any) -> Pretrained:
        opened = Pretrained.open(folder, self.spec.name, device, dtype, model="VitPoseForPoseEstimation")
        joints = opened.model.config.num_labels
        if len(self._joints) != joints:
            raise WeightsError(
                f"{folder}: names {len(self._joints)} joints of {joints}; mend id2label in config.json"
            )
        return opened

    def load(self) -> None:
        super().load()
        if self._detector is not None:
            self._detector.load()

    def close(self) -> None:
        if self._detector is not None:
            self._detector.close()
        super().close()

    def answer(self, model: Pretrained, queries: Sequence[Query]) -> list[Prediction]:
        people = [self._people(query) for query in queries]
        joints = self._run(model, queries, [boxes for boxes, _ in people])
        return [
            self._read(query, boxes, places, scores, notes)
            for query, (boxes, notes), (places, scores) in zip(queries, people, joints, strict=True)
        ]

    def _people(self, query: Query) -> tuple[F32, tuple[str, ...]]:
        """Boxes of people, and notes."""
        if len(query.prompts.boxes):
            return query.prompts.boxes, ()
        if self._detector is None:
            raise BackendError(
                f"{self.spec.name} needs a box around each person; give boxes=, or a part detector"
            )
        asked = replace(
            query, task=Task.DETECT, targets=(Target(PERSON, "people"),), palette=(), prompts=NO_PROMPTS
        )
        (prediction,) = self._detector.predict([asked])
        found = prediction.payload
        if not isinstance(found, Detections):
            raise BackendError(
                f"{self._detector.spec.name} answered {found.kind} where detections were asked"
            )
        notes = (
            prediction.notes
            if len(found)
            else (*prediction.notes, f"nothing_found:{self._detector.spec.name}")
        )
        return found.boxes, notes

    def _run(
        self, model: Pretrained, queries: Sequence[Query], boxes: Sequence[F32]
    ) -> list[tuple[F32, F32]]:
        """Joints (N, K, 2) in image pixels and their scores (N, K) for the N boxes of each image."""
        import torch

        sizes = [np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], 1) for b in boxes]
        crops = [
            model.see(query.image.pixels, boxes=[xywh.tolist()])["pixel_values"]
            for query, xywh in zip(queries, sizes, strict=True)
            if len(xywh)
        ]
        if not crops:
            none = np.zeros((0, len(self._joints), 2), np.float32)
            return [(none, none[..., 0]) for _ in queries]
        maps = [self._heatmaps(model, chunk) for chunk in torch.split(torch.cat(crops), _AT_ONCE)]
        output = _Heatmaps(finite(torch.cat(maps), self.spec.name))
        rows = model.processor.post_process_pose_estimation(output, boxes=[xywh.tolist() for xywh in sizes])
        return [_stack(row, len(self._joints)) for row in rows]

    def _heatmaps(self, model: Pretrained, crops: Any) -> Any:
        import torch

        more = {}
        if getattr(model.model.config.backbone_config, "num_experts", 1) > 1:
            more["dataset_index"] = torch.full((len(crops),), self._expert, device=crops.device)
        return model.model(crops, **more).heatmaps.float()

    def _read(self, query: Query, boxes: F32, joints: F32, scores: F32, notes: tuple[str, ...]) -> Prediction:
        people = scores.mean(1).astype(np.float32) if len(scores) else np.zeros(0, np.float32)
        chosen, more = narrow(Detections(boxes, people, (PERSON,) * len(boxes)), query, self.spec)
        poses = Poses(
            joints[chosen], scores[chosen], boxes[chosen], people[chosen], self._joints, self._edges
        )
        return Prediction(poses, Evidence(signals_of(poses.scores)), notes=(*notes, *more))


def _joint(label: str) -> str:
    """A joint's usual name: "L_Eye" is left_eye."""
    return "_".join({"l": "left", "r": "right"}.get(word, word) for word in label.split())


class _Heatmaps:
    """What the processor reads."""

    def __init__(self, heatmaps: Any) -> None:
        self.heatmaps = heatmaps


def _stack(people: Sequence[Mapping[str, Any]], joints: int) -> tuple[F32, F32]:
    """Joints and scores of the people of one image. The library counts from pixel centres, results from corners."""
    places = np.zeros((len(people), joints, 2), np.float32)
    scores = np.zeros((len(people), joints), np.float32)
    for i, person in enumerate(people):
        places[i] = person["keypoints"].numpy() + 0.5
        scores[i] = person["scores"].numpy()
    return places, scores.clip(0, 1)
