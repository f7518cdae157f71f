"""Results as other tools take them: supervision, COCO, and plain files in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.errors import MissingExtraError, SchemaError
from visionrouter.schema.payload import (
    Classification,
    Composite,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
)

if TYPE_CHECKING:
    import supervision

    from visionrouter.schema.result import Result

DEPTH_PNG_MAX_M = 65.534
"""16-bit depth PNGs hold millimetres; 65535 marks what is farther, 0 what is not known."""


def elements(payload: Payload | None) -> tuple[F32, tuple[str, ...], F32, Bool | None]:
    """Boxes (N, 4), labels, raw scores (N,) and masks (N, H, W) or None of a payload that is a set of things.

    Raises `SchemaError` for a payload that is not one (a depth map, say).
    """
    match payload:
        case Detections():
            return payload.boxes, payload.labels, payload.scores, None
        case Segmentation():
            return payload.boxes, payload.labels, payload.scores, payload.masks
        case Poses():
            return payload.boxes, ("person",) * len(payload), payload.scores, None
        case Composite(entities=entities):
            boxes = np.array([e.box for e in entities], np.float32).reshape(-1, 4)
            scores = np.array([e.score for e in entities], np.float32)
            return boxes, tuple(e.label for e in entities), scores, None
        case None:
            return np.zeros((0, 4), np.float32), (), np.zeros(0, np.float32), None
        case _:
            raise SchemaError(
                f"a {payload.kind} is not a set of things; this export takes boxes, masks and poses"
            )


def to_supervision(result: Result) -> supervision.Detections:
    try:
        import supervision
    except ImportError as error:
        raise MissingExtraError(
            "supervision is not installed; pip install 'visionrouter[supervision]'"
        ) from error
    boxes, labels, scores, masks = elements(result.payload)
    if not len(labels):
        return supervision.Detections.empty()
    names = sorted(set(labels))
    return supervision.Detections(
        xyxy=boxes.copy(),
        mask=None if masks is None else masks.copy(),
        confidence=scores.copy(),
        class_id=np.array([names.index(label) for label in labels]),
        data={"class_name": np.array(labels)},
    )


def to_coco(result: Result, image_id: int = 0, categories: Iterable[str] | None = None) -> dict[str, Any]:
    from pycocotools import mask as coco

    boxes, labels, scores, masks = elements(result.payload)
    names = list(dict.fromkeys(categories if categories is not None else labels))
    unknown = sorted(set(labels) - set(names))
    if unknown:
        raise SchemaError(f"labels {unknown} are not among the categories given; add them")
    annotations = []
    for i, label in enumerate(labels):
        x1, y1, x2, y2 = (float(v) for v in boxes[i])
        row: dict[str, Any] = {
            "id": i + 1,
            "image_id": image_id,
            "category_id": names.index(label) + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "score": float(scores[i]),
        }
        if masks is not None:
            rle: Any = coco.encode(np.asfortranarray(masks[i].astype(np.uint8)))
            row["segmentation"] = {
                "size": [int(v) for v in rle["size"]],
                "counts": rle["counts"].decode("ascii"),
            }
            row["area"] = float(masks[i].sum())
        if isinstance(result.payload, Poses):
            found = result.payload.keypoint_scores[i] > 0
            points = np.where(found[:, None], result.payload.keypoints[i], 0)
            flat = np.column_stack([points, np.where(found, 2, 0)])
            row["keypoints"] = [float(v) for v in flat.ravel()]
            row["num_keypoints"] = int(found.sum())
        annotations.append(row)
    people = {"keypoints": list(result.payload.names)} if isinstance(result.payload, Poses) else {}
    width, height = result.image_size
    return {
        "images": [{"id": image_id, "width": width, "height": height}],
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name, **people} for i, name in enumerate(names)],
    }


def save(result: Result, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(result.to_json(indent=2) + "\n", encoding="utf-8")
    if result.payload is not None:
        _save_payload(result.payload, folder)
    return folder


def _save_payload(payload: Payload, folder: Path) -> None:
    import PIL.Image

    match payload:
        case Segmentation():
            for i, (mask, label) in enumerate(zip(payload.masks, payload.labels, strict=True)):
                safe = "".join(c if c.isalnum() else "_" for c in label)[:40]
                PIL.Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"mask_{i:02d}_{safe}.png")
        case DepthMap():
            np.savez_compressed(folder / "depth.npz", values=payload.values)
            if payload.is_metric:
                PIL.Image.fromarray(depth_to_mm(payload.values)).save(folder / "depth_mm.png")
        case NormalMap():
            np.savez_compressed(folder / "normals.npz", values=payload.values)
        case Intrinsics():
            maps: dict[str, Any] = dict(payload.maps)
            np.savez_compressed(folder / "intrinsics.npz", **maps)
        case Composite(image=image) if image is not None:
            PIL.Image.fromarray(image).save(folder / "redacted.png")
        case Detections() | Poses() | Classification() | Composite():
            pass


def depth_to_mm(depth_m: F32) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """uint16 millimetres: 0 where not known (NaN), 65535 from `DEPTH_PNG_MAX_M` on (and for +inf)."""
    mm = np.nan_to_num(depth_m, nan=0.0, posinf=np.inf) * 1000.0
    return np.where(depth_m > DEPTH_PNG_MAX_M, 65535.0, mm.clip(0, 65535)).round().astype(np.uint16)
