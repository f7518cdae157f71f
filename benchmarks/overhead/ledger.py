"""What experiments and the ledger cost: assignment, `record`, the whole request, and how many rows a second are written.

    python -m visionrouter.benchmarks.overhead.ledger [LEDGER]

LEDGER is where the ledger is written: a file of a temporary folder, or a postgresql:// URL of an empty database.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from visionrouter.backends.fake import FakeBackend
from visionrouter.benchmarks.overhead.router import ANSWER, ASKED, IMAGE, LIMITS, row, sequential
from visionrouter.ledger import Ledger
from visionrouter.policies import compile_policy, load_policy
from visionrouter.router import Router
from visionrouter.schema.request import Request

ARMS = [
    {"name": "a", "weight": 0.5, "policy": "self"},
    {"name": "b", "weight": 0.5, "route": {"try": ["any"], "otherwise": "abstain"}},
]
EXPERIMENTS: dict[str, dict[str, object]] = {
    "by tag": {"unit": 'request.tags["camera"]'},
    "holdout, shadow, one task": {
        "unit": 'request.tags["camera"]', "eligible": 'request.task == "detect"', "holdout": 0.05, "shadow": 0.1,
    },
    "condition on a tag": {
        "unit": 'request.tags["camera"]', "eligible": 'request.tags["camera"].startsWith("c")',
    },
}  # fmt: skip


def policy(experiment: dict[str, object]) -> dict[str, object]:
    return {
        "schema_version": 1,
        "name": "p",
        "default": {"route": {"try": ["any"]}},
        "experiment": {"name": "e", "arms": ARMS, **experiment},
    }


def written_per_second(where: str, n: int = 20_000) -> float:
    with Router([FakeBackend(script=ANSWER)], limits=LIMITS) as router:
        decision = router.run(IMAGE, ASKED).decision
    with Ledger(where, queue_limit=n) as ledger:
        start_s = time.perf_counter()
        for _ in range(n):
            ledger.record(decision)
        ledger.flush(300)
        return n / (time.perf_counter() - start_s)


def paced(router: Router, n: int = 2000, every_s: float = 0.005) -> list[float]:
    """Microseconds of each of `n` requests, `every_s` apart: as traffic comes, with the writer at work between."""
    taken = []
    for i in range(n + 100):
        start_ns = time.perf_counter_ns()
        router.run(IMAGE, ASKED)
        if i >= 100:
            taken.append((time.perf_counter_ns() - start_ns) / 1000)
        time.sleep(every_s)
    return taken


def main() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}\n")
    print(f"{'microseconds':<34} {'p50':>9} {'p95':>9} {'p99':>9}")
    request = Request(IMAGE, ASKED, tags={"camera": "c1"})
    for name, experiment in EXPERIMENTS.items():
        compiled = compile_policy(load_policy(policy(experiment)))
        row(f"assign, {name}", sequential(lambda made=compiled: made.assign(request), 20_000))  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        where = sys.argv[1] if len(sys.argv) > 1 else str(Path(folder) / "ledger.db")
        with Router([FakeBackend(script=ANSWER)], limits=LIMITS) as router:
            decision = router.run(IMAGE, ASKED).decision
            row("router.run, 200 a second", paced(router))
        with Ledger(where) as ledger:
            row("ledger.record", sequential(lambda: ledger.record(decision), 5_000))
            ledger.flush(60)
            with Router([FakeBackend(script=ANSWER)], limits=LIMITS, sinks=[ledger]) as router:
                row("the same with a ledger", paced(router))
            lost = ledger.stats.lost
        print(f"\nlost: {lost}; written: {written_per_second(where):,.0f} decisions/s")


if __name__ == "__main__":
    main()
