"""What the router adds to a request: fake backends, a 640x480 image in memory.

    python -m visionrouter.benchmarks.overhead.router

Sequential latencies (p50, p95, p99) inline and through a worker, from plain threads and from asyncio, beside the bare
backend call in the same run; and requests a second with 16 at a time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import pydantic

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.router import Router
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import Detections
from visionrouter.schema.request import Query
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Instruction, Target, Task

IMAGE = load_image(np.zeros((480, 640, 3), np.uint8))
ASKED = Instruction(Task.DETECT, "find the dog", (Target("dog", "the dog"),))
ANSWER = Answer(
    Detections(
        np.tile(np.array([[1, 2, 30, 40]], np.float32), (10, 1)), np.full(10, 0.9, np.float32), ("dog",) * 10
    )
)
LIMITS = {"fake": {Task.DETECT: {"score": Limit(min=0.5)}}}


def router(*, inline: bool) -> Router:
    return Router([FakeBackend(script=ANSWER, inline=inline)], limits=LIMITS)


def sequential(call: Callable[[], object], n: int = 4000) -> list[float]:
    """Microseconds of each of `n` calls, after a warm-up, with the garbage collector off."""
    for _ in range(n // 10):
        call()
    gc.collect()
    gc.disable()
    try:
        taken = []
        for _ in range(n):
            start_ns = time.perf_counter_ns()
            call()
            taken.append((time.perf_counter_ns() - start_ns) / 1000)
    finally:
        gc.enable()
    return taken


async def sequential_async(made: Router, n: int = 4000) -> list[float]:
    taken = []
    for i in range(n + n // 10):
        start_ns = time.perf_counter_ns()
        await made.arun(IMAGE, ASKED)
        if i >= n // 10:
            taken.append((time.perf_counter_ns() - start_ns) / 1000)
    return taken


async def throughput(made: Router, n: int = 8000, at_once: int = 16) -> float:
    """Requests a second with `at_once` under way."""

    async def stream() -> None:
        for _ in range(n // at_once):
            await made.arun(IMAGE, ASKED)

    start_s = time.perf_counter()
    await asyncio.gather(*(stream() for _ in range(at_once)))
    return n / (time.perf_counter() - start_s)


def row(name: str, taken: list[float]) -> None:
    cuts = statistics.quantiles(taken, n=100)
    print(f"{name:<34} {statistics.median(taken):9.1f} {cuts[94]:9.1f} {cuts[98]:9.1f}")


def main() -> None:
    print(
        f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, numpy {np.__version__}, pydantic {pydantic.VERSION}\n"
    )
    print(f"{'microseconds a request':<34} {'p50':>9} {'p95':>9} {'p99':>9}")
    bare, query = FakeBackend(script=ANSWER), Query(Task.DETECT, IMAGE, ASKED.targets)
    row("bare backend.predict", sequential(lambda: bare.predict([query])))
    with router(inline=True) as made:
        row("router.run, inline", sequential(lambda: made.run(IMAGE, ASKED)))
        row("router.run, inline, words parsed", sequential(lambda: made.run(IMAGE, ASKED.text)))
        row("await router.arun, inline", asyncio.run(sequential_async(made)))
    with router(inline=False) as made:
        row("router.run, worker", sequential(lambda: made.run(IMAGE, ASKED)))
        row("await router.arun, worker", asyncio.run(sequential_async(made)))
        print(f"\n16 at a time, worker: {asyncio.run(throughput(made)):,.0f} requests/s")
    with router(inline=True) as made:
        print(f"16 at a time, inline: {asyncio.run(throughput(made)):,.0f} requests/s")


if __name__ == "__main__":
    main()
