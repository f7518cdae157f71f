"""What experiments and the ledger cost: assignment, `record`, the whole request, and how many rows a second are written.

    python -m visionrouter.benchmarks.overhead.ledger [LEDGER]

LEDGER is where the ledger is written: a file of a temporary folder, or a postgresql:// URL of an empty database.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from visionrouter.backends.fake import FakeBackend
from visionrouter.benchmarks.overhead.timing import machine, sequential
from visionrouter.benchmarks.overhead.workload import ANSWER, ASKED, IMAGE, LIMITS
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


def row(name: str, taken: list[float]) -> None:
    cuts = statistics.quantiles(taken, n=100)
    print(f"{name:<34} {statistics.median(taken):9.1f} {cuts[94]:9.1f} {cuts[98]:9.1f}")


def policy(experiment: dict[str, object]) -> dict[str, object]:
    return {
        "schema_version": 1,
        "name": "p",
        "default": {"route": {"try": ["any"]}},
        "experiment": {"name": "e", "arms": ARMS, **experiment},
    }


def written_per_second(where: str, n: int = 20_000) -> float:
    with Router([FakeBackend(script=ANSWER, remember=False)], limits=LIMITS) as router:
        decision = router.run(IMAGE, ASKED).decision
    with Ledger(where, queue_limit=n) as ledger:
        start_s = time.perf_counter()
        for _ in range(n):
            ledger.record(decision)
        ledger.flush(300)
        return n / (time.perf_counter() - start_s)


def paced(*routers: Router, n: int = 1500, every_s: float = 0.004) -> list[list[float]]:
    """Microseconds of each of `n` requests to each router in turn, `every_s` apart: the writer is at work between."""
    taken: list[list[float]] = [[] for _ in routers]
    for i in range(n + 100):
        for router, kept in zip(routers, taken, strict=True):
            start_ns = time.perf_counter_ns()
            router.run(IMAGE, ASKED)
            if i >= 100:
                kept.append((time.perf_counter_ns() - start_ns) / 1000)
            time.sleep(every_s)
    return taken


def main() -> None:
    print(f"{machine('sqlalchemy')}\n")
    print(f"{'microseconds':<34} {'p50':>9} {'p95':>9} {'p99':>9}")
    request = Request(IMAGE, ASKED, tags={"camera": "c1"})
    for name, experiment in EXPERIMENTS.items():
        compiled = compile_policy(load_policy(policy(experiment)))
        row(f"assign, {name}", sequential(lambda made=compiled: made.assign(request), 20_000))  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        where = sys.argv[1] if len(sys.argv) > 1 else str(Path(folder) / "ledger.db")
        fakes = [FakeBackend(script=ANSWER, remember=False) for _ in "ab"]
        with (
            Ledger(where) as ledger,
            Router([fakes[0]], limits=LIMITS) as plain,
            Router([fakes[1]], limits=LIMITS, sinks=[ledger]) as recorded,
        ):
            decision = plain.run(IMAGE, ASKED).decision
            row("ledger.record", sequential(lambda: ledger.record(decision), 5_000))
            ledger.flush(60)
            without, with_it = paced(plain, recorded)
            row("router.run, 125 a second", without)
            row("the same with a ledger", with_it)
            lost = ledger.stats.lost
        print(f"\nlost: {lost}; written: {written_per_second(where):,.0f} decisions/s")


if __name__ == "__main__":
    main()
