"""The thread that writes: batches in, transactions out; what a database that is down or full does to it."""

from __future__ import annotations

import io
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from visionrouter.ledger.audit import Audit
from visionrouter.ledger.queue import BoundedQueue
from visionrouter.ledger.rows import row_of
from visionrouter.ledger.spill import Spill
from visionrouter.ledger.store import REFUSALS, Store
from visionrouter.schema.decision import Decision
from visionrouter.schema.image import Image

_log = logging.getLogger("visionrouter.ledger")
_PRUNE_EVERY_S = 3600.0
_LONGEST_WAIT_S = 5.0
_LAST_TRIES = 3

Entry = tuple[int, Decision]
"""When it was recorded (microseconds since 1970 UTC), and the decision."""


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """`batch`: most rows a transaction. `flush_s`: longest wait for one. `keep_us`: age past which rows are removed."""

    batch: int
    flush_s: float
    keep_us: int | None
    image_side: int
    audit: Audit


class Writer:
    """Drains the queues into the store until it is told to close. A batch that fails is held and tried again."""

    def __init__(
        self,
        store: Store,
        queue: BoundedQueue[Entry],
        images: BoundedQueue[tuple[str, Image]],
        spill: Spill | None,
        options: WriterOptions,
    ) -> None:
        self.written = 0
        self.lost = 0
        self.images_lost = 0
        self.failed_writes = 0
        self.failing: str | None = None
        self._store = store
        self._queue = queue
        self._images = images
        self._spill = spill
        self._options = options
        self._held: list[dict[str, Any]] = []
        self._gaps: dict[str, int] = {}
        self._pruned_s = -_PRUNE_EVERY_S
        self._lock = threading.Lock()
        self._flushes: list[threading.Event] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="visionrouter-ledger", daemon=True)
        self._thread.start()

    @property
    def held(self) -> int:
        """Rows of a batch that is being tried again."""
        return len(self._held)

    def flush(self, timeout_s: float) -> bool:
        written = threading.Event()
        with self._lock:
            self._flushes.append(written)
        self._queue.wake()
        return written.wait(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """True when the thread has ended."""
        self._closing.set()
        self._queue.wake()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        failures = 0
        while True:
            if failures:
                self._closing.wait(min(self._options.flush_s * 2**failures, _LONGEST_WAIT_S))
            else:
                self._queue.wait(self._options.flush_s)
            closing = self._closing.is_set()
            with self._lock:
                asked, self._flushes = self._flushes, []
            try:
                self._write_all()
            except Exception as error:
                failures += 1
                self._note_failure(error)
                with self._lock:
                    self._flushes = asked + self._flushes
            else:
                failures = 0
                self._note_success()
                for written in asked:
                    written.set()
            if closing and (failures == 0 or failures > _LAST_TRIES):
                self._give_up()
                return

    def _write_all(self) -> None:
        while self._held or len(self._queue):
            if not self._held:
                self._held = self._rows(self._queue.take(self._options.batch))
            self._write(self._held)
            self._held = []
        self._write([])
        self._write_spilled()
        self._write_images()
        self._prune()

    def _rows(self, entries: list[Entry]) -> list[dict[str, Any]]:
        rows = []
        for i, (recorded_us, decision) in enumerate(entries):
            try:
                rows.append(row_of(recorded_us, decision, self._options.audit))
            except Exception as error:
                said = str(error).splitlines()[0][:200]
                _log.error("decision %s cannot be stored (%s)", decision.request_id, said)
                self._add_gap("unserialisable", 1)
            if i % 16 == 15:
                time.sleep(0)  # hand the interpreter to whoever answers a request
        return rows

    def _write(self, rows: list[dict[str, Any]], spill: str | None = None) -> None:
        if lost := self._queue.take_lost():
            self._gaps["queue_full"] = self._gaps.get("queue_full", 0) + lost
        gaps = [(count, reason) for reason, count in self._gaps.items()]
        if not rows and not gaps and spill is None:
            return
        refused: list[str] = []
        try:
            self._store.append(rows, gaps, spill)
        except REFUSALS:
            refused = self._store.append_each(rows, gaps, spill)
            for request_id in refused:
                _log.error("ledger %s: decision %s is refused by the database", self._store.name, request_id)
        self.lost += len(refused)
        self.written += len(rows) - len(refused)
        self._gaps.clear()

    def _write_spilled(self) -> None:
        if self._spill is None or not self._spill.waits:
            return
        for spilled in self._spill.read_back():
            name = spilled.path.name
            if not self._store.has_spill(name):
                if spilled.torn:
                    self._add_gap("spill_torn", spilled.torn)
                self._write(self._rows(spilled.entries), name)
            self._spill.remove(spilled.path)
            self._store.forget_spill(name)

    def _write_images(self) -> None:
        while taken := self._images.take(1):
            request_id, image = taken[0]
            try:
                jpeg = as_jpeg(image, self._options.image_side)
                self._store.add_image(request_id, jpeg)
            except Exception:
                self.images_lost += 1
                raise

    def _prune(self) -> None:
        if self._options.keep_us is not None and time.monotonic() - self._pruned_s >= _PRUNE_EVERY_S:
            self._store.prune(time.time_ns() // 1000 - self._options.keep_us)
            self._pruned_s = time.monotonic()

    def _add_gap(self, reason: str, count: int) -> None:
        self._gaps[reason] = self._gaps.get(reason, 0) + count
        self.lost += count

    def _note_failure(self, error: Exception) -> None:
        self.failed_writes += 1
        said = str(getattr(error, "orig", None) or error).splitlines()[0][:200]
        if self.failing is None:
            _log.error(
                "ledger %s cannot be written (%s); answers are not affected, decisions wait",
                self._store.name,
                said,
            )
        self.failing = said

    def _note_success(self) -> None:
        if self.failing is not None:
            _log.warning("ledger %s is written again", self._store.name)
            self.failing = None

    def _give_up(self) -> None:
        """What could not be written before the end goes to the spill files if there are any, else it is lost and counted."""
        left = self._held + self._rows(self._queue.take(len(self._queue)))
        self._held = []
        kept = [self._spill is not None and self._spill.put(r["recorded_us"], r["document"]) for r in left]
        if lost := kept.count(False):
            self.lost += lost
            _log.error(
                "ledger %s was closed while it could not be written; %d decisions are lost",
                self._store.name,
                lost,
            )


def as_jpeg(image: Image, longest: int) -> bytes:
    """A picture as JPEG, scaled down to `longest` pixels a side where it is larger."""
    import PIL.Image

    picture = PIL.Image.fromarray(image.pixels)
    picture.thumbnail((longest, longest))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()
