"""MoveNet: poses of up to six people in one run, or of the one person in each box.

Google MoveNet MultiPose Lightning v1 and SinglePose Lightning v4, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.asked import narrow
from visionrouter.backends.specialist.embedded import FOLDER, WeightFile, WeightSet
from visionrouter.backends.specialist.sessions import default_threads, open_session
from visionrouter.backends.specialist.window import Window
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Detections, Poses
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    import onnxruntime

WEIGHTS = (
    WeightFile(
        "movenet_multipose.onnx",
        "33663d51dea5cddcfa1fc75d323da318a736c1e905acb15b40fc81fb2c7a4c29",
        9_527_273,
    ),
    WeightFile(
        "movenet_lightning.onnx",
        "01eaf4354024fe446c59d4b21283c156a64642b4fe86e7fc864e3699e5199c99",
        4_703_279,
    ),
)
CAPACITY = 6
"""Most people that one run of MultiPose gives."""

_LONG_SIDE, _CROP_SIDE, _CROP_MARGIN = 256, 192, 0.1
_JOINTS = len(coco.KEYPOINTS)

People = tuple[F32, F32, F32, F32]
"""Joints (N, 17, 2) in image pixels, joint scores (N, 17), boxes (N, 4), scores (N,)."""


class MoveNet(Backend):
    """COCO's 17 joints of people.

    Without boxes MultiPose looks at the whole picture; with box prompts Lightning looks for one person in each, in
    order, and always answers, also on a dog: trust a mean joint score above 0.3 only.

    Signals: `score`, the least person score given (absent where nobody is found), and `count`. A person's score is
    MultiPose's own, or the mean of Lightning's joint scores. Notes: `people_capped:6`, there may be more people.
    """

    def __init__(
        self, *, folder: str | Path | None = None, threads: int | None = None, threshold: float = 0.2
    ) -> None:
        """`folder` of the weights (default: the package's), `threads` a run, least person score `threshold`."""
        self._weights = WeightSet(WEIGHTS, FOLDER if folder is None else Path(folder))
        self._threads = threads or default_threads()
        self._threshold = threshold
        self._sessions: tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession] | None = None
        self.spec = BackendSpec(
            name="movenet",
            kind="specialist",
            tasks=frozenset({Task.POSE}),
            licence="Apache-2.0",
            labels=("person",),
            weights_digest=self._weights.digest,
            weights_bytes=self._weights.size,
            memory_mb=90,
            extra="nano",
            requires=("onnxruntime",),
        )

    def load(self) -> None:
        self._opened()

    def close(self) -> None:
        self._sessions = None

    def _opened(self) -> tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession]:
        sessions = self._sessions
        if sessions is None:
            multi, single = self._weights.verified()
            sessions = self._sessions = (
                open_session(multi, self._threads, self.spec.name),
                open_session(single, self._threads, self.spec.name),
            )
        return sessions

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        check_task(self.spec, query)
        multi, single = self._opened()
        if len(query.prompts.boxes):
            found = _in_boxes(single, query.image, query.prompts.boxes)
        else:
            found = _everywhere(multi, query.image, self._threshold)
        joints, joint_scores, boxes, scores = found
        notes = ["people_capped:6"] if not len(query.prompts.boxes) and len(scores) == CAPACITY else []
        chosen, more = narrow(Detections(boxes, scores, ("person",) * len(scores)), query, self.spec)
        poses = Poses(
            joints[chosen], joint_scores[chosen], boxes[chosen], scores[chosen], coco.KEYPOINTS, coco.EDGES
        )
        signals = {"count": float(len(poses))}
        if len(poses):
            signals["score"] = float(poses.scores.min())
        return Prediction(poses, Evidence(signals), notes=(*notes, *more))


def _everywhere(session: onnxruntime.InferenceSession, image: Image, threshold: float) -> People:
    """People of the whole picture, best first, by MultiPose."""
    window = Window.whole(image.size, _LONG_SIDE, 32, centred=False)
    canvas = window.sample(image.pixels)[None].astype(np.int32)
    people: F32 = session.run(["people"], {"image": canvas})[0][0]
    people = people[people[:, -1] >= threshold]
    people = people[np.argsort(-people[:, -1], kind="stable")]
    # 17 x (y, x, score), then y1 x1 y2 x2, score; places 0..1 of the canvas
    canvas_size = np.array([window.width, window.height], np.float32)
    joints = people[:, : 3 * _JOINTS].reshape(-1, _JOINTS, 3)
    corners = people[:, [52, 51, 54, 53]].reshape(-1, 2, 2)
    boxes = window.to_image(corners * canvas_size).clip(0, image.size).reshape(-1, 4)
    return (
        window.to_image(joints[..., 1::-1] * canvas_size),
        joints[..., 2].clip(0, 1),
        boxes.astype(np.float32),
        people[:, -1].clip(0, 1),
    )


def _in_boxes(session: onnxruntime.InferenceSession, image: Image, boxes: F32) -> People:
    """One person in each box, in the order of the boxes, by Lightning."""
    joints = np.zeros((len(boxes), _JOINTS, 2), np.float32)
    scores = np.zeros((len(boxes), _JOINTS), np.float32)
    for i, box in enumerate(boxes):
        window = Window.square(box, _CROP_SIDE, _CROP_MARGIN)
        canvas = window.sample(image.pixels)[None].astype(np.int32)
        found: F32 = session.run(["keypoints"], {"image": canvas})[0][0, 0]
        joints[i] = window.to_image(found[:, 1::-1] * _CROP_SIDE)
        scores[i] = found[:, 2].clip(0, 1)
    return joints, scores, boxes, scores.mean(1)
