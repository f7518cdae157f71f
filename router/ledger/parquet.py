"""A ledger as one Parquet file, a row a decision, for whatever else analyses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visionrouter.ledger.reader import EVERYTHING, Filter, LedgerReader, Record
from visionrouter.ledger.rows import dump_decision
from visionrouter.schema.errors import LedgerError, MissingExtraError

_ROWS_A_GROUP = 5_000


def export_parquet(reader: LedgerReader, path: Path, wanted: Filter = EVERYTHING) -> int:
    """Write the decisions to `path`, which appears whole or not at all; returns how many.

    Besides the columns of the ledger: `backends` (those asked, in order), `accepted_by`, `overhead_ms`, `tags` and
    `labels` (JSON), and `document`, the whole decision as JSON.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow is not installed; pip install 'visionrouter[parquet]'") from error
    schema = pyarrow.schema(
        [
            ("seq", pyarrow.int64()),
            ("recorded", pyarrow.timestamp("us", tz="UTC")),
            *(
                (name, pyarrow.string())
                for name in (
                    "request_id", "task", "outcome", "reason", "policy", "policy_hash", "rule", "experiment",
                    "variant", "variant_reason", "unit",
                )
            ),
            ("elapsed_ms", pyarrow.float64()),
            ("overhead_ms", pyarrow.float64()),
            ("backends", pyarrow.list_(pyarrow.string())),
            ("accepted_by", pyarrow.string()),
            ("tags", pyarrow.map_(pyarrow.string(), pyarrow.string())),
            ("labels", pyarrow.map_(pyarrow.string(), pyarrow.float64())),
            ("audited", pyarrow.bool_()),
            ("audit_probability", pyarrow.float64()),
            ("document", pyarrow.string()),
        ]
    )  # fmt: skip
    labels: dict[tuple[str, str | None], dict[str, float]] = {}
    for label in reader.labels():
        labels.setdefault((label.request_id, label.variant), {})[label.metric] = label.value
    unfinished = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with pyarrow.parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            for group in _groups(reader.records(wanted)):
                rows = [_row(record, labels) for record in group]
                writer.write_table(pyarrow.Table.from_pylist(rows, schema))
                count += len(rows)
        unfinished.replace(path)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _groups(records: Iterator[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    for record in records:
        group.append(record)
        if len(group) == _ROWS_A_GROUP:
            yield group
            group = []
    if group:
        yield group


def _row(record: Record, labels: dict[tuple[str, str | None], dict[str, float]]) -> dict[str, Any]:
    decision = record.decision
    shadow = decision.variant_reason == "shadow"
    found = labels.get((decision.request_id, decision.variant), {})
    if not shadow:
        found = {**found, **labels.get((decision.request_id, None), {})}
    return {
        "seq": record.seq,
        "recorded": record.recorded_us,
        "request_id": decision.request_id,
        "task": decision.task.value,
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "policy": decision.policy,
        "policy_hash": decision.policy_hash,
        "rule": decision.rule,
        "experiment": decision.experiment,
        "variant": decision.variant,
        "variant_reason": decision.variant_reason.value,
        "unit": decision.unit,
        "elapsed_ms": decision.elapsed_ms,
        "overhead_ms": decision.overhead_ms,
        "backends": [attempt.backend for attempt in decision.attempts],
        "accepted_by": next((a.backend for a in decision.attempts if a.verdict.accepted), None),
        "tags": list(decision.tags.items()),
        "labels": list(found.items()),
        "audited": record.audited,
        "audit_probability": record.audit_probability,
        "document": dump_decision(decision),
    }
