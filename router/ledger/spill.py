"""Files that take what the queue cannot, and give it back when the database keeps up again."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from visionrouter.ledger.rows import load_decision
from visionrouter.schema.decision import Decision
from visionrouter.schema.errors import LedgerError

_log = logging.getLogger("visionrouter.ledger")
_LINES_A_FILE = 5_000


@dataclass(frozen=True, slots=True)
class Spilled:
    """What one file held. `torn`: lines that were cut short or damaged."""

    path: Path
    entries: list[tuple[int, Decision]]
    torn: int


class Spill:
    """JSON lines in `folder`, a new file every 5,000. At most `max_bytes` in all: past that it refuses.

    A file is locked while it is written, so that processes sharing a folder take over only what a dead one left.
    """

    def __init__(self, folder: Path, max_bytes: int = 1 << 30) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        self._lines = 0
        self._bytes = 0
        self._broken = False

    def put(self, recorded_us: int, document: str) -> bool:
        """Append a decision's JSON; False where the disk or the limit does not let it."""
        line = json.dumps({"recorded_us": recorded_us, "decision": document}) + "\n"
        try:
            with self._lock:
                if self._bytes + len(line) > self._max_bytes:
                    return False
                if self._file is None or self._lines >= _LINES_A_FILE:
                    self._rotate()
                assert self._file is not None
                self._file.write(line)
                self._file.flush()
                self._lines += 1
                self._bytes += len(line)
        except OSError as error:
            if not self._broken:
                self._broken = True
                _log.error("cannot spill to %s (%s); decisions are lost and counted", self.folder, error)
            return False
        self._broken = False
        return True

    @property
    def waits(self) -> bool:
        """Whether files are left to read back, of this process or of a dead one."""
        return self.folder.is_dir() and next(self.folder.glob("*.jsonl"), None) is not None

    def read_back(self) -> Iterator[Spilled]:
        """Every file that nobody writes, oldest first; `remove` each once it is stored."""
        with self._lock:
            self._close()
        paths = sorted(self.folder.glob("*.jsonl")) if self.folder.is_dir() else []
        for path in paths:
            with path.open("r", encoding="utf-8", errors="replace") as file:
                if _try_lock(file):
                    yield _parse(path, file)

    def remove(self, path: Path) -> None:
        with self._lock:
            size = path.stat().st_size
            path.unlink(missing_ok=True)
            self._bytes = max(0, self._bytes - size)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _rotate(self) -> None:
        self._close()
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{_next_number(self.folder):08d}-{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        self._file = (self.folder / name).open("a", encoding="utf-8")
        _try_lock(self._file)
        self._lines = 0

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _next_number(folder: Path) -> int:
    taken = [int(p.name[:8]) for p in folder.glob("*.jsonl") if p.name[:8].isdigit()]
    return max(taken, default=0) + 1


def _parse(path: Path, file: IO[str]) -> Spilled:
    entries: list[tuple[int, Decision]] = []
    torn = 0
    for line in file:
        try:
            data = json.loads(line)
            entries.append((int(data["recorded_us"]), load_decision(data["decision"])))
        except (ValueError, KeyError, TypeError, LedgerError):
            torn += 1
    return Spilled(path, entries, torn)


def _try_lock(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:  # no such locks here: a folder is then one process's own
        return True
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
