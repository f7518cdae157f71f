"""The calibration file: calibrators, their certificates and where they come from, as one strict JSON document.

Its own digest stands in it, so that a file edited by hand is refused: a certificate is made, not written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.certificate import Certificate, Infeasible
from visionrouter.confidence.pixels import PixelCalibrator
from visionrouter.confidence.scope import MadeWith, Scope
from visionrouter.schema.errors import CalibrationError

MAX_BYTES = 8 << 20
_UNSIGNED = ""


class Provenance(BaseModel):
    """Where the rows came from and what made the file. `data` is the digest of the rows that certificates count."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    made_by: str
    data: str
    items: Annotated[int, Field(ge=0)]
    seed: int = 0
    source: str = ""
    notes: tuple[str, ...] = ()


class Subject(BaseModel):
    """What was calibrated, what its answers were made with, and a sample of its signals, to tell drift by."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    scope: Scope
    made_with: MadeWith
    sample: Mapping[str, tuple[float, ...]]


class CalibrationDocument(BaseModel):
    """What `calibrate` writes and the gate reads. `digest`: SHA-256 of the rest in canonical JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: Literal[1] = 1
    provenance: Provenance
    subjects: tuple[Subject, ...]
    calibrators: tuple[Calibrator, ...]
    pixel_calibrators: tuple[PixelCalibrator, ...] = ()
    outcomes: tuple[Annotated[Certificate | Infeasible, Field(union_mode="smart")], ...] = ()
    digest: str = _UNSIGNED

    def signed(self) -> Self:
        """The same with its own digest in it."""
        return self.model_copy(update={"digest": _digest(self.model_dump(mode="json"))})

    def subject(self, scope: Scope) -> Subject | None:
        """What was calibrated under one scope."""
        return next((s for s in self.subjects if s.scope == scope), None)

    def calibrator(self, scope: Scope) -> Calibrator | None:
        """The calibrator of one scope."""
        return next((c for c in self.calibrators if c.scope == scope), None)

    def pixel_calibrator(self, scope: Scope) -> PixelCalibrator | None:
        """The pixel calibrator of one scope."""
        return next((c for c in self.pixel_calibrators if c.scope == scope), None)

    def outcomes_of(self, scope: Scope) -> tuple[Certificate | Infeasible, ...]:
        """What was certified, or could not be, of one scope; `certificate_for` picks among them by tags."""
        return tuple(outcome for outcome in self.outcomes if outcome.scope == scope)


def calibrator_digest(calibrator: Calibrator) -> str:
    """SHA-256 of a calibrator, for `Digests.calibrator`."""
    from pydantic import TypeAdapter

    return _sha(TypeAdapter(Calibrator).dump_python(calibrator, mode="json"))


def rows_digest(rows: Any) -> str:
    """SHA-256 of plain JSON data, for `Digests.data`."""
    return _sha(rows)


def save_calibration(document: CalibrationDocument, path: str | Path) -> CalibrationDocument:
    """Sign and write, all or nothing; gives what was written."""
    signed = document.signed()
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_text(signed.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(target)
    return signed


def load_calibration(path: str | Path) -> CalibrationDocument:
    """Read, check and verify a calibration file. Raises `CalibrationError` with the place and the mend."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CalibrationError(
            f"{path}: cannot be read ({error.strerror}); name a file that `calibrate` wrote"
        ) from error
    return parse_calibration(raw, path.name)


def parse_calibration(raw: bytes, origin: str) -> CalibrationDocument:
    """The same from bytes; `origin` names them in errors."""
    if len(raw) > MAX_BYTES:
        raise CalibrationError(f"{origin}: is over {MAX_BYTES:,} bytes; it is no calibration file")
    try:
        data = json.loads(raw, object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise CalibrationError(
            f"{origin}:{error.lineno}: is not JSON ({error.msg}); calibrate again"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CalibrationError(f"{origin}: {error}; calibrate again") from error
    try:
        document = CalibrationDocument.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = _path(first["loc"])
        raise CalibrationError(
            f"{origin}: {place}: {first['msg']}; calibrate again with this version"
        ) from error
    if document.digest != _digest(data):
        raise CalibrationError(
            f"{origin}: digest: is not that of the content, so the file was edited after it was made; calibrate again"
        )
    return document


def _digest(data: Mapping[str, Any]) -> str:
    return _sha({key: value for key, value in data.items() if key != "digest"})


def _sha(data: Any) -> str:
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _path(loc: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.lstrip(".") or "document"


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        twice = next(key for key in data if sum(key == k for k, _ in pairs) > 1)
        raise ValueError(f"key {twice[:60]!r} is given twice")
    return data


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number here")
