"""Boxes and points as Segment Anything takes them, and masks as results give them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.errors import BackendError
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Prompts, Query

ANYTHING = "object"
"""The label of a mask that no word was given for."""
STABILITY_OFFSET = 1.0
"""How far from 0 the logits are cut to see whether a mask is stable."""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """What one mask is asked with: a box float32 (4,) xyxy or None, points float32 (P, 2) and their kinds (P,), 1 on
    the thing, 0 off it; all in image pixels."""

    box: F32 | None
    points: F32
    kinds: tuple[int, ...]

    @property
    def form(self) -> tuple[bool, int]:
        """Prompts of one form run together."""
        return self.box is not None, len(self.kinds)

    @property
    def ambiguous(self) -> bool:
        """A single point can mean a thing, a part of it, or what it is part of."""
        return self.box is None and len(self.kinds) == 1


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """One mask: logits float32 (H, W) at the image's size, and the network's own guess of how well it fits."""

    logits: F32
    iou: float


@dataclass(frozen=True, slots=True)
class Asks:
    """One ask a mask, in the order of the boxes, and notes on points that were not heeded."""

    asks: tuple[Ask, ...]
    notes: tuple[str, ...] = field(default=())


def read(prompts: Prompts, name: str) -> Asks:
    """One ask a box, or one for all points where there is no box.

    Positive points help every box they lie in; negative ones are on no thing. Raises `BackendError` where nothing says
    what is meant.
    """
    if not prompts:
        raise BackendError(f"{name} needs a box or a point; give boxes= or points=")
    points, kinds = prompts.points, prompts.point_labels.astype(int)
    if not len(prompts.boxes):
        if not kinds.any():
            raise BackendError(f"{name} was given points off the thing only; give one on it, or a box")
        return Asks((Ask(None, points, tuple(kinds.tolist())),))
    asks, held = [], kinds == 0
    for box in prompts.boxes:
        inside = ((points >= box[:2]) & (points <= box[2:])).all(1)
        held |= inside
        used = inside | (kinds == 0)
        asks.append(Ask(box, points[used], tuple(kinds[used].tolist())))
    return Asks(tuple(asks), () if held.all() else (f"points_outside:{int((~held).sum())}",))


def as_prediction(query: Query, masked: list[Masked], notes: tuple[str, ...]) -> Prediction:
    """One mask an ask, in order.

    Signals, the worst of all masks: `predicted_iou`, and `stability`, the IoU of the masks cut at logits +1 and -1
    (Kirillov et al. 2023, appendix B). The confidence map is how far the least sure mask is from a coin toss. Note
    `empty:I`: mask I has no pixel.
    """
    masks: Bool = np.stack([one.logits > 0 for one in masked])
    trust = np.abs(np.tanh(np.minimum.reduce([np.abs(one.logits) for one in masked]) / 2)).astype(np.float32)
    scores = np.array([one.iou for one in masked], np.float32).clip(0, 1)
    label = query.targets[0].noun if len(query.targets) == 1 else ANYTHING
    payload = Segmentation(masks, scores, (label,) * len(masks), "promptable")
    signals = {
        "predicted_iou": float(scores.min()),
        "stability": min(stability(one.logits) for one in masked),
    }
    empty = tuple(f"empty:{i}" for i, mask in enumerate(masks) if not mask.any())
    return Prediction(payload, Evidence(signals, trust), notes=(*notes, *empty))


def stability(logits: F32) -> float:
    core, whole = (logits > STABILITY_OFFSET).sum(), (logits > -STABILITY_OFFSET).sum()
    return float(core / max(whole, 1))
