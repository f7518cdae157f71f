"""What a backend answers: a payload and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from visionrouter.schema.arrays import F32, U8, Record
from visionrouter.schema.payload import Payload
from visionrouter.schema.quick import quick_init


@quick_init
@dataclass(frozen=True, slots=True, eq=False)
class Evidence(Record):
    """Signals that speak for or against a prediction; none of them is a calibrated confidence.

    `signals`: named finite numbers (`score`, `code_residual`, `off_code_share`, `margin`, `familiarity`, ...).
    `confidence_map`: float32 (H, W) in [0, 1] at the image's size, or None; higher is more trusted, uncalibrated.
    """

    signals: Mapping[str, float] = field(default_factory=dict)
    confidence_map: F32 | None = None


@quick_init
@dataclass(frozen=True, slots=True, eq=False)
class Prediction(Record):
    """One answer of one backend.

    `drawing`: uint8 (H, W, 3), what a generative backend drew, before decoding, at its own size. `notes`: short codes
    of what a reader must know ("specificity_lost:puppy", "unresolved:nearest").
    """

    payload: Payload
    evidence: Evidence = field(default_factory=Evidence)
    drawing: U8 | None = None
    notes: tuple[str, ...] = ()
