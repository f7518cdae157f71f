"""Is the thing that was asked for there at all, by the word of a detector?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from visionrouter.confidence.probes.probe import Finding, Probe, Role
from visionrouter.merge.matching import box_iou
from visionrouter.schema.payload import Detections, Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task


class Presence(Probe):
    """Signals: `presence_score`, the best raw score of a detected thing of the kind (0 where none is), and
    `presence_overlap`, how well the best of them fits what was masked (IoU of boxes)."""

    role, calls, prefix = Role.DETECTOR, 1, "presence"
    tasks = frozenset({Task.REFERRING, Task.INSTANCE})

    def questions(self, query: Query) -> tuple[Query, ...]:
        if not query.targets:
            return ()
        kinds = tuple(replace(target, relations=(), number="all") for target in query.targets)
        return (replace(query, task=Task.DETECT, targets=kinds),)

    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        if not answers:
            return Finding()
        found, masked = answers[0].payload, prediction.payload
        assert isinstance(found, Detections)
        assert isinstance(masked, Segmentation)
        boxes = masked.boxes[masked.masks.any((1, 2))]
        overlap = float(box_iou(found.boxes, boxes).max(initial=0.0))
        score = float(found.scores.max()) if len(found) else 0.0
        return Finding({"presence_score": score, "presence_overlap": overlap})
