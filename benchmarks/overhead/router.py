"""What the router adds to a request: fake backends, a 640x480 image in memory.

    python -m visionrouter.benchmarks.overhead.router

Sequential latencies inline, through a worker thread and through a process of its own, from plain threads and from
asyncio; latencies and rates with 16 and 64 requests at a time; and the cost of each layer. Beside them, in turns within
each repeat, the plain call of the backend's function and, where they are installed (the `bench` extra), LiteLLM's router
with mock answers, and a model inside LitServe with the router and without.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial

from visionrouter.backends.isolation import IsolatedBackend
from visionrouter.backends.registry import Recipe
from visionrouter.benchmarks.overhead import served
from visionrouter.benchmarks.overhead.layers import layers
from visionrouter.benchmarks.overhead.peers import Peer, litellm_router
from visionrouter.benchmarks.overhead.timing import (
    Timing,
    heading,
    in_turns,
    machine,
    sequential,
    sequential_async,
    timing,
)
from visionrouter.benchmarks.overhead.workload import ANSWER, ASKED, IMAGE, fake, router
from visionrouter.schema.request import Query

PLAIN = "plain function call"


def isolated() -> IsolatedBackend:
    return IsolatedBackend(Recipe("fake", "fake", {"remember": False}))


def one_by_one(n: int, repeats: int, peer: Peer | None) -> list[Timing]:
    """Requests one after the other."""
    bare, query = fake(inline=True), Query(ASKED.task, IMAGE, ASKED.targets)
    with ExitStack() as stack:
        inline, worker, process = (
            stack.enter_context(router(b)) for b in (fake(inline=True), fake(inline=False), isolated())
        )
        calls: dict[str, Callable[[], object]] = {
            PLAIN: lambda: bare.predict([query]),
            "router.run, inline": lambda: inline.run(IMAGE, ASKED),
            "router.run, inline, words parsed": lambda: inline.run(IMAGE, ASKED.text),
            "router.run, worker thread": lambda: worker.run(IMAGE, ASKED),
            "router.run, process": lambda: process.run(IMAGE, ASKED),
        }
        awaited: dict[str, Callable[[], Awaitable[object]]] = {
            "await router.arun, inline": lambda: inline.arun(IMAGE, ASKED),
            "await router.arun, worker thread": lambda: worker.arun(IMAGE, ASKED),
        }
        if peer is not None:
            calls[peer.name] = peer.ask
            awaited[f"await {peer.name}"] = peer.aask
        measures = {name: partial(sequential, call, n) for name, call in calls.items()}
        for name, ask in awaited.items():
            measures[name] = partial(_in_a_loop, ask, n)
        return in_turns(measures, repeats)


def _in_a_loop(ask: Callable[[], Awaitable[object]], n: int) -> list[float]:
    return asyncio.run(sequential_async(ask, n))


def at_once(n: int, repeats: int, peer: Peer | None) -> list[Timing]:
    """Requests under way 16 and 64 at a time, from asyncio."""
    bare, query = fake(inline=True), Query(ASKED.task, IMAGE, ASKED.targets)

    async def plain() -> object:
        return bare.predict([query])

    with ExitStack() as stack:
        inline, worker = (stack.enter_context(router(fake(inline=i))) for i in (True, False))
        asked: dict[str, Callable[[], Awaitable[object]]] = {
            PLAIN: plain,
            "router.arun, inline": lambda: inline.arun(IMAGE, ASKED),
            "router.arun, worker thread": lambda: worker.arun(IMAGE, ASKED),
        }
        if peer is not None:
            asked[peer.name] = peer.aask
        runs: dict[str, list[tuple[list[float], float]]] = {}
        for _ in range(repeats + 1):
            for many in (16, 64):
                for name, ask in asked.items():
                    run = asyncio.run(_streams(ask, n, many))
                    runs.setdefault(f"{many} at a time, {name}", []).append(run)
    return [
        timing(name, [taken for taken, _ in got[1:]], [rate for _, rate in got[1:]])
        for name, got in runs.items()
    ]


async def _streams(ask: Callable[[], Awaitable[object]], n: int, many: int) -> tuple[list[float], float]:
    taken: list[float] = []

    async def stream() -> None:
        for _ in range(n // many):
            start_s = time.perf_counter()
            await ask()
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
    peer = litellm_router()
    print(heading())
    for row in one_by_one(options.n, options.repeats, peer):
        print(row)
    print("\n" + heading(rate="requests/s"))
    for row in at_once(options.n, options.repeats, peer):
        print(row)
    if served.is_here():
        print()
        for line in served.report(max(1, options.n // 8), 4 * options.repeats):
            print(line)
    print("\n" + heading("microseconds, by layer"))
    for row in layers(IMAGE, ASKED, ANSWER, options.n, options.repeats):
        print(row)


if __name__ == "__main__":
    main()
