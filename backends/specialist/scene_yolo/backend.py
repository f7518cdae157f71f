"""The detector of the proving ground as a backend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.asked import Indices, narrow
from visionrouter.backends.specialist.familiarity import Familiarity
from visionrouter.backends.specialist.scene_yolo.network import JOINTS, MULTIPLE, Found, answer, build, pick
from visionrouter.backends.specialist.trained import Trained
from visionrouter.backends.specialist.window import Window
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32
from visionrouter.schema.payload import Detections, Poses
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

PERSON = "person"


class SceneYolo(Backend):
    """Boxes of the proving ground's things, and poses of its people. The code it runs on is AGPL-3.0: installed only by
    asking for its extra.

    Signals: `score`, the least score given (absent where nothing is found), `count`, and `familiarity`, above 1 where
    the picture is unlike the training's. Notes: see `visionrouter.backends.specialist.asked`. Raises
    `UnsupportedTargetError` for words outside the classes.
    """

    def __init__(
        self,
        *,
        folder: str | Path | None = None,
        device: str = "cpu",
        long_side: int = 256,
        threshold: float = 0.25,
        duplicate_iou: float = 0.7,
    ) -> None:
        """`folder` of weights and card (default: the package's); `long_side` of the canvas in pixels; least raw score.

        `duplicate_iou`: overlap above which the worse of two boxes of different classes goes; 1 keeps all. Raises
        `WeightsError` where there is no card.
        """
        self._trained = Trained.read("scene_yolo", folder)
        self._device = device
        self._long_side = long_side
        self._threshold = threshold
        self._duplicate_iou = duplicate_iou
        self._model: tuple[Any, Familiarity | None] | None = None
        self.spec = BackendSpec(
            name="scene_yolo",
            kind="specialist",
            tasks=frozenset({Task.DETECT, Task.POSE}),
            licence="AGPL-3.0",
            labels=self._trained.classes,
            weights_digest=self._trained.weights.digest,
            weights_bytes=self._trained.weights.size,
            cost=1.0,
            memory_mb=120,
            extra="ultralytics",
            requires=("ultralytics", "safetensors"),
        )

    def load(self) -> None:
        self._loaded()

    def close(self) -> None:
        self._model = None

    def _loaded(self) -> tuple[Any, Familiarity | None]:
        if self._model is None:
            classes = len(self._trained.classes)
            network = self._trained.fill(lambda: build(classes, self.spec.name), self._device)
            self._model = network, self._trained.familiarity()
        return self._model

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        import torch

        check_task(self.spec, query)
        window = Window.whole(query.image.size, self._long_side, MULTIPLE, centred=True)
        canvas = torch.from_numpy(window.sample(query.image.pixels)).permute(2, 0, 1)[None]
        network, familiarity = self._loaded()
        with torch.inference_mode():
            (cells,), rows = answer(network, canvas.to(self._device).float() / 255)
        signals = {} if familiarity is None else familiarity.signal(rows)
        seen = pick(cells, self._threshold, self._duplicate_iou)
        corners = window.to_image(seen.boxes.reshape(-1, 2, 2)).clip(0, query.image.size)
        labels = tuple(self._trained.classes[c] for c in seen.classes)
        found = Detections(corners.reshape(-1, 4).astype(np.float32), seen.scores, labels)
        chosen, notes = narrow(found, query, self.spec)
        payload: Detections | Poses
        if query.task is Task.POSE:
            chosen = chosen[np.array([labels[i] == PERSON for i in chosen], np.bool_)]
            payload = _poses(seen, chosen, window, found.boxes[chosen])
        else:
            payload = Detections(found.boxes[chosen], found.scores[chosen], tuple(labels[i] for i in chosen))
        signals["count"] = float(len(chosen))
        if len(chosen):
            signals["score"] = float(payload.scores.min())
        return Prediction(payload, Evidence(signals), notes=notes)


def _poses(seen: Found, chosen: Indices, window: Window, boxes: F32) -> Poses:
    """The people among the things seen, their joints in image pixels."""
    joints = seen.joints[chosen]
    places = window.to_image(joints[..., :2].reshape(-1, 2)).reshape(-1, JOINTS, 2)
    return Poses(
        places.astype(np.float32),
        np.ascontiguousarray(joints[..., 2]).clip(0, 1),
        boxes,
        seen.scores[chosen],
        coco.KEYPOINTS,
        coco.EDGES,
    )
