"""The ledger as the router sees it: a sink that takes a decision in a microsecond, to be written by a thread of its own."""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from visionrouter.ledger.audit import NO_AUDIT, Audit
from visionrouter.ledger.queue import BoundedQueue, Overflow
from visionrouter.schema.decision import Decision
from visionrouter.schema.errors import LedgerError
from visionrouter.schema.image import Image

if TYPE_CHECKING:
    from visionrouter.ledger.labels import Label
    from visionrouter.ledger.spill import Spill
    from visionrouter.ledger.writer import Entry

Images = Literal["none", "audited", "all"]
_IMAGES_WAITING = 32


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """What became of the decisions since this ledger was opened.

    `lost`: dropped by a full queue, refused by the database, or given up at the end. `failing`: what the database said to
    the last write, None while all is well.
    """

    written: int
    waiting: int
    lost: int
    spilled: int
    images_lost: int
    failed_writes: int
    failing: str | None


class Ledger:
    """Stores every decision in SQLite (`where` is a path) or PostgreSQL (a `postgresql://` URL).

    Hand it to a router (`Router(..., sinks=[ledger])`) and close it after the router. `record` never raises and never
    waits, but for `overflow="block"`, which waits up to `block_ms` for room. A database that is down, read-only or full
    is tried again while the queue holds; past that decisions are lost (or spilled) and counted, in `stats` and, once it
    can be written again, in the ledger's gaps.

    `queue_limit`: decisions that may wait. `batch`: most in one transaction. `flush_s`: the longest that one waits for
    its transaction, so what a killed process loses. `spill_to`: folder of spill files (default: beside the database
    file). `audit`: which decisions are marked for a person. `images`: whose pictures are kept, `image_side` pixels at
    most. `keep_days`: older rows are removed. `chain`: rows carry hashes.

    Raises `LedgerError` where it cannot be opened, `LedgerVersionError` where a newer program made it.
    """

    def __init__(
        self,
        where: str | Path,
        *,
        queue_limit: int = 10_000,
        batch: int = 500,
        flush_s: float = 0.25,
        overflow: Overflow = "drop",
        block_ms: float = 50.0,
        spill_to: str | Path | None = None,
        audit: Audit = NO_AUDIT,
        images: Images = "none",
        image_side: int = 1024,
        keep_days: float | None = None,
        chain: bool = True,
    ) -> None:
        if queue_limit < 1 or batch < 1 or not flush_s > 0 or not block_ms >= 0:
            raise LedgerError("queue_limit and batch are at least 1, flush_s above 0, block_ms at least 0")
        if keep_days is not None and not keep_days > 0:
            raise LedgerError(f"keep_days is {keep_days}; give a positive number of days or None")
        from visionrouter.ledger.connect import require_sqlalchemy

        require_sqlalchemy()
        from visionrouter.ledger.spill import Spill
        from visionrouter.ledger.store import Store
        from visionrouter.ledger.writer import Writer, WriterOptions

        self._spill: Spill | None = Spill(_spill_folder(where, spill_to)) if overflow == "spill" else None
        self._store = Store(where, chained=chain)
        self._queue: BoundedQueue[Entry] = BoundedQueue(
            queue_limit,
            overflow,
            block_ms=block_ms,
            spill=self._put_spill,
            wake_at=min(batch, queue_limit),
        )
        self._images: BoundedQueue[tuple[str, Image]] = BoundedQueue(_IMAGES_WAITING)
        self._keeps: Images = images
        self._audit = audit
        keep_us = None if keep_days is None else int(keep_days * 86_400_000_000)
        options = WriterOptions(batch, flush_s, keep_us, image_side, audit)
        self._writer = Writer(self._store, self._queue, self._images, self._spill, options)
        atexit.register(self.close)

    def record(self, decision: Decision) -> None:
        """Take a decision. It is written within `flush_s`, and before `flush` or `close` returns."""
        self._queue.put((time.time_ns() // 1000, decision))

    def wants_image(self, decision: Decision) -> bool:
        """Whether the picture of this decision is to be kept."""
        return self._keeps == "all" or (self._keeps == "audited" and self._audit.draws(decision))

    def record_image(self, decision: Decision, image: Image) -> None:
        """Take a picture, to be scaled down and written by the ledger's thread; lost and counted where 32 wait already."""
        self._images.put((decision.request_id, image))

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was recorded before is written; False where that took longer."""
        return self._writer.flush(timeout_s)

    def label(self, labels: Iterable[Label]) -> int:
        """Attach what was found out later, all or nothing; see `Label`. Raises `LedgerError` for unknown ids."""
        return self._store.add_labels(labels)

    @property
    def stats(self) -> LedgerStats:
        writer = self._writer
        return LedgerStats(
            written=writer.written,
            waiting=len(self._queue) + writer.held,
            lost=writer.lost + self._queue.lost,
            spilled=self._queue.spilled,
            images_lost=writer.images_lost + self._images.lost,
            failed_writes=writer.failed_writes,
            failing=writer.failing,
        )

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits, for at most `timeout_s`, and let go. Idempotent."""
        atexit.unregister(self.close)
        if self._writer.close(timeout_s):
            if self._spill is not None:
                self._spill.close()
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put_spill(self, entry: Entry) -> bool:
        from visionrouter.ledger.rows import dump_decision

        recorded_us, decision = entry
        try:
            return self._spill is not None and self._spill.put(recorded_us, dump_decision(decision))
        except ValueError:  # what JSON cannot hold
            return False


def _spill_folder(where: str | Path, given: str | Path | None) -> Path:
    if given is not None:
        return Path(given)
    if "://" in str(where):
        raise LedgerError("overflow='spill' with a database URL needs spill_to, a folder of this machine")
    return Path(f"{where}.spill")
