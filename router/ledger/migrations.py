"""From any older ledger to this version: plain SQL steps, each in one transaction with the row that says it was taken."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, insert, inspect, select, text

from visionrouter.ledger import tables
from visionrouter.schema.errors import LedgerVersionError


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. `statements` are SQL for SQLite and PostgreSQL alike, but for {blob}, the type of bytes."""

    name: str
    statements: tuple[str, ...]


STEPS = (
    Migration(
        "first tables",
        (
            """CREATE TABLE decisions (
                seq BIGINT NOT NULL PRIMARY KEY, recorded_us BIGINT NOT NULL, request_id TEXT NOT NULL,
                task TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, policy TEXT NOT NULL,
                policy_hash TEXT NOT NULL, rule TEXT NOT NULL, experiment TEXT, variant TEXT,
                variant_reason TEXT NOT NULL, unit TEXT, elapsed_ms DOUBLE PRECISION NOT NULL,
                audit_probability DOUBLE PRECISION NOT NULL, audited INTEGER NOT NULL, document TEXT NOT NULL,
                hash TEXT)""",
            "CREATE INDEX decisions_by_request ON decisions (request_id)",
            "CREATE INDEX decisions_by_time ON decisions (recorded_us)",
            "CREATE INDEX decisions_by_variant ON decisions (experiment, variant)",
            """CREATE TABLE labels (
                id TEXT NOT NULL PRIMARY KEY, recorded_us BIGINT NOT NULL, request_id TEXT NOT NULL, variant TEXT,
                metric TEXT NOT NULL, value DOUBLE PRECISION NOT NULL, source TEXT NOT NULL, note TEXT NOT NULL)""",
            "CREATE INDEX labels_by_request ON labels (request_id)",
            """CREATE TABLE images (
                request_id TEXT NOT NULL PRIMARY KEY, recorded_us BIGINT NOT NULL, jpeg {blob} NOT NULL)""",
            """CREATE TABLE gaps (
                id TEXT NOT NULL PRIMARY KEY, recorded_us BIGINT NOT NULL, lost BIGINT NOT NULL, reason TEXT NOT NULL)""",
            """CREATE TABLE head (
                id INTEGER NOT NULL PRIMARY KEY, chained INTEGER NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL,
                base_seq BIGINT NOT NULL, base_hash TEXT NOT NULL)""",
            "CREATE TABLE spills (name TEXT NOT NULL PRIMARY KEY)",
        ),
    ),
)
VERSION = len(STEPS)

_LOCK = 0x7669_7369_6F6E
"""Of PostgreSQL's advisory locks, the one that a ledger being made or brought up to date holds."""


def version_of(connection: Connection) -> int:
    """0 where there are no tables of a ledger yet."""
    if not inspect(connection).has_table(tables.versions.name):
        return 0
    return connection.execute(select(func.max(tables.versions.c.version))).scalar() or 0


def check_version(found: int, wanted: int = VERSION) -> None:
    """Raises `LedgerVersionError` unless a ledger of version `found` can be read by this program."""
    if found > wanted:
        raise LedgerVersionError(
            f"the ledger is of version {found}, this program knows {wanted}; use the newer visionrouter that wrote it"
        )
    if found < wanted:
        raise LedgerVersionError(
            f"the ledger is of version {found}, this program reads {wanted}; open it once for writing to bring it up to date"
        )


def migrate(engine: Engine, *, chained: bool, steps: Sequence[Migration] = STEPS) -> None:
    """Take the steps that are missing. A ledger of a newer version is refused and left as it is."""
    blob = "BYTEA" if engine.dialect.name == "postgresql" else "BLOB"
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = version_of(connection)
        if found > len(steps):
            check_version(found, len(steps))
        if found == 0:
            tables.versions.create(connection)
        for number, step in enumerate(steps[found:], found + 1):
            for statement in step.statements:
                connection.execute(text(statement.replace("{blob}", blob)))
            taken = {"version": number, "name": step.name, "applied_us": time.time_ns() // 1000}
            connection.execute(insert(tables.versions), taken)
        if found == 0:
            first = {"id": 1, "chained": int(chained), "seq": 0, "hash": "", "base_seq": 0, "base_hash": ""}
            connection.execute(insert(tables.head), first)
