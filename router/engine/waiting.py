"""How to wait for a worker: blocking the calling thread, or yielding to asyncio. The engine is written once for both.

Engine coroutines only ever wait through a `Waiter`. Under `BlockingWaiter` they therefore never suspend, and `drive`
runs one to its end with no event loop; under `AsyncWaiter` they are ordinary asyncio coroutines.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from time import perf_counter
from typing import Any, Protocol, TypeVar

from visionrouter.engine.lateness import Lateness

T = TypeVar("T")


class Waiter(Protocol):
    """Waits for one future up to a time, or for several coroutines."""

    async def wait(self, future: Future[T], timeout_s: float | None) -> T:
        """The future's result. Raises `TimeoutError` when it is not done in time; it is then cancelled if it can be."""
        ...

    async def first(self, futures: Sequence[Future[Any]], timeout_s: float | None) -> None:
        """Until one of the futures is done, or the time is up."""
        ...

    async def gather(self, parts: Sequence[Coroutine[Any, Any, T]]) -> list[T]: ...


class BlockingWaiter:
    """Blocks the calling thread. Parts of a plan run one after the other. `lateness` learns of waits that ran out."""

    def __init__(self, lateness: Lateness | None = None) -> None:
        self._lateness = lateness or Lateness()

    async def wait(self, future: Future[T], timeout_s: float | None) -> T:
        begun_s = perf_counter()
        try:
            return future.result(timeout_s)
        except TimeoutError:
            if not future.done():
                _learn(self._lateness, begun_s, timeout_s)
            future.cancel()
            raise

    async def first(self, futures: Sequence[Future[Any]], timeout_s: float | None) -> None:
        wait(futures, timeout_s, FIRST_COMPLETED)

    async def gather(self, parts: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        return [await part for part in parts]


class AsyncWaiter:
    """Yields to the running event loop. Parts of a plan run side by side. `lateness` learns of waits that ran out."""

    def __init__(self, lateness: Lateness | None = None) -> None:
        self._lateness = lateness or Lateness()

    async def wait(self, future: Future[T], timeout_s: float | None) -> T:
        import asyncio

        if future.done():  # a loop that is busy would let it time out all the same
            return future.result()
        wrapped = asyncio.wrap_future(future)
        if timeout_s is None:
            return await wrapped
        begun_s = perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                return await wrapped
        except TimeoutError:
            if wrapped.cancelled():
                _learn(self._lateness, begun_s, timeout_s)
            raise

    async def first(self, futures: Sequence[Future[Any]], timeout_s: float | None) -> None:
        import asyncio

        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: Future[Any]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        for future in futures:
            future.add_done_callback(wake)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await done.wait()

    async def gather(self, parts: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        import asyncio

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
        return [task.result() for task in tasks]


def _learn(lateness: Lateness, begun_s: float, timeout_s: float | None) -> None:
    if timeout_s is not None:
        lateness.learn((perf_counter() - begun_s - timeout_s) * 1000)


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends to its end, with no event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    coroutine.close()
    raise RuntimeError("a coroutine driven without an event loop suspended; it waited outside its Waiter")
