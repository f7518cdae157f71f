"""What was found out about an answer later: human verdicts and measured losses, one by one or in bulk."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionrouter.schema.errors import LedgerError

FIELDS = ("request_id", "value", "metric", "variant", "source", "note")


@dataclass(frozen=True, slots=True)
class Label:
    """`value` of `metric` for the answer to `request_id`.

    The metric of a human verdict is "good", 1 or 0. `variant` names the arm whose answer is meant, None the one that was
    given. `source` says who found it out. Of several labels for the same answer and metric the last holds.
    """

    request_id: str
    value: float
    metric: str = "good"
    variant: str | None = None
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.request_id:
            raise LedgerError("a label names no request_id")
        if not self.metric:
            raise LedgerError(f"the label of {self.request_id} names no metric")
        if not math.isfinite(self.value):
            raise LedgerError(
                f"the label of {self.request_id} has the value {self.value}; give a finite number"
            )


def read_labels(path: Path) -> Iterator[Label]:
    """Labels of a CSV file with a header line, or of JSON lines, by the file's ending.

    Columns or keys: `request_id` and `value`, and `metric`, `variant`, `source`, `note` where wanted. Raises `LedgerError`
    naming the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _csv_rows(path, file) if path.suffix.lower() == ".csv" else _json_rows(path, file)
            for number, row in rows:
                yield _label(row, f"{path}:{number}")
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise LedgerError(f"{path}: is not UTF-8 text; save it as UTF-8") from error


def _csv_rows(path: Path, file: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(file, strict=True)
    try:
        for row in reader:
            yield reader.line_num, {k: v for k, v in row.items() if v not in ("", None)}
    except csv.Error as error:
        raise LedgerError(f"{path}:{reader.line_num}: is not valid CSV ({error})") from error


def _json_rows(path: Path, file: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise LedgerError(f"{path}:{number}: is not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise LedgerError(f"{path}:{number}: should be one JSON object a line")
        yield number, row


def _label(row: Mapping[Any, Any], place: str) -> Label:
    unknown = [str(key) for key in row if key not in FIELDS]
    if unknown:
        raise LedgerError(f"{place}: {unknown[0]!r} is not one of {', '.join(FIELDS)}")
    missing = [name for name in ("request_id", "value") if row.get(name) is None]
    if missing:
        raise LedgerError(f"{place}: {missing[0]} is missing")
    try:
        value = float(row["value"])
    except (TypeError, ValueError) as error:
        raise LedgerError(f"{place}: the value {row['value']!r} is not a number") from error
    texts = {name: str(row[name]) for name in FIELDS if name != "value" and row.get(name) is not None}
    try:
        return Label(value=value, **texts)
    except LedgerError as error:
        raise LedgerError(f"{place}: {error}") from error
