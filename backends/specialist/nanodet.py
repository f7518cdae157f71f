"""NanoDet-g: a COCO-80 detector of 3.8 M parameters.

RangiLyu/nanodet, Apache-2.0. A box's sides are the means of distributions over distances (Li et al. 2020,
"Generalized Focal Loss", arXiv:2006.04388, equation 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.asked import narrow
from visionrouter.backends.specialist.boxes import suppress
from visionrouter.backends.specialist.embedded import FOLDER, WeightFile, WeightSet
from visionrouter.backends.specialist.sessions import default_threads, open_session
from visionrouter.backends.specialist.window import Window
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32
from visionrouter.schema.payload import Detections
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    import onnxruntime

WEIGHTS = WeightFile(
    "nanodet_coco80.onnx", "3c41695fcf328dc70c54560be33f8b7472893cd8519f69ab632376a3b5981573", 7_584_370
)

_LONG_SIDE = 512
_MEAN_BGR, _STD_BGR = (
    np.array([103.53, 116.28, 123.675], np.float32),
    np.array([57.375, 57.12, 58.395], np.float32),
)
_STRIDES = (8, 16, 32)
_BINS = np.arange(11, dtype=np.float32)
_SAME_CLASS_IOU = 0.5


class NanoDet(Backend):
    """Boxes of COCO's 80 classes.

    Words are mapped onto the classes, then narrowed by colour, number and relation. Overlapping boxes of one class
    are suppressed; so are boxes of two classes, for they are one thing under two names.

    Signals: `score`, the least score given (absent where nothing is found), and `count`. Notes: see
    `visionrouter.backends.specialist.asked`. Raises `UnsupportedTargetError` for words outside the classes.
    """

    def __init__(
        self,
        *,
        folder: str | Path | None = None,
        threads: int | None = None,
        threshold: float = 0.45,
        duplicate_iou: float = 0.7,
    ) -> None:
        """`folder` of the weights (default: the package's), `threads` a run, least raw score `threshold`.

        `duplicate_iou`: overlap above which the worse of two boxes of different classes goes; 1 keeps all.
        """
        self._weights = WeightSet((WEIGHTS,), FOLDER if folder is None else Path(folder))
        self._threads = threads or default_threads()
        self._threshold = threshold
        self._duplicate_iou = duplicate_iou
        self._session: onnxruntime.InferenceSession | None = None
        self.spec = BackendSpec(
            name="nanodet",
            kind="specialist",
            tasks=frozenset({Task.DETECT}),
            licence="Apache-2.0",
            labels=coco.CLASSES,
            weights_digest=self._weights.digest,
            weights_bytes=self._weights.size,
            batch_limit=8,
            memory_mb=80,
            extra="nano",
            requires=("onnxruntime",),
        )

    def load(self) -> None:
        self._opened()

    def close(self) -> None:
        self._session = None

    def _opened(self) -> onnxruntime.InferenceSession:
        session = self._session
        if session is None:
            (path,) = self._weights.verified()
            session = self._session = open_session(path, self._threads, self.spec.name)
        return session

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """One run of the network for the images that share a canvas."""
        for query in queries:
            check_task(self.spec, query)
        windows = [Window.whole(query.image.size, _LONG_SIDE, 32, centred=True) for query in queries]
        together: dict[tuple[int, int], list[int]] = {}
        for i, window in enumerate(windows):
            together.setdefault((window.width, window.height), []).append(i)
        answers: dict[int, Prediction] = {}
        for places in together.values():
            canvases = np.stack([windows[i].sample(queries[i].image.pixels) for i in places])
            images = ((canvases[..., ::-1] - _MEAN_BGR) / _STD_BGR).transpose(0, 3, 1, 2)
            scores, sides = self._opened().run(["scores", "dfl"], {"images": np.ascontiguousarray(images)})
            for i, score, side in zip(places, scores, sides, strict=True):
                answers[i] = self._answer(queries[i], windows[i], score, side)
        return [answers[i] for i in range(len(queries))]

    def _answer(self, query: Query, window: Window, scores: F32, sides: F32) -> Prediction:
        found = self._detections(query.image.size, window, scores, sides)
        chosen, notes = narrow(found, query, self.spec)
        kept = Detections(found.boxes[chosen], found.scores[chosen], tuple(found.labels[i] for i in chosen))
        signals = {"count": float(len(kept))}
        if len(kept):
            signals["score"] = float(kept.scores.min())
        return Prediction(kept, Evidence(signals), notes=notes)

    def _detections(self, size: tuple[int, int], window: Window, scores: F32, sides: F32) -> Detections:
        """From `scores` (cells, 80) and logits `sides` (cells, 44) to boxes, best first."""
        cells, classes = np.nonzero(scores > self._threshold)
        score = scores[cells, classes]
        centre, stride = (grid[cells] for grid in _cells(window.width, window.height))
        logits = sides[cells].reshape(-1, 4, len(_BINS))
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        distance = (
            (weights / weights.sum(-1, keepdims=True)) @ _BINS * stride[:, None]
        )  # left, top, right, bottom
        corners = np.stack([centre - distance[:, :2], centre + distance[:, 2:]], 1)
        boxes = window.to_image(corners).clip(0, size).reshape(-1, 4).astype(np.float32)

        apart = classes[:, None] * np.float32(
            2 * max(size)
        )  # shifts each class away, so that one pass does for all
        kept = suppress(boxes + apart, score, _SAME_CLASS_IOU)
        kept = kept[suppress(boxes[kept], score[kept], self._duplicate_iou)]
        return Detections(boxes[kept], score[kept].clip(0, 1), tuple(coco.CLASSES[c] for c in classes[kept]))


def _cells(width: int, height: int) -> tuple[F32, F32]:
    """Centres, float32 (cells, 2), and strides, float32 (cells,), of the three grids over a canvas."""
    centres, strides = [], []
    for stride in _STRIDES:
        ys, xs = np.mgrid[: height // stride, : width // stride].astype(np.float32)
        centres.append((np.stack([xs.ravel(), ys.ravel()], 1) + 0.5) * stride)
        strides.append(np.full(xs.size, stride, np.float32))
    return np.concatenate(centres), np.concatenate(strides)
