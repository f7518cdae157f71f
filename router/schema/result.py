"""The one result schema."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from visionrouter.schema.arrays import Dense, DenseU8, Indices, Record
from visionrouter.schema.decision import Decision, Outcome, Risk, Verdict
from visionrouter.schema.forms import JsonForm
from visionrouter.schema.payload import Payload
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.quick import quick_init
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    import supervision

    from visionrouter.schema.arrays import U8


@quick_init
@dataclass(frozen=True, slots=True, eq=False)
class Candidate(Record):
    """A prediction that was made on the way, by whom, and what was said of it.

    `backend` is who made it, or "a+b" where it was joined; then `sources` names the makers, and `element_sources`,
    uint8 (N,), or `source_map`, uint8 (H, W), index into them. `confidence_map`: float32 (H, W), calibrated, or None.
    """

    backend: str
    prediction: Prediction
    verdict: Verdict
    sources: tuple[str, ...] = ()
    element_sources: Indices | None = None
    source_map: DenseU8 | None = None
    confidence_map: Dense | None = None

    @property
    def accepted(self) -> bool:
        return self.verdict.accepted


InMemory = Annotated[tuple[Candidate, ...], JsonForm(lambda _: (), lambda _: (), {})]
"""Candidates, which the JSON form leaves out."""


@quick_init
@dataclass(frozen=True, slots=True, eq=False)
class Result(Record):
    """An answer, or an honest "I don't know".

    `payload` is None when the outcome is `abstained` or `failed`. `confidence` is a calibrated probability that the
    answer is good, or None: raw scores never go by that name. `risk` is a certified bound or None. `confidence_map`:
    float32 (H, W) in [0, 1] or None. `sources` names the backends the answer stands on; where there are several,
    `element_sources` (uint8 (N,)) or `source_map` (uint8 (H, W)) index into it. `image_size` is (width, height).
    `candidates` keeps what every backend said, in memory only: it is not part of the JSON nor of equality.
    """

    request_id: str
    task: Task
    outcome: Outcome
    decision: Decision
    image_size: tuple[int, int]
    payload: Payload | None = None
    confidence: float | None = None
    risk: Risk | None = None
    confidence_map: Dense | None = None
    sources: tuple[str, ...] = ()
    element_sources: Indices | None = None
    source_map: DenseU8 | None = None
    candidates: InMemory = field(default=(), compare=False, repr=False, metadata={"exclude": True})

    @property
    def answered(self) -> bool:
        """True when there is a payload, vouched for or not."""
        return self.payload is not None

    def to_json(self, *, indent: int | None = None) -> str:
        """The result as one JSON document; `Result.from_json` gives an equal one back."""
        from visionrouter.schema.wire import dump_result

        return dump_result(self, indent=indent)

    @staticmethod
    def from_json(text: str | bytes) -> Result:
        """Read a result back. Raises `SchemaError` where the document does not fit."""
        from visionrouter.schema.wire import load_result

        return load_result(text)

    def to_supervision(self) -> supervision.Detections:
        """As `supervision.Detections` (xyxy, mask, confidence = raw scores, class_id, data["class_name"])."""
        from visionrouter.schema.interchange import to_supervision

        return to_supervision(self)

    def to_coco(self, image_id: int = 0, categories: Iterable[str] | None = None) -> dict[str, Any]:
        """As a COCO dataset dict of one image: `images`, `annotations`, `categories`."""
        from visionrouter.schema.interchange import to_coco

        return to_coco(self, image_id, categories)

    def save(self, folder: str | Path) -> Path:
        """Write `result.json` and plain files of the arrays into `folder` (made if missing); returns the folder."""
        from visionrouter.schema.interchange import save

        return save(self, Path(folder))

    def overlay(self, image: object) -> U8:
        """Draw the answer on `image` (anything `load_image` takes): uint8 (H, W, 3)."""
        from visionrouter.render import overlay

        return overlay(self, image)
