"""Joins of composites: distances from boxes and depth, counts, redactions. Pure functions of payloads."""

from __future__ import annotations

import numpy as np

from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.interchange import elements
from visionrouter.schema.payload import Composite, DepthMap, Detections, Entity, Segmentation
from visionrouter.schema.task import Operation

_CORE = 0.5
"""Share of a box's width and height, around its middle, that is taken for the thing itself."""

Box = tuple[float, float, float, float]


def distance(things: Detections | Segmentation, depth: DepthMap) -> Composite:
    """How far each thing is: the median depth over its mask, or over the middle of its box.

    The interval holds the central 80 % of those values. Pixels without a depth (NaN, sky) do not count; a thing with
    none left has no value. Disparities give no distance.
    """
    boxes, labels, scores, masks = elements(things)
    entities = []
    for i, label in enumerate(labels):
        values = _over(depth.values, boxes[i], None if masks is None else masks[i])
        box: Box = tuple(float(v) for v in boxes[i])  # type: ignore[assignment]
        if depth.unit == "disparity" or not values.size:
            entities.append(Entity(label, box, float(scores[i])))
            continue
        low, middle, high = (float(v) for v in np.quantile(values, (0.1, 0.5, 0.9)))
        entities.append(Entity(label, box, float(scores[i]), middle, (low, high), depth.unit))
    return Composite(
        Operation.DISTANCE,
        distance_sentence(entities),
        tuple(entities),
        {"things": things, "depth": depth},
    )


def count(things: Detections | Segmentation, noun: str) -> Composite:
    """How many things there are."""
    boxes, labels, scores, _ = elements(things)
    entities = tuple(
        Entity(label, tuple(float(v) for v in boxes[i]), float(scores[i]))  # type: ignore[arg-type]
        for i, label in enumerate(labels)
    )
    return Composite(Operation.COUNT, f"{len(entities)} x {noun}", entities, {"things": things})


def redact(pixels: U8, things: Detections | Segmentation, style: str) -> Composite:
    """Make every thing unrecognisable: its mask, or its box where there is none.

    `pixels`: uint8 (H, W, 3). `style`: "blur", "pixelate" or "black". What is painted is made of block means of
    at least 1/8 of the thing's longer side, so that a blur cannot be undone to a face.
    """
    boxes, labels, scores, masks = elements(things)
    image = pixels.copy()
    for i in range(len(labels)):
        x1, y1 = np.floor(boxes[i, :2]).astype(int).clip(0)
        x2, y2 = np.ceil(boxes[i, 2:]).astype(int)
        patch = image[y1:y2, x1:x2]
        if not patch.size:
            continue
        inside = None if masks is None else masks[i, y1:y2, x1:x2]
        veiled = _veil(patch, style)
        image[y1:y2, x1:x2] = veiled if inside is None else np.where(inside[..., None], veiled, patch)
    entities = tuple(
        Entity(label, tuple(float(v) for v in boxes[i]), float(scores[i]))  # type: ignore[arg-type]
        for i, label in enumerate(labels)
    )
    noun = labels[0] if len(set(labels)) == 1 else "thing"
    return Composite(
        Operation.REDACT, f"{len(entities)} x {noun}: {style}", entities, {"things": things}, image
    )


def _over(depth: F32, box: F32, mask: Bool | None) -> F32:
    if mask is not None:
        values = depth[mask]
    else:
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * _CORE
        x1, y1 = np.floor(centre - half).astype(int).clip(0)
        x2, y2 = np.ceil(centre + half).astype(int)
        values = depth[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    return np.asarray(values[np.isfinite(values)], np.float32)


def _veil(patch: U8, style: str) -> U8:
    if style == "black":
        return np.zeros_like(patch)
    height, width = patch.shape[:2]
    block = max(1, round(max(height, width) / 8))
    rows, columns = np.arange(height) // block, np.arange(width) // block
    cells = rows[:, None] * (columns[-1] + 1) + columns[None]
    sizes = np.bincount(cells.ravel())
    means = np.stack([np.bincount(cells.ravel(), patch[..., c].ravel()) / sizes for c in range(3)], -1)
    mosaic = means[cells]
    if style == "blur":
        from scipy.ndimage import uniform_filter

        mosaic = uniform_filter(uniform_filter(mosaic, (block, block, 0)), (block, block, 0))
    veiled: U8 = mosaic.round().clip(0, 255).astype(np.uint8)
    return veiled


def distance_sentence(entities: list[Entity]) -> str:
    if not entities:
        return "nothing to measure"
    words = []
    for entity in entities:
        if entity.value is None or entity.interval is None:
            words.append(f"{entity.label}: not known")
        else:
            low, high = entity.interval
            words.append(f"{entity.label} {entity.value:.1f} {entity.unit} ({low:.1f} to {high:.1f})")
    return ", ".join(words)
