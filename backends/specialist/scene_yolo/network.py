"""The network: ultralytics' YOLO11-nano, built from its yaml and never from a pickled checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.boxes import suppress
from visionrouter.backends.specialist.familiarity import pooled
from visionrouter.backends.specialist.yolo.network import tasks
from visionrouter.schema.arrays import F32

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURE = "yolo11n.yaml"
MULTIPLE = 32
FEATURE_LAYER = 6
SAME_CLASS_IOU = 0.6
CANDIDATES = 1000
"""Best boxes of a picture that are compared with each other."""


def build(classes: int, name: str = "scene_yolo") -> Any:
    """The network with random weights; its head answers in xyxy. Raises `MissingExtraError` without its library."""
    with tasks(name) as library:
        model = library.DetectionModel(ARCHITECTURE, ch=3, nc=classes, verbose=False)
        model.args = require("ultralytics.cfg", name, "ultralytics").get_cfg()
    model.model[-1].xyxy = True
    return model


def pick(
    cells: F32, threshold: float, duplicate_iou: float
) -> tuple[F32, F32, np.ndarray[Any, np.dtype[np.intp]]]:
    """Boxes (N, 4) xyxy in canvas pixels, scores (N,) and classes (N,) of one picture, best first.

    `cells` float32 (4 + classes, A) is the network's answer. Boxes of one class are suppressed above an overlap of
    0.6, boxes of different classes above `duplicate_iou` (1 keeps all).
    """
    classes, places = np.nonzero(cells[4:] > threshold)
    best = np.argsort(-cells[4:][classes, places], kind="stable")[:CANDIDATES]
    classes, places = classes[best], places[best]
    scores, boxes = cells[4:][classes, places], cells[:4, places].T
    apart = classes[:, None].astype(np.float32) * (np.abs(boxes).max(initial=0) * 2 + 1)
    kept = suppress(boxes + apart, scores, SAME_CLASS_IOU)
    kept = kept[suppress(boxes[kept], scores[kept], duplicate_iou)]
    return boxes[kept].astype(np.float32), scores[kept].clip(0, 1), classes[kept]


def features(model: Any, rgb: Tensor) -> Tensor:
    """Pooled features (B, F) of pictures (B, 3, H, W), sRGB in [0, 1]: the backbone's, at a sixteenth of the side."""
    for layer in model.model[: FEATURE_LAYER + 1]:
        rgb = layer(rgb)
    return pooled(rgb)
