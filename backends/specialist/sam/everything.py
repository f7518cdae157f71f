"""Masks of everything in a picture: a grid of points is asked, the doubtful and the doubled are left out.

Kirillov et al. 2023 (arXiv 2304.02643), section 5 and appendix B; no crops, no mending of small regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from visionrouter.backends.specialist.sam.decoder import AT_ONCE, Decoder
from visionrouter.backends.specialist.sam.prompts import ANYTHING, STABILITY_OFFSET, Ask
from visionrouter.instruction.vocabulary import GENERIC
from visionrouter.schema.errors import ProfileError, UnsupportedTargetError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query

if TYPE_CHECKING:
    from torch import Tensor

DUPLICATE_IOU = 0.7
"""Overlap of two masks' boxes above which the one that fits worse goes."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Points a side, and what a mask must exceed (predicted IoU) and reach (stability) to be kept. Raises `ProfileError`
    for a grid without points."""

    points_per_side: int
    least_iou: float
    least_stability: float

    def __post_init__(self) -> None:
        if self.points_per_side < 1:
            raise ProfileError(f"points_per_side is {self.points_per_side}; give 1 or more")

    def asks(self, image: Image) -> list[Ask]:
        """One point each, in the middle of its cell, row by row."""
        middles = (np.arange(self.points_per_side, dtype=np.float32) + 0.5) / self.points_per_side
        places = np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 1, 2).astype(np.float32) * np.array(
            image.size, np.float32
        )
        return [Ask(None, place, (1,)) for place in places]


def check_wordless(query: Query, name: str) -> None:
    """Raises `UnsupportedTargetError` for a query that names a thing."""
    if named := [target.noun for target in query.targets if target.noun not in GENERIC]:
        raise UnsupportedTargetError(
            f"{name} knows no words, so it cannot find {named[0]!r}; give boxes, or compose it with a detector: "
            "`use: cutout` with parts detector and segmenter"
        )


def everything(decoder: Decoder, image: Image, grid: Grid) -> Prediction:
    """Masks without words, best first. Signals: `score`, the least predicted IoU, and `count`."""
    import torch
    from torchvision.ops import nms

    found: list[_Found] = []
    asks = grid.asks(image)
    for first in range(0, len(asks), AT_ONCE):
        logits, fit = decoder.masks(asks[first : first + AT_ONCE])
        good = fit > grid.least_iou
        found += [
            one
            for small, score in zip(logits[good], fit[good].tolist(), strict=True)
            if (one := _sized(decoder, small, score, grid.least_stability)) is not None
        ]
    kept: list[_Found] = []
    if found:
        boxes = torch.stack([one.box for one in found])
        scores = torch.tensor([one.score for one in found], device=boxes.device)
        kept = [found[i] for i in nms(boxes, scores, DUPLICATE_IOU).tolist()]
    masks = np.zeros((len(kept), image.height, image.width), np.bool_)
    for i, one in enumerate(kept):
        masks[i] = (decoder.enlarged(one.logits[None])[0] > 0).cpu().numpy()
    fits = np.array([one.score for one in kept], np.float32).clip(0, 1)
    signals = {"count": float(len(kept)), **({"score": float(fits.min())} if kept else {})}
    payload = Segmentation(masks, fits, (ANYTHING,) * len(kept), "instance")
    return Prediction(payload, Evidence(signals))


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A mask worth keeping: its small logits (h, w), since a photo's in float are large; how well it fits; its box (4,)."""

    logits: Tensor
    score: float
    box: Tensor


def _sized(decoder: Decoder, small: Tensor, score: float, least_stability: float) -> _Found | None:
    """A mask as it lies in the image; None where it has no pixel or is not stable."""
    from torchvision.ops import masks_to_boxes

    large = decoder.enlarged(small[None])
    mask = large > 0
    core, whole = int((large > STABILITY_OFFSET).sum()), int((large > -STABILITY_OFFSET).sum())
    if not mask.any() or core / whole < least_stability:
        return None
    (box,) = masks_to_boxes(mask)
    return _Found(small, score, box)
