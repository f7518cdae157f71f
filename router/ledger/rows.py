"""A decision as a row, a row as a decision, and the hash that chains one row to the next."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from visionrouter.ledger.audit import Audit
from visionrouter.schema.decision import Decision
from visionrouter.schema.errors import LedgerError

COVERED = (
    "seq", "recorded_us", "request_id", "task", "outcome", "reason", "policy", "policy_hash", "rule", "experiment",
    "variant", "variant_reason", "unit", "elapsed_ms", "audit_probability", "audited", "document",
)  # fmt: skip
"""What a row's hash covers, in this order: every column but the hash itself."""
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@functools.cache
def _adapter() -> TypeAdapter[Decision]:
    return TypeAdapter(Decision)


def row_of(recorded_us: int, decision: Decision, audit: Audit) -> dict[str, Any]:
    """All columns but `seq` and `hash`. Raises `PydanticSerializationError` for what JSON cannot hold."""
    return {
        "recorded_us": recorded_us,
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
        "elapsed_ms": float(decision.elapsed_ms),
        "audit_probability": float(audit.probability(decision)),
        "audited": int(audit.draws(decision)),
        "document": dump_decision(decision),
    }


def dump_decision(decision: Decision) -> str:
    """One JSON document, without the fields that stand at their defaults."""
    return _adapter().dump_json(decision, exclude_defaults=True).decode()


def load_decision(document: str | bytes) -> Decision:
    """The inverse of `dump_decision`. Raises `LedgerError`."""
    try:
        return _adapter().validate_json(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise LedgerError(f"a stored decision cannot be read, {place}: {first['msg']}") from error


def link(previous: str, row: Mapping[str, Any]) -> str:
    """sha256, in hex, of the JSON list of the previous row's hash and this row's columns in the order of `COVERED`."""
    covered = _encode([previous, *(row[name] for name in COVERED)])
    return hashlib.sha256(covered.encode()).hexdigest()
