"""What the router adds to a request: fake backends, a 640x480 image in memory.

    python -m visionrouter.benchmarks.overhead.router

Sequential latencies inline, through a worker thread and through a process of its own, from plain threads and from
asyncio, beside the bare backend call and (where litellm is installed: the `bench` extra) LiteLLM's router with mock
answers, in turns within each repeat; latencies and rates with 16 and 64 requests at a time; and the cost of each layer.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.backends.isolation import IsolatedBackend
from visionrouter.backends.registry import Recipe
from visionrouter.benchmarks.overhead.layers import layers
from visionrouter.benchmarks.overhead.peers import litellm_router
from visionrouter.benchmarks.overhead.timing import (
    Timing,
    heading,
    in_turns,
    machine,
    sequential,
    sequential_async,
    timing,
)
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


def router(backend: Backend) -> Router:
    return Router([backend], limits=LIMITS)


def fake(*, inline: bool) -> FakeBackend:
    return FakeBackend(script=ANSWER, inline=inline, remember=False)


def isolated() -> IsolatedBackend:
    return IsolatedBackend(Recipe("fake", "fake", {"remember": False}))


def one_by_one(n: int, repeats: int) -> list[Timing]:
    """Requests one after the other."""
    bare, query = fake(inline=True), Query(Task.DETECT, IMAGE, ASKED.targets)
    with ExitStack() as stack:
        inline, worker, process = (
            stack.enter_context(router(b)) for b in (fake(inline=True), fake(inline=False), isolated())
        )
        calls: dict[str, Callable[[], object]] = {
            "bare backend.predict": lambda: bare.predict([query]),
            "router.run, inline": lambda: inline.run(IMAGE, ASKED),
            "router.run, inline, words parsed": lambda: inline.run(IMAGE, ASKED.text),
            "router.run, worker thread": lambda: worker.run(IMAGE, ASKED),
            "router.run, process": lambda: process.run(IMAGE, ASKED),
        }
        peer = litellm_router()
        if peer is not None:
            calls["litellm Router.completion, mock answer"] = peer
        awaited = {
            "await router.arun, inline": lambda: inline.arun(IMAGE, ASKED),
            "await router.arun, worker thread": lambda: worker.arun(IMAGE, ASKED),
        }
        measures = {name: partial(sequential, call, n) for name, call in calls.items()}
        for name, ask in awaited.items():
            measures[name] = partial(_in_a_loop, ask, n)
        return in_turns(measures, repeats)


def _in_a_loop(ask: Callable[[], Awaitable[object]], n: int) -> list[float]:
    return asyncio.run(sequential_async(ask, n))


def at_once(n: int, repeats: int) -> list[Timing]:
    """Requests under way 16 and 64 at a time, from asyncio."""
    rows = []
    for inline in (True, False):
        with router(fake(inline=inline)) as made:
            for many in (16, 64):
                runs = [asyncio.run(_streams(made, n, many)) for _ in range(repeats + 1)][1:]
                name = f"{many} at a time, {'inline' if inline else 'worker thread'}"
                rows.append(timing(name, [taken for taken, _ in runs], [rate for _, rate in runs]))
    return rows


async def _streams(made: Router, n: int, many: int) -> tuple[list[float], float]:
    taken: list[float] = []

    async def stream() -> None:
        for _ in range(n // many):
            start_s = time.perf_counter()
            await made.arun(IMAGE, ASKED)
            taken.append((time.perf_counter() - start_s) * 1e6)

    start_s = time.perf_counter()
    await asyncio.gather(*(stream() for _ in range(many)))
    return taken, len(taken) / (time.perf_counter() - start_s)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=2000, help="requests a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    print(machine("numpy", "pydantic"))
    print(f"640x480, {options.n} requests a repeat, medians over {options.repeats} repeats\n")
    print(heading())
    for row in one_by_one(options.n, options.repeats):
        print(row)
    print("\n" + heading(rate="requests/s"))
    for row in at_once(options.n, options.repeats):
        print(row)
    print("\n" + heading("microseconds, by layer"))
    for row in layers(IMAGE, ASKED, ANSWER, options.n, options.repeats):
        print(row)


if __name__ == "__main__":
    main()
