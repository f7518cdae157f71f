"""The rows of a matrix as text, and as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from visionrouter.benchmarks.chaos.run import Row, counts

_HEAD = ("fault", "strikes", "the request", "reason", "the struck", "ms", "")


def as_text(rows: Sequence[Row]) -> str:
    """A table, and a line that sums it up."""
    body = [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in (_HEAD, *body)) for i in range(len(_HEAD))]
    lines = [
        "  ".join(
            text.rjust(width) if i == 5 else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (_HEAD, *body)
    ]
    return "\n".join((*lines, "", summary(rows)))


def summary(rows: Sequence[Row]) -> str:
    """How the cells ended: "57 cells: 30 fell_back, ...; 0 lost, 0 silently wrong"."""
    ended = ", ".join(f"{n} {outcome}" for outcome, n in counts(rows).items())
    lost, wrong = sum(row.lost for row in rows), sum(row.wrong for row in rows)
    return f"{len(rows)} cells: {ended}; {lost} lost, {wrong} silently wrong"


def as_document(rows: Sequence[Row], **asked: Any) -> dict[str, Any]:
    """Everything as plain data; `asked` is what the matrix was run with."""
    return {
        "schema_version": 1,
        **asked,
        "cells": len(rows),
        "outcomes": counts(rows),
        "lost": sum(row.lost for row in rows),
        "silently_wrong": sum(row.wrong for row in rows),
        "rows": [{**asdict(row), "ms": round(row.ms, 1)} for row in rows],
    }


def _cells(row: Row) -> tuple[str, ...]:
    by = f" {'+'.join(row.by)}" if row.by else ""
    marks = [word for word, is_so in (("LOST", row.lost), ("SILENTLY WRONG", row.wrong)) if is_so]
    return (
        row.fault,
        row.where,
        row.outcome + by,
        row.reason,
        ", ".join(row.noticed),
        f"{row.ms:.0f}",
        ", ".join(marks),
    )
