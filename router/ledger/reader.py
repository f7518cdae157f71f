"""Reading a ledger: the last decisions, one of them, all of them, their labels, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from visionrouter.ledger.connect import open_engine, shown
from visionrouter.ledger.labels import Label
from visionrouter.schema.decision import Decision
from visionrouter.schema.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Select

    from visionrouter.ledger.chain import Verification


@dataclass(frozen=True, slots=True)
class Record:
    """One stored decision. `recorded_us`: microseconds since 1970 UTC. `audit_probability`: of being drawn for an audit."""

    seq: int
    recorded_us: int
    decision: Decision
    audit_probability: float
    audited: bool
    hash: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Decisions that were made and could not be kept."""

    recorded_us: int
    lost: int
    reason: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which decisions are wanted; None asks for all. `labelled`: those of requests with any label; `unlabelled`: those
    without a label of the answer."""

    task: str | None = None
    outcome: str | None = None
    experiment: str | None = None
    variant: str | None = None
    audited: bool = False
    labelled: bool = False
    unlabelled: bool = False
    since_us: int | None = None


EVERYTHING = Filter()


class LedgerReader:
    """Opens a ledger for reading; a router may be writing to it meanwhile.

    Raises `LedgerError` where there is none, `LedgerVersionError` where its version is not this program's.
    """

    def __init__(self, where: str | Path) -> None:
        self._engine = open_engine(where, writing=False)
        from sqlalchemy.exc import DBAPIError

        from visionrouter.ledger.migrations import check_version, version_of

        self.name = shown(where)
        try:
            with self._engine.connect() as connection:
                found = version_of(connection)
        except DBAPIError as error:
            self._engine.dispose()
            raise LedgerError(f"{self.name}: cannot be read: {str(error.orig).splitlines()[0]}") from error
        try:
            if found == 0:
                raise LedgerError(f"{self.name}: is a database without a ledger; check the path")
            check_version(found)
        except LedgerError:
            self._engine.dispose()
            raise

    @property
    def chained(self) -> bool:
        """Whether its rows carry hashes."""
        from sqlalchemy import select

        from visionrouter.ledger.tables import head

        return bool(next(iter(self._rows(select(head.c.chained))))["chained"])

    def tail(self, count: int = 20, wanted: Filter = EVERYTHING) -> list[Record]:
        """The last `count` decisions, oldest first."""
        from visionrouter.ledger.tables import decisions

        query = _where(wanted).order_by(decisions.c.seq.desc()).limit(count)
        return [*self._records(query)][::-1]

    def records(self, wanted: Filter = EVERYTHING) -> Iterator[Record]:
        """All decisions in order, read a thousand at a time."""
        from visionrouter.ledger.tables import decisions

        return self._records(_where(wanted).order_by(decisions.c.seq))

    def show(self, request_id: str) -> list[Record]:
        """The decision of a request, then those of its shadows. Raises `LedgerError` where there is none.

        The start of an id does where it is enough to tell it from all others.
        """
        from sqlalchemy import select

        from visionrouter.ledger.tables import decisions

        column = decisions.c.request_id
        with self._engine.connect() as connection:
            start = select(column).where(column.startswith(request_id, autoescape=True)).distinct().limit(3)
            ids = [row[0] for row in connection.execute(start)]
        if request_id not in ids:
            if len(ids) > 1:
                raise LedgerError(f"{request_id!r} is the start of several ids: {', '.join(ids)}; give more")
            if not ids:
                raise LedgerError(f"{self.name}: holds no decision {request_id!r}")
            request_id = ids[0]
        found = self._records(select(decisions).where(column == request_id).order_by(decisions.c.seq))
        return sorted(found, key=lambda record: record.decision.variant_reason == "shadow")

    def labels(self, request_id: str | None = None, since_us: int | None = None) -> Iterator[Label]:
        """Labels in the order they came, from `since_us` on; of several for one answer and metric the last holds."""
        from sqlalchemy import select

        from visionrouter.ledger.tables import labels

        query = select(labels).order_by(labels.c.recorded_us)
        if request_id is not None:
            query = query.where(labels.c.request_id == request_id)
        if since_us is not None:
            query = query.where(labels.c.recorded_us >= since_us)
        for row in self._rows(query):
            yield Label(
                row["request_id"], row["value"], row["metric"], row["variant"], row["source"], row["note"]
            )

    def image(self, request_id: str) -> bytes | None:
        """The kept picture, JPEG; None where none was kept."""
        from sqlalchemy import select

        from visionrouter.ledger.tables import images

        query = select(images.c.jpeg).where(images.c.request_id == request_id)
        return next((row["jpeg"] for row in self._rows(query)), None)

    def gaps(self) -> list[Gap]:
        """What could not be kept, in order."""
        from sqlalchemy import select

        from visionrouter.ledger.tables import gaps

        return [
            Gap(row["recorded_us"], row["lost"], row["reason"])
            for row in self._rows(select(gaps).order_by(gaps.c.recorded_us))
        ]

    def verify(self, anchor: str | None = None) -> Verification:
        """Whether it is whole; `anchor` is the `head` of an earlier verification."""
        from visionrouter.ledger.chain import verify

        return verify(self._engine, anchor)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, query: Select[Any]) -> Iterator[Mapping[str, Any]]:
        with self._engine.connect().execution_options(stream_results=True, yield_per=1000) as connection:
            yield from (dict(row) for row in connection.execute(query).mappings())

    def _records(self, query: Select[Any]) -> Iterator[Record]:
        from visionrouter.ledger.rows import load_decision

        for row in self._rows(query):
            yield Record(
                row["seq"],
                row["recorded_us"],
                load_decision(row["document"]),
                row["audit_probability"],
                bool(row["audited"]),
                row["hash"],
            )


def _where(wanted: Filter) -> Select[Any]:
    from sqlalchemy import and_, exists, select

    from visionrouter.ledger.tables import decisions, labels

    query = select(decisions)
    for name in ("task", "outcome", "experiment", "variant"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(decisions.c[name] == value)
    if wanted.audited:
        query = query.where(decisions.c.audited == 1)
    if wanted.labelled:
        query = query.where(exists().where(labels.c.request_id == decisions.c.request_id))
    if wanted.unlabelled:
        own = and_(labels.c.request_id == decisions.c.request_id, labels.c.variant.is_(None))
        query = query.where(~exists().where(own))
    if wanted.since_us is not None:
        query = query.where(decisions.c.recorded_us >= wanted.since_us)
    return query
