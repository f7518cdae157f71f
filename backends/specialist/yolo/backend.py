"""YOLO as a backend: what its head gives decides its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from visionrouter.backends import hub
from visionrouter.backends.base import BackendSpec
from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.asked import narrow
from visionrouter.backends.specialist.checkpoint import WEIGHTS, CheckpointBackend, Origin, in_batches
from visionrouter.backends.specialist.classified import classified
from visionrouter.backends.specialist.detected import distinct, signals_of
from visionrouter.backends.specialist.thicken import thicken
from visionrouter.backends.specialist.yolo import reading
from visionrouter.backends.specialist.yolo.network import (
    EXTRA,
    HEADS,
    Network,
    backend_of,
    from_pickle,
    from_safetensors,
    head_of,
    names_of,
    read_architecture,
)
from visionrouter.backends.specialist.yolo.reading import Rows
from visionrouter.schema.errors import ProfileError, WeightsError
from visionrouter.schema.payload import Detections, Poses, Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

Head = Literal["detect", "segment", "pose", "obb", "classify"]
TASKS: Mapping[str, frozenset[Task]] = {
    "detect": frozenset({Task.DETECT}),
    "segment": frozenset({Task.DETECT, Task.INSTANCE, Task.REFERRING}),
    "pose": frozenset({Task.DETECT, Task.POSE}),
    "obb": frozenset({Task.DETECT}),
    "classify": frozenset({Task.CLASSIFY}),
}


class Yolo(CheckpointBackend):
    """Boxes, masks, poses or classes by a YOLO network, YOLO11 and YOLO26 among them.

    Weights are a folder of `model.yaml` and `model.safetensors`; a `.pt` is a pickle and is read by consent alone. The
    head decides the tasks: `detect`; `segment` (masks of instances, also of those that words mean); `pose`; `obb`
    (oriented boxes: the answer is the tight upright one, the note `angle:I:DEGREES` says how far thing I is turned,
    clockwise); `classify`.

    Signals: `score`, the least score given (absent where nothing is found), and `count`; of classes `score`, the best
    one's, and `margin`, its lead over the second. Notes: see `visionrouter.backends.specialist.asked`;
    `targets_ignored`, words do not narrow classes.
    """

    name: ClassVar[str] = "yolo"

    def __init__(
        self,
        *,
        source: str = "Ultralytics/YOLO11",
        file: str | None = None,
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str = "AGPL-3.0",
        head: Head = "detect",
        allow_pickle: bool = False,
        side: int | None = None,
        threshold: float = 0.25,
        iou: float = 0.7,
        duplicate_iou: float = 0.9,
        top: int = 5,
        batch_limit: int = 8,
    ) -> None:
        """`source`: a folder, a file, or a hub id, of which `file` names the one to read. `head`: of a `.pt`, which does
        not say before it is read. `allow_pickle` lets a `.pt` be read. `side` of the picture in pixels (default: 640,
        of a classifier 224). `iou` of suppression within a class, `duplicate_iou` across classes; `top` classes given.
        """
        if head not in HEADS:
            raise ProfileError(f"{self.name}: head {head!r} is none; give one of {', '.join(HEADS)}")
        self._file = file
        self._allow_pickle = allow_pickle
        self._side = side
        self._threshold = threshold
        self._iou = iou
        self._duplicate_iou = duplicate_iou
        self._top = top
        self._head: str = head
        pickles = (file or "*.pt",) if allow_pickle else ()
        self.patterns = ("*.yaml", *WEIGHTS, *pickles)
        spec = BackendSpec(
            name=self.name,
            kind="specialist",
            tasks=TASKS[head],
            licence=licence,
            batch_limit=batch_limit,
            cost=1.0,
            memory_mb=300,
            extra=EXTRA,
            requires=("ultralytics", "safetensors"),
        )
        super().__init__(spec, Origin(source, revision, device, precision, licence))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        path = self._weights(folder)
        if path.suffix == ".pt":
            if not self._allow_pickle:
                raise WeightsError(
                    f"{path}: is a pickle, which can run code as it is read; set allow_pickle: true if you trust its "
                    "maker, or make a folder of it: python -m visionrouter.backends.specialist.yolo.convert"
                )
            return {}
        architecture = read_architecture(path.parent)
        self._check(architecture, path)
        self._head = head_of(architecture)
        return {"tasks": TASKS[self._head], "labels": names_of(architecture["names"])}

    def _check(self, architecture: Mapping[str, Any], path: Path) -> None:
        if (other := backend_of(architecture)) != self.name:
            last = architecture["head"][-1][-2]
            raise WeightsError(f"{path}: has the head {last}; use the backend {other} for it")

    def _weights(self, folder: Path) -> Path:
        files = [file for file in hub.weight_files(folder) if file.suffix in (".safetensors", ".pt")]
        if self._file is not None:
            files = [file for file in files if file.name == self._file]
        chosen = [file for file in files if file.suffix == ".safetensors"] or files
        if len(chosen) != 1:
            raise WeightsError(
                f"{folder}: holds {len(chosen)} files of weights to choose from; name one with file:"
                if len(chosen) > 1
                else f"{folder}: holds no {self._file or 'safetensors or .pt'}"
            )
        return chosen[0]

    def open(self, folder: Path, device: Any, dtype: Any) -> Network:
        path = self._weights(folder)
        if path.suffix == ".safetensors":
            return from_safetensors(path.parent, path, self.spec.name, device, dtype)
        network = from_pickle(path, self.spec.name, device, dtype)
        if self.name != "yolo":
            self._check(network.model.yaml, path)
        if network.head != self._head:
            raise WeightsError(f"{path}: has the head {network.head}; set head: {network.head}")
        self.spec = replace(self.spec, labels=network.names)
        return network

    def answer(self, model: Network, queries: Sequence[Query]) -> list[Prediction]:
        if model.head == "classify":
            rows = reading.probabilities(model, [thicken(q.image.pixels) for q in queries], self._side or 224)
            return [
                classified(query, row, model.names, self._top)
                for query, row in zip(queries, rows, strict=True)
            ]
        found = self._seen(model, queries)
        return [self._read(query, rows, model.names) for query, rows in zip(queries, found, strict=True)]

    def _seen(self, model: Network, queries: Sequence[Query], **more: Any) -> list[Rows]:
        """What is in each image: those whose canvases are of one shape go through the network together."""
        thick = [thicken(query.image.pixels) for query in queries]
        canvases = [
            reading.letterboxed(pixels, self._side or 640, model.stride, self.spec.name) for pixels in thick
        ]
        seen = [(canvas, pixels.shape[:2]) for canvas, pixels in zip(canvases, thick, strict=True)]
        found: list[Rows] = in_batches(
            seen,
            lambda one: one[0].shape,
            lambda part: reading.found(
                model, [c for c, _ in part], [s for _, s in part], self._threshold, self._iou, **more
            ),
        )
        return found

    def _read(self, query: Query, rows: Rows, names: Sequence[str]) -> Prediction:
        labels = [names[c] for c in rows.classes]
        found, places = distinct(rows.boxes, rows.scores, labels, query.image.size, self._duplicate_iou)
        chosen, notes = narrow(found, query, self.spec)
        scores, at = found.scores[chosen], places[chosen]
        named = tuple(found.labels[i] for i in chosen)
        payload: Detections | Poses | Segmentation
        if query.task is Task.DETECT:
            payload = Detections(found.boxes[chosen], scores, named)
            if rows.angles is not None:
                notes += tuple(f"angle:{i}:{turn:.1f}" for i, turn in enumerate(np.degrees(rows.angles[at])))
        elif query.task is Task.POSE:
            assert rows.joints is not None
            joints = rows.joints[at]
            count = rows.joints.shape[1]
            human = count == len(coco.KEYPOINTS)
            payload = Poses(
                np.ascontiguousarray(joints[..., :2]),
                joints[..., 2].clip(0, 1),
                found.boxes[chosen],
                scores,
                coco.KEYPOINTS if human else tuple(f"joint_{i}" for i in range(count)),
                coco.EDGES if human else (),
            )
        else:
            assert rows.masks is not None
            height, width = query.image.height, query.image.width
            mode: Literal["instance", "referring"] = (
                "instance" if query.task is Task.INSTANCE else "referring"
            )
            masks = np.ascontiguousarray(rows.masks[at][:, :height, :width])
            payload = Segmentation(masks, scores, named, mode)
        return Prediction(payload, Evidence(signals_of(scores)), notes=notes)
