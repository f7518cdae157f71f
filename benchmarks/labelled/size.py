"""How large what an item asks for is in its image."""

from __future__ import annotations

import numpy as np

from visionrouter.benchmarks.labelled.item import Item
from visionrouter.schema.payload import Detections, Poses, Segmentation


def object_share(item: Item) -> float | None:
    """Median share of the image that a true mask, or where there is none a box, takes; None where nothing is there, or
    where the question is about the whole image."""
    truth = item.truth
    if isinstance(truth, Segmentation) and truth.mode != "semantic":
        shares = truth.masks.mean((1, 2))
    elif isinstance(truth, Detections | Poses):
        sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
        shares = sides.prod(1) / (item.image.width * item.image.height)
    else:
        return None
    there = shares[shares > 0]
    return float(np.median(there)) if there.size else None
