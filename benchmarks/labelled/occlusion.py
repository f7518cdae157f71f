"""How much of what an item asks for is hidden behind other things."""

from __future__ import annotations

import numpy as np

from visionrouter.benchmarks.labelled.picture import Picture
from visionrouter.schema.arrays import Bool
from visionrouter.schema.payload import Detections, Payload, Poses, Segmentation

TAG = "occluded"
"""The tag of an item that tells it, as a decimal share."""


def occluded_share(picture: Picture, truth: Payload) -> float | None:
    """Median hidden share of the things that a truth means; None where it means none, or where it is not known."""
    if isinstance(truth, Segmentation) and truth.mode != "semantic":
        wanted: Bool = np.asarray(truth.masks.any(0))
        meant = [t for t in picture.clear if bool(wanted[t.mask].all())]
    elif isinstance(truth, Detections | Poses):
        boxes = {tuple(box.tolist()) for box in truth.boxes}
        meant = [t for t in picture.things if tuple(t.box.tolist()) in boxes]
    else:
        return None
    shares = [thing.occluded for thing in meant if thing.occluded is not None]
    return float(np.median(shares)) if shares else None
