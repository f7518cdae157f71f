"""Transformer detectors with a closed vocabulary: RT-DETR, RT-DETRv2, D-FINE.

Zhao et al. 2023 (arXiv 2304.08069), Lv et al. 2024 (arXiv 2407.17140), Peng et al. 2024 (arXiv 2410.13842).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin, in_batches
from visionrouter.backends.specialist.detected import as_prediction, distinct
from visionrouter.backends.specialist.pretrained import (
    EXTRA,
    REQUIRES,
    Pretrained,
    check_family,
    finite,
    fixed_size,
    labels_of,
)
from visionrouter.schema.errors import WeightsError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task


class RTDetr(CheckpointBackend):
    """Boxes of the checkpoint's classes by RT-DETR or RT-DETRv2: no non-maximum suppression is needed, for queries
    compete in the network; a box that comes under two names keeps the better one.

    Signals: `score`, the least score given (absent where nothing is found), and `count`. Notes: see
    `visionrouter.backends.specialist.asked`. Raises `UnsupportedTargetError` for words outside the classes.
    """

    name: ClassVar[str] = "rt_detr"
    families: ClassVar[tuple[str, ...]] = ("rt_detr", "rt_detr_v2")
    usual: ClassVar[str] = "PekingU/rtdetr_v2_r18vd"

    def __init__(
        self,
        *,
        source: str | None = None,
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        threshold: float = 0.5,
        duplicate_iou: float = 0.9,
        batch_limit: int = 8,
    ) -> None:
        """`source`, a hub id or a folder (default: the family's smallest model); least raw score `threshold`;
        `duplicate_iou`, overlap above which the worse of two boxes goes."""
        self._threshold = threshold
        self._duplicate_iou = duplicate_iou
        spec = BackendSpec(
            name=self.name,
            kind="specialist",
            tasks=frozenset({Task.DETECT}),
            licence="unknown",
            batch_limit=batch_limit,
            cost=2.0,
            memory_mb=400,
            extra=EXTRA,
            requires=REQUIRES,
        )
        super().__init__(spec, Origin(source or self.usual, revision, device, precision, licence))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        config = check_family(folder, self.name, self.families)
        labels = labels_of(config)
        if not labels:
            raise WeightsError(
                f"{folder}: config.json names no classes (id2label); write them there, in the order of the logits"
            )
        return {"labels": labels, "input_size": fixed_size(folder)}

    def open(self, folder: Path, device: Any, dtype: Any) -> Pretrained:
        return Pretrained.open(folder, self.name, device, dtype, model="AutoModelForObjectDetection")

    def answer(self, model: Pretrained, queries: Sequence[Query]) -> list[Prediction]:
        def run(seen: list[Any]) -> list[Any]:
            output = model.run(seen)
            output.logits = finite(output.logits.float(), self.spec.name)
            output.pred_boxes = finite(output.pred_boxes.float(), self.spec.name)
            found: list[Any] = model.processor.post_process_object_detection(output, self._threshold)
            return found

        seen = [model.see(query.image.pixels) for query in queries]
        rows = in_batches(seen, lambda one: one["pixel_values"].shape, run)
        return [self._read(query, row) for query, row in zip(queries, rows, strict=True)]

    def _read(self, query: Query, row: Mapping[str, Any]) -> Prediction:
        """`row`: boxes xyxy in parts of the image, scores and classes of one image."""
        labels = self.spec.labels or ()
        boxes = row["boxes"].cpu().numpy() * (*query.image.size, *query.image.size)
        names = [labels[i] for i in row["labels"].tolist()]
        found, _ = distinct(boxes, row["scores"].cpu().numpy(), names, query.image.size, self._duplicate_iou)
        return as_prediction(found, query, self.spec)


class DFine(RTDetr):
    """Boxes of the checkpoint's classes by D-FINE. Signals, notes and errors are RT-DETR's."""

    name = "d_fine"
    families = ("d_fine",)
    usual = "ustc-community/dfine-small-coco"
