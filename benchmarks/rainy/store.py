"""Predictions on disk, so that a model is asked each question once: one SQLite file.

A row is a prediction as `visionrouter.backends.isolation.codec` writes it (JSON and raw arrays, no pickle), deflated; or
the error that the backend raised for a reason of its own, which it would raise again. Every row is committed as it is
made, so a run that is killed goes on where it was.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from visionrouter.backends.isolation.codec import Packer, unpack
from visionrouter.schema.errors import BackendError, RefusedError, RequestError, UnsupportedTargetError
from visionrouter.schema.prediction import Prediction

FILE = "predictions.sqlite"
_FORM = 1
_LASTING = {kind.__name__: kind for kind in (UnsupportedTargetError, RefusedError)}
_TABLE = """CREATE TABLE IF NOT EXISTS predictions (
    key TEXT PRIMARY KEY, backend TEXT NOT NULL, seconds REAL NOT NULL, form TEXT NOT NULL, arrays BLOB NOT NULL
) WITHOUT ROWID"""
_PATIENCE_S = 60
_LEVEL = 1
"""Of deflation: drawn maps shrink hardly more above it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a backend said to one question, and the seconds that it took."""

    answer: Prediction | BackendError
    seconds: float

    @staticmethod
    def lasts(error: Exception) -> bool:
        """Whether asking again would raise the same."""
        return type(error).__name__ in _LASTING


class Store:
    """The file of a folder, made if missing. Several processes may write to one; in one, calls take turns.

    Raises `RequestError` where the file is none of ours.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._lock = threading.Lock()
        try:
            self._rows = sqlite3.connect(
                self.path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise RequestError(f"{self.path}: cannot be opened ({error}); name another folder") from error
        try:
            self._prepare()
        except BaseException:
            self._rows.close()
            raise

    def _prepare(self) -> None:
        try:
            self._write_ahead()
            self._rows.execute("PRAGMA synchronous=NORMAL")
            self._rows.execute(_TABLE)
            (form,) = self._rows.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise RequestError(
                f"{self.path}: is no store of predictions ({error}); name another folder"
            ) from error
        if form not in (0, _FORM):
            raise RequestError(f"{self.path}: holds predictions in form {form}, this program reads {_FORM}")
        self._rows.execute(f"PRAGMA user_version={_FORM}")

    def _write_ahead(self) -> None:
        """Readers beside writers. SQLite does not wait for its turn here, as it does elsewhere, while another process opens
        or closes the file."""
        begun_s = monotonic()
        while True:
            try:
                self._rows.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() - begun_s > _PATIENCE_S:
                    raise
                sleep(0.01)

    def get(self, key: str) -> Entry | None:
        with self._lock:
            row = self._rows.execute(
                "SELECT seconds, form, arrays FROM predictions WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        seconds, form, arrays = row
        match json.loads(form):
            case {"error": str() as kind, "message": str() as message}:
                return Entry(_LASTING[kind](message), seconds)
            case {"prediction": packed}:
                return Entry(unpack(packed, memoryview(bytearray(zlib.decompress(arrays)))), seconds)
        raise RequestError(f"{self.path}: the entry {key} is neither a prediction nor an error")

    def put(self, key: str, backend: str, entry: Entry) -> None:
        if isinstance(entry.answer, Exception):
            form, arrays = {"error": type(entry.answer).__name__, "message": str(entry.answer)}, b""
        else:
            packer = Packer()
            form = {"prediction": packer.pack(entry.answer)}
            memory = bytearray(packer.size)
            packer.write(memoryview(memory))
            arrays = zlib.compress(memory, _LEVEL)
        row = (key, backend, entry.seconds, json.dumps(form), arrays)
        with self._lock:
            self._rows.execute("INSERT OR REPLACE INTO predictions VALUES (?, ?, ?, ?, ?)", row)

    def __len__(self) -> int:
        with self._lock:
            (count,) = self._rows.execute("SELECT count(*) FROM predictions").fetchone()
        return int(count)

    def close(self) -> None:
        with self._lock:
            self._rows.close()
