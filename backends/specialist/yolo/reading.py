"""From a YOLO network's numbers to what its head found in each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.pretrained import finite
from visionrouter.backends.specialist.yolo.network import EXTRA, Network
from visionrouter.schema.arrays import F32, U8, Bool

MOST = 300
"""Things that one image can have, as in the library."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """N things of one image, best first: boxes float32 (N, 4) xyxy pixels, scores (N,), class numbers (N,).

    Of a segmenting head `masks` bool (N, H, W); of a pose head `joints` float32 (N, K, 3) x, y, score; of an oriented
    head `angles` float32 (N,) radians, clockwise from +x, and the boxes lie tight around the turned ones.
    """

    boxes: F32
    scores: F32
    classes: tuple[int, ...]
    masks: Bool | None = None
    joints: F32 | None = None
    angles: F32 | None = field(default=None)


def letterboxed(pixels: U8, side: int, stride: int, name: str) -> U8:
    """uint8 (h, w, 3): the picture with its long side `side` pixels, grey to whole strides, by the library."""
    augment = require("ultralytics.data.augment", name, EXTRA)
    canvas: U8 = augment.LetterBox((side, side), auto=True, stride=stride)(image=pixels)
    return canvas


def found(
    network: Network,
    canvases: Sequence[U8],
    sizes: Sequence[tuple[int, int]],
    threshold: float,
    iou: float,
    **more: Any,
) -> list[Rows]:
    """What a head other than `classify` finds on canvases (h, w, 3) of one shape, of images of (height, width)."""
    import torch

    nms = require("ultralytics.utils.nms", "yolo", EXTRA)
    batch = torch.from_numpy(np.stack(canvases)).to(network.device).permute(0, 3, 1, 2).contiguous()
    output = network.model(batch.to(network.dtype) / 255, **more)
    cells = output[0] if isinstance(output, tuple | list) else output
    protos = None
    if network.head == "segment":
        cells, protos = cells if isinstance(cells, tuple | list) else (cells, output[1])
    rows = nms.non_max_suppression(
        finite(cells.float(), "yolo"),
        threshold,
        iou,
        max_det=MOST,
        nc=0 if network.head == "detect" else len(network.names),
        end2end=bool(getattr(network.model, "end2end", False)),
        rotated=network.head == "obb",
        max_time_img=3600.0,  # what is slow is not dropped
    )
    canvas = canvases[0].shape[:2]
    return [
        _read(network, row, canvas, size, None if protos is None else protos[i].float())
        for i, (row, size) in enumerate(zip(rows, sizes, strict=True))
    ]


def _read(network: Network, row: Any, canvas: tuple[int, int], size: tuple[int, int], protos: Any) -> Rows:
    """`row` (N, 6 + ...): a box on the canvas, score, class, then mask coefficients, joints or an angle."""
    import torch

    ops = require("ultralytics.utils.ops", "yolo", EXTRA)
    classes = tuple(int(c) for c in row[:, 5].tolist())
    scores = _numpy(row[:, 4])
    if network.head == "obb":
        turned = torch.cat([row[:, :4], row[:, -1:]], 1)
        turned[:, :4] = ops.scale_boxes(canvas, turned[:, :4], size, xywh=True)
        corners = _numpy(ops.xywhr2xyxyxyxy(turned).reshape(-1, 4, 2))
        boxes = (
            np.concatenate([corners.min(1), corners.max(1)], 1)
            if len(corners)
            else np.zeros((0, 4), np.float32)
        )
        return Rows(boxes, scores, classes, angles=_numpy(turned[:, 4]))
    boxes_on_image = ops.scale_boxes(canvas, row[:, :4].clone(), size)
    boxes = _numpy(boxes_on_image)
    if network.head == "segment":
        masks = np.zeros((len(row), *size), np.bool_)
        for i in range(len(row)):  # one at a time: a photo's masks in float are large
            one = ops.process_mask_native(protos, row[i : i + 1, 6:], boxes_on_image[i : i + 1], size)
            masks[i] = one[0].cpu().numpy() > 0
        return Rows(boxes, scores, classes, masks=masks)
    if network.head == "pose":
        joints = ops.scale_coords(canvas, row[:, 6:].reshape(len(row), *network.joints).clone(), size)
        if joints.shape[-1] == 2:
            joints = torch.cat([joints, torch.ones_like(joints[..., :1])], -1)
        return Rows(boxes, scores, classes, joints=_numpy(joints))
    return Rows(boxes, scores, classes)


def probabilities(network: Network, images: Sequence[U8], side: int) -> F32:
    """float32 (N, classes) of a classifying head for images, uint8 (H, W, 3)."""
    import PIL.Image
    import torch

    augment = require("ultralytics.data.augment", "yolo", EXTRA)
    transforms = augment.classify_transforms(side)
    batch = torch.stack([transforms(PIL.Image.fromarray(pixels)) for pixels in images])
    output = network.model(batch.to(network.device, network.dtype))
    cells = output[0] if isinstance(output, tuple | list) else output
    return _numpy(finite(cells, "yolo"))


def _numpy(values: Any) -> F32:
    array: F32 = values.float().cpu().numpy()
    return array
