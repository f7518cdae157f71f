"""The tables of a ledger, as queries see them. `migrations` makes them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

decisions = Table(
    "decisions",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("policy_hash", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("experiment", Text),
    Column("variant", Text),
    Column("variant_reason", Text, nullable=False),
    Column("unit", Text),
    Column("elapsed_ms", Double, nullable=False),
    Column("audit_probability", Double, nullable=False),
    Column("audited", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("hash", Text),
)
"""One row a decision. `seq` counts without gaps; `recorded_us` is microseconds since 1970 UTC; `document` is the whole
decision as JSON; `hash` covers the row and the hash of the one before. A shadow's row has the request id of the answer
that it ran beside."""

labels = Table(
    "labels",
    metadata,
    Column("id", Text, primary_key=True),
    Column("recorded_us", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("variant", Text),
    Column("metric", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("source", Text, nullable=False),
    Column("note", Text, nullable=False),
)
"""What was found out later. `variant` is the arm whose answer is judged, None for the answer that was given."""

images = Table(
    "images",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("recorded_us", BigInteger, nullable=False),
    Column("jpeg", LargeBinary, nullable=False),
)

gaps = Table(
    "gaps",
    metadata,
    Column("id", Text, primary_key=True),
    Column("recorded_us", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)
"""Decisions that were made but could not be kept: how many, and why."""

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("chained", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("base_seq", BigInteger, nullable=False),
    Column("base_hash", Text, nullable=False),
)
"""One row: the last decision, and the last one that retention removed."""

spills = Table("spills", metadata, Column("name", Text, primary_key=True))
"""Spill files that were read back, so that none is read twice."""

versions = Table(
    "ledger_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("applied_us", BigInteger, nullable=False),
)
