"""Faults of what surrounds the backends: full queues, a wall clock that jumps, disks that are full."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from visionrouter.backends import faulty
from visionrouter.policies import compile_policy, load_policy
from visionrouter.router import Router
from visionrouter.schema.decision import Decision, Sink
from visionrouter.schema.request import Request

QUEUE_LIMIT = 8
DAY_S = 86_400.0
LARGE = 1 << 16
"""Characters of a decision for which a full ledger has no room left in the pages that it holds."""


@contextmanager
def full_queues(router: Router, names: Sequence[str], request: Request) -> Iterator[None]:
    """While it holds, the queues of the backends `names` are full of requests that hang in them.

    The backends are `FaultyBackend`, which hang by tag; the queues take `QUEUE_LIMIT`. One that is `inline` has no queue.
    """
    policy, crowds = router.policy, []
    tags = {faulty.TAG: faulty.Fault.HANG.value}
    for name in names:
        if router.backends[name].spec.inline:
            continue
        only = {
            "schema_version": 1,
            "name": "crowd",
            "default": {"route": {"try": [name], "accept": "always"}},
        }
        router.policy = compile_policy(load_policy(only))
        images = [request.image] * QUEUE_LIMIT
        options = {"tags": tags, "concurrency": QUEUE_LIMIT, "boxes": request.prompts.boxes}
        crowd = threading.Thread(
            target=router.run_batch, args=(images, request.instruction), kwargs=options, daemon=True
        )
        crowd.start()
        crowds.append(crowd)
        while crowd.is_alive() and router.states()[name].pending < QUEUE_LIMIT:
            time.sleep(0.001)
    router.policy = policy
    yield
    for name in names:
        router.backends[name].abort()
    for crowd in crowds:
        crowd.join()


@contextmanager
def jumping_clock(by_s: float) -> Iterator[None]:
    """While it holds, each reading of `time.time` and `time.time_ns` is `by_s` further off than the one before."""
    now, now_ns, jumps = time.time, time.time_ns, count(1)
    with (
        patch.object(time, "time", lambda: now() + by_s * next(jumps)),
        patch.object(time, "time_ns", lambda: now_ns() + int(by_s * 1e9) * next(jumps)),
    ):
        yield


class FullDisk:
    """A sink whose disk is full."""

    def record(self, decision: Decision) -> None:  # noqa: ARG002
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def full_telemetry() -> Iterator[tuple[Sink, Callable[[], str]]]:
    """A sink that raises ENOSPC, and what became of its decisions."""
    yield FullDisk(), lambda: "written 0"


@contextmanager
def full_ledger() -> Iterator[tuple[Sink, Callable[[], str]]]:
    """A ledger whose database cannot grow, by SQLite's own limit, and, once it was closed, where its decisions went."""
    import sqlalchemy

    from visionrouter.ledger import Ledger

    def full(connection: Any, *_: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA max_page_count=1").close()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        with Ledger(path, overflow="spill", flush_s=0.01) as ledger:
            sqlalchemy.event.listen(sqlalchemy.Pool, "checkout", full)

            def became() -> str:
                ledger.close()
                files = sorted(Path(f"{path}.spill").glob("*.jsonl"))
                spilled = sum(len(file.read_text().splitlines()) for file in files)
                stats = ledger.stats
                return f"written {stats.written}, spilled {spilled}, lost {stats.lost}"

            try:
                yield ledger, became
            finally:
                sqlalchemy.event.remove(sqlalchemy.Pool, "checkout", full)


@contextmanager
def heard() -> Iterator[list[str]]:
    """What the router logs meanwhile, from warnings on, one line each; none of it is printed."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, ear = logging.getLogger("visionrouter"), Ear(logging.WARNING)
    propagates = logger.propagate
    logger.addHandler(ear)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.propagate = propagates
        logger.removeHandler(ear)
