"""How far past its deadline an answer comes, under load.

    python -m visionrouter.benchmarks.overhead.deadline [--tuned]

Callers keep asking for depth at 480x640 of two backends that mostly answer in time and sometimes do not, while other
threads keep the cores busy. A row a route and a way to call: milliseconds past the deadline, 0 for those in time. The first
rows are of bare timers in the same callers: what the interpreter and the machine take without any router. `--tuned`: as an
application that counts on its milliseconds sets the interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.benchmarks.overhead.timing import machine
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.options import EngineOptions
from visionrouter.router import Router
from visionrouter.schema.image import Image
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Instruction, Task

DEADLINE_MS = 100.0
CALLERS, EACH = 8, 60
BUSY_THREADS = 1
IMAGE = Image(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))
ASKED = Instruction(Task.DEPTH, "depth map")
NAMES = ("first", "second")
LIMITS = {name: {Task.DEPTH: {"score": Limit(min=0.5)}} for name in NAMES}
ROUTES: dict[str, dict[str, object]] = {
    "in order": {},
    "a reserve of 40 ms": {"reserve_ms": 40},
    "hedged after 40 ms": {"hedge_after": {"wait": 40, "budget": 0.5}},
    "both, merged": {"merge": True},
    "flip, then the next": {"evidence": ["flip", "input_quality"]},
    "checked": {"check_with": {"backend": "any", "if_none": "accept"}},
}


NEVER = BreakerOptions(failures_in_a_row=10**9, failure_rate=1.0, minimum_calls=50)
"""Every question is asked."""


class Sleeper(Backend):
    """Answers a batch with a ramp after 5 ms; every fourth batch takes up to two deadlines, every fourth answer is not good
    enough."""

    def __init__(self, name: str, seed: int) -> None:
        self.spec = BackendSpec(
            name=name,
            kind="specialist",
            tasks=frozenset({Task.DEPTH}),
            licence="Apache-2.0",
            batch_limit=CALLERS,
        )
        self._rng = np.random.default_rng(seed)
        self._batches, self._answers = count(), count()
        self._ramp = DepthMap(np.repeat(np.linspace(30, 2, 480, dtype=np.float32)[:, None], 640, 1), "m")

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        slow = next(self._batches) % 4 == 3
        time.sleep(self._rng.uniform(0.5, 2) * DEADLINE_MS / 1000 if slow else 0.005)
        scores = [0.9 if next(self._answers) % 4 else 0.1 for _ in queries]
        return [Prediction(self._ramp, Evidence({"score": score})) for score in scores]


@contextmanager
def busy(threads: int) -> Any:
    """So many threads that do arithmetic, a tenth of it holding the interpreter's lock."""
    stop = threading.Event()

    def work() -> None:
        values = np.random.default_rng(0).random((400, 400))
        while not stop.is_set():
            values = values @ values
            values /= np.abs(values).max()
            sum(i * i for i in range(2_000))

    started = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for thread in started:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in started:
            thread.join()


def router(route: dict[str, object]) -> Router:
    backends = [Sleeper(name, seed) for seed, name in enumerate(NAMES)]
    policy = {
        "schema_version": 1,
        "name": "timed",
        "default": {"route": {"try": list(NAMES), "deadline_ms": DEADLINE_MS, **route}},
    }
    return Router(backends, policy, limits=LIMITS, options=EngineOptions(breaker=NEVER))


def by_threads(made: Router) -> list[Result]:
    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(lambda _: made.run(IMAGE, ASKED), range(CALLERS * EACH)))


def by_loop(made: Router) -> list[Result]:
    async def caller() -> list[Result]:
        return [await made.arun(IMAGE, ASKED) for _ in range(EACH)]

    async def all_of_them() -> list[Result]:
        return [
            result for some in await asyncio.gather(*(caller() for _ in range(CALLERS))) for result in some
        ]

    return asyncio.run(all_of_them())


def timers_in_threads() -> list[float]:
    def slept(_: int) -> float:
        begun_s = time.perf_counter()
        threading.Event().wait(DEADLINE_MS / 1000)
        return (time.perf_counter() - begun_s) * 1000

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(slept, range(CALLERS * EACH // 4)))


def timers_in_a_loop() -> list[float]:
    async def caller() -> list[float]:
        slept = []
        for _ in range(EACH // 4):
            begun_s = time.perf_counter()
            await asyncio.sleep(DEADLINE_MS / 1000)
            slept.append((time.perf_counter() - begun_s) * 1000)
        return slept

    async def all_of_them() -> list[float]:
        return [ms for some in await asyncio.gather(*(caller() for _ in range(CALLERS))) for ms in some]

    return asyncio.run(all_of_them())


def routed(name: str, results: Sequence[Result]) -> str:
    answered = sum(result.payload is not None for result in results) / len(results)
    return row(name, [result.decision.elapsed_ms for result in results], f"{answered:.0%}")


def row(name: str, took_ms: Sequence[float], answered: str = "") -> str:
    late = [max(0.0, ms - DEADLINE_MS) for ms in took_ms]
    cuts = statistics.quantiles(late, n=100)
    hit = sum(ms > 0 for ms in late) / len(late)
    return f"{name:<34} {len(late):6} {answered:>9} {hit:7.0%} {cuts[49]:7.1f} {cuts[94]:7.1f} {cuts[98]:7.1f} {max(late):7.1f}"


def tune() -> None:
    """No thread keeps the interpreter for longer than a millisecond, and collections pass over what was there before."""
    sys.setswitchinterval(0.001)
    gc.collect()
    gc.freeze()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tuned", action="store_true", help="with sys.setswitchinterval and gc.freeze")
    tuned = parser.parse_args(arguments).tuned
    said = ", tuned" if tuned else ""
    print(
        f"{machine('numpy')}{said}; deadline {DEADLINE_MS:g} ms, {CALLERS} callers, {BUSY_THREADS} busy threads\n"
    )
    with router({}) as made:  # what it imports at the first request is there
        made.run(IMAGE, ASKED, deadline_ms=60_000)
    if tuned:
        tune()
    print(
        f"{'milliseconds past the deadline':<34} {'n':>6} {'answered':>9} {'late':>7} {'p50':>7} {'p95':>7} {'p99':>7} {'max':>7}"
    )
    ways: dict[str, Callable[[Router], list[Result]]] = {"threads": by_threads, "asyncio": by_loop}
    with busy(BUSY_THREADS):
        print(row("a bare timer, threads", timers_in_threads()))
        print(row("a bare timer, asyncio", timers_in_a_loop()), flush=True)
        for name, route in ROUTES.items():
            for way, ask in ways.items():
                with router(route) as made:
                    for _ in range(5):  # what the router's own work takes is learnt
                        made.run(IMAGE, ASKED, deadline_ms=60_000)
                    print(routed(f"{name}, {way}", ask(made)), flush=True)


if __name__ == "__main__":
    main()
