"""Is the ledger whole: no record missing, none altered or moved, none taken off the end?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Engine, select

from visionrouter.ledger import tables
from visionrouter.ledger.rows import link

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """`missing`: `count` records from `seq` on are not there. `altered`: the record does not fit its hash."""

    kind: Literal["missing", "altered"]
    seq: int
    count: int = 1

    def __str__(self) -> str:
        if self.kind == "altered":
            return f"record {self.seq} was altered or moved"
        last = self.seq + self.count - 1
        return (
            f"record {self.seq} is missing"
            if self.count == 1
            else f"records {self.seq} to {last} are missing"
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """`head` is `<seq>:<hash>` of the last record: kept elsewhere, it proves later that nothing before it was rewritten.

    `problems` holds the first 100; `found` counts them all. `chained` is False for a ledger without hashes, of which
    only the numbering can be checked.
    """

    records: int
    head: str
    chained: bool
    problems: tuple[Problem, ...]
    found: int

    @property
    def whole(self) -> bool:
        return self.found == 0


def verify(engine: Engine, anchor: str | None = None) -> Verification:
    """Read all records in order and check numbering and hashes; `anchor`, an earlier `head`, must be among them."""
    problems: list[Problem] = []
    found = records = 0

    def note(problem: Problem) -> None:
        nonlocal found
        found += 1
        if len(problems) < _SHOWN:
            problems.append(problem)

    anchor_seq, _, anchor_hash = (anchor or "").partition(":")
    options: dict[str, Any] = {"stream_results": True, "yield_per": 1000}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = (
            "REPEATABLE READ"  # one state of a ledger that is being written, as in SQLite
        )
    with engine.connect().execution_options(**options) as connection:
        head = connection.execute(select(tables.head)).mappings().one()
        previous: str | None = head["base_hash"]
        seq = head["base_seq"]
        query = select(tables.decisions).where(tables.decisions.c.seq > seq).order_by(tables.decisions.c.seq)
        for row in connection.execute(query).mappings():
            records += 1
            if row["seq"] != seq + 1:
                note(Problem("missing", seq + 1, row["seq"] - seq - 1))
                previous = None  # the hash before the gap is gone with its record
            seq = row["seq"]
            wrong_link = (
                bool(head["chained"]) and previous is not None and link(previous, dict(row)) != row["hash"]
            )
            if wrong_link or (str(seq) == anchor_seq and row["hash"] != anchor_hash):
                note(Problem("altered", seq))
            previous = row["hash"]
        if seq < head["seq"]:
            note(Problem("missing", seq + 1, head["seq"] - seq))
        elif head["chained"] and records and previous != head["hash"]:
            note(Problem("altered", seq))
        if anchor_seq.isdigit() and not head["base_seq"] < int(anchor_seq) <= seq:
            note(Problem("missing", int(anchor_seq)))
    return Verification(records, f"{seq}:{previous or ''}", bool(head["chained"]), tuple(problems), found)
