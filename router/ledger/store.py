"""Writing into the tables: batches of decisions, gaps, labels, images, and what retention takes away."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from visionrouter.ledger import tables
from visionrouter.ledger.connect import open_engine, shown
from visionrouter.ledger.labels import Label
from visionrouter.ledger.migrations import migrate
from visionrouter.ledger.rows import link
from visionrouter.schema.errors import LedgerError

REFUSALS = (DataError, IntegrityError, ValueError)
"""What a database raises for the data it is given, as against for its own state."""
_AT_ONCE = 500
"""Ids asked for in one query: SQLite takes a bounded number of variables."""


class Store:
    """A ledger open for writing, brought up to date. Safe to share by threads and with other processes."""

    def __init__(self, where: str | Path, *, chained: bool = True) -> None:
        """Raises `LedgerError` where it cannot be opened, made or written, `LedgerVersionError` where it is newer."""
        self.engine = open_engine(where, writing=True)
        self.name = shown(where)
        try:
            self._open(chained)
        except BaseException:
            self.engine.dispose()
            raise
        self._chained = chained

    def _open(self, chained: bool) -> None:
        try:
            migrate(self.engine, chained=chained)
            with self.engine.begin() as connection:
                found = connection.execute(select(tables.head.c.chained)).scalar_one()
        except DBAPIError as error:
            raise LedgerError(f"{self.name}: cannot be opened for writing: {_said(error)}") from error
        if bool(found) != chained:
            kind = "with" if found else "without"
            raise LedgerError(
                f"{self.name}: was made {kind} a hash chain; open it with chain={bool(found)}, or start another"
            )

    def close(self) -> None:
        self.engine.dispose()

    def append(
        self, rows: Sequence[dict[str, Any]], gaps: Iterable[tuple[int, str]] = (), spill: str | None = None
    ) -> None:
        """Store rows, gaps (how many, why) and the name of the spill file the rows came from: all, or nothing."""
        with self.engine.begin() as connection:
            if rows:
                connection.execute(insert(tables.decisions), self._numbered(connection, rows))
            for lost, reason in gaps:
                connection.execute(insert(tables.gaps), _gap(lost, reason))
            if spill is not None:
                connection.execute(insert(tables.spills), {"name": spill})

    def append_each(
        self, rows: Sequence[dict[str, Any]], gaps: Iterable[tuple[int, str]] = (), spill: str | None = None
    ) -> list[str]:
        """As `append`, but a row that the database cannot hold is left out; the request ids of those."""
        refused = []
        with self.engine.begin() as connection:
            for row in rows:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(tables.decisions), self._numbered(connection, [row]))
                except REFUSALS:
                    refused.append(row["request_id"])
            if refused:
                gaps = [*gaps, (len(refused), "refused")]
            for lost, reason in gaps:
                connection.execute(insert(tables.gaps), _gap(lost, reason))
            if spill is not None:
                connection.execute(insert(tables.spills), {"name": spill})
        return refused

    def has_spill(self, name: str) -> bool:
        with self.engine.begin() as connection:
            found = connection.execute(select(tables.spills.c.name).where(tables.spills.c.name == name))
            return found.first() is not None

    def forget_spill(self, name: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(tables.spills).where(tables.spills.c.name == name))

    def add_image(self, request_id: str, jpeg: bytes) -> None:
        row = {"request_id": request_id, "recorded_us": time.time_ns() // 1000, "jpeg": jpeg}
        with self.engine.begin() as connection:
            connection.execute(delete(tables.images).where(tables.images.c.request_id == request_id))
            connection.execute(insert(tables.images), row)

    def add_labels(self, labels: Iterable[Label]) -> int:
        """Store labels, all or none; returns how many. Raises `LedgerError` for ids that the ledger does not hold."""
        given = list(labels)
        now_us = time.time_ns() // 1000
        try:
            with self.engine.begin() as connection:
                known = _known(connection, [label.request_id for label in given])
                unknown = [label.request_id for label in given if label.request_id not in known]
                if unknown:
                    raise LedgerError(
                        f"{self.name}: holds no decision {unknown[0]!r}"
                        + (f" (nor {len(unknown) - 1} others)" if len(unknown) > 1 else "")
                        + "; nothing was labelled"
                    )
                rows = [
                    {
                        "id": os.urandom(16).hex(),
                        "recorded_us": now_us + i,
                        "request_id": label.request_id,
                        "variant": label.variant,
                        "metric": label.metric,
                        "value": float(label.value),
                        "source": label.source,
                        "note": label.note,
                    }
                    for i, label in enumerate(given)
                ]
                if rows:
                    connection.execute(insert(tables.labels), rows)
        except DBAPIError as error:
            raise LedgerError(f"{self.name}: cannot be written: {_said(error)}") from error
        return len(given)

    def prune(self, before_us: int) -> int:
        """Remove the decisions recorded before `before_us`, oldest first, with their labels and images; how many went."""
        d, head = tables.decisions.c, tables.head
        with self.engine.begin() as connection:
            first_kept = connection.execute(
                select(func.min(d.seq)).where(d.recorded_us >= before_us)
            ).scalar()
            last = connection.execute(select(func.max(d.seq))).scalar()
            cut = last if first_kept is None else first_kept - 1
            gone = connection.execute(select(d.seq, d.hash).where(d.seq == (cut or 0))).first()
            if gone is None:
                return 0
            count = connection.execute(delete(tables.decisions).where(d.seq <= cut)).rowcount
            connection.execute(update(head).values(base_seq=gone.seq, base_hash=gone.hash or ""))
            for other in (tables.labels, tables.images):
                kept = select(d.request_id)
                connection.execute(
                    delete(other).where(other.c.recorded_us < before_us, other.c.request_id.not_in(kept))
                )
            return count

    def _numbered(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        head = connection.execute(select(tables.head).with_for_update()).one()
        seq, previous = head.seq, head.hash
        numbered = []
        for row in rows:
            seq += 1
            made = {**row, "seq": seq, "hash": None}
            if self._chained:
                previous = made["hash"] = link(previous, made)
            numbered.append(made)
        connection.execute(update(tables.head).values(seq=seq, hash=previous))
        return numbered


def label_existing(where: str | Path, labels: Iterable[Label]) -> int:
    """Label decisions of a ledger that must be there already; see `Store.add_labels`."""
    from visionrouter.ledger.reader import LedgerReader

    with LedgerReader(where) as reader, contextlib.closing(Store(where, chained=reader.chained)) as store:
        return store.add_labels(labels)


def _gap(lost: int, reason: str) -> dict[str, Any]:
    return {
        "id": os.urandom(16).hex(),
        "recorded_us": time.time_ns() // 1000,
        "lost": lost,
        "reason": reason,
    }


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    column = tables.decisions.c.request_id
    known: set[str] = set()
    for i in range(0, len(ids), _AT_ONCE):
        found = connection.execute(select(column).where(column.in_(ids[i : i + _AT_ONCE])))
        known.update(row[0] for row in found)
    return known


def _said(error: DBAPIError) -> str:
    """What the database said, in one line and without the statement, which holds data."""
    return str(error.orig).splitlines()[0][:200]
