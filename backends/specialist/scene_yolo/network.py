"""The network: ultralytics' YOLO11-nano for boxes and poses over the encoder of the U-Net, never read from a pickle.

It is the library's own `yolo11n-pose.yaml` with another backbone: timm's EfficientNet-Lite0, which has seen ImageNet and
rendered scenes, where the library's begins with nothing. One head gives boxes of all classes and, with each box, seventeen
joints, which mean something where the class is a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.boxes import suppress
from visionrouter.backends.specialist.familiarity import pooled
from visionrouter.backends.specialist.yolo.network import tasks
from visionrouter.schema.arrays import F32

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURE = "yolo11n-pose.yaml"
ENCODER = "tf_efficientnet_lite0"
BACKBONE: tuple[tuple[int, int, str, list[int]], ...] = (
    (-1, 1, "Stages", []),
    (0, 1, "Index", [40, 0]),
    (0, 1, "Index", [112, 1]),
    (0, 1, "Index", [320, 2]),
    (-1, 1, "SPPF", [1024, 5]),
)
"""In place of the library's eleven layers: stages at 1/8, 1/16 and 1/32 of the side (from, repeats, module, arguments)."""
PLACES = {4: 1, 6: 2, 10: 4}
"""Layers of the library's backbone that its head reads, and those that stand for them here."""
MULTIPLE = 32
JOINTS = 17
SAME_CLASS_IOU = 0.6
CANDIDATES = 1000
"""Best boxes of a picture that are compared with each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Things of one picture, best first: `boxes` float32 (N, 4) xyxy and `joints` float32 (N, 17, 3) x, y, score, in canvas
    pixels; `scores` float32 (N,); `classes` intp (N,)."""

    boxes: F32
    scores: F32
    classes: np.ndarray[Any, np.dtype[np.intp]]
    joints: F32


def build(classes: int, name: str = "scene_yolo") -> Any:
    """The network with random weights; its head answers in xyxy. Raises `MissingExtraError` without its library."""
    timm = require("timm", name, "ultralytics")
    nn = require("torch.nn", name, "ultralytics")

    class Stages(nn.Module):  # type: ignore[name-defined,misc]
        """Pictures (B, 3, H, W), sRGB in [0, 1], to their maps at 1/8, 1/16 and 1/32 of the side."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = timm.create_model(
                ENCODER, pretrained=False, features_only=True, out_indices=(2, 3, 4)
            )

        def forward(self, rgb: Tensor) -> list[Tensor]:
            maps: list[Tensor] = self.encoder((rgb - 0.5) / 0.5)
            return maps

    with tasks(name) as library:
        vars(library)["Stages"] = Stages  # the library looks for the modules of a yaml among its own names
        plan = {**library.yaml_model_load(ARCHITECTURE), "nc": classes}
        plan["backbone"] = [list(layer) for layer in BACKBONE]
        plan["head"] = [[_moved(source), *layer] for source, *layer in plan["head"]]
        model = library.PoseModel(plan, ch=3, nc=classes, verbose=False)
        model.args = require("ultralytics.cfg", name, "ultralytics").get_cfg()
    model.model[-1].xyxy = True
    return model


def _moved(source: int | list[int]) -> int | list[int]:
    """Where a layer of the head reads from, in this network."""
    if isinstance(source, list):
        return [place for one in source if isinstance(place := _moved(one), int)]
    return source if source < 0 else PLACES.get(source, source + len(BACKBONE) - 11)


def answer(model: Any, rgb: Tensor) -> tuple[list[F32], Tensor]:
    """Of pictures (B, 3, H, W), sRGB in [0, 1]: float32 (4 + classes + 51, A) for each, and features (B, F)."""
    seen: list[Tensor] = []
    watch = model.model[0].register_forward_hook(lambda _module, _given, maps: seen.append(pooled(maps[1])))
    try:
        cells = model(rgb)[0].float().cpu().numpy()
    finally:
        watch.remove()
    return list(cells), seen[0]


def features(model: Any, rgb: Tensor) -> Tensor:
    """Pooled features (B, F) of pictures (B, 3, H, W), sRGB in [0, 1]: the encoder's, at a sixteenth of the side."""
    return pooled(model.model[0](rgb)[1])


def pick(cells: F32, threshold: float, duplicate_iou: float) -> Found:
    """What is in one picture, of the network's answer `cells` float32 (4 + classes + 51, A).

    Boxes of one class are suppressed above an overlap of 0.6, boxes of different classes above `duplicate_iou` (1 keeps
    all).
    """
    of_class, joints = cells[4 : -3 * JOINTS], cells[-3 * JOINTS :]
    classes, places = np.nonzero(of_class > threshold)
    best = np.argsort(-of_class[classes, places], kind="stable")[:CANDIDATES]
    classes, places = classes[best], places[best]
    scores, boxes = of_class[classes, places], cells[:4, places].T
    apart = classes[:, None].astype(np.float32) * (np.abs(boxes).max(initial=0) * 2 + 1)
    kept = suppress(boxes + apart, scores, SAME_CLASS_IOU)
    kept = kept[suppress(boxes[kept], scores[kept], duplicate_iou)]
    return Found(
        boxes[kept].astype(np.float32),
        scores[kept].clip(0, 1),
        classes[kept],
        np.ascontiguousarray(joints[:, places[kept]].T).reshape(-1, JOINTS, 3),
    )
