"""One engine, two ways to wait."""

import asyncio
from concurrent.futures import Future

import pytest

from visionrouter.engine.waiting import AsyncWaiter, BlockingWaiter, drive


def done(value):
    future = Future()
    future.set_result(value)
    return future


async def both(waiter):
    return await waiter.gather([waiter.wait(done(1), None), waiter.wait(done(2), 1.0)])


def test_the_same_coroutine_runs_with_and_without_a_loop():
    assert drive(both(BlockingWaiter())) == asyncio.run(both(AsyncWaiter())) == [1, 2]


def test_a_late_future_is_cancelled():
    blocking, waiting = Future(), Future()
    with pytest.raises(TimeoutError):
        drive(BlockingWaiter().wait(blocking, 0.01))
    with pytest.raises(TimeoutError):
        asyncio.run(AsyncWaiter().wait(waiting, 0.01))
    assert blocking.cancelled()
    assert waiting.cancelled()


def test_a_coroutine_that_suspends_is_not_left_hanging():
    async def sleeps():
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="suspended"):
        drive(sleeps())


def test_what_is_there_already_cannot_time_out_on_a_busy_loop():
    async def busy():
        return await AsyncWaiter().wait(done(7), 0.0)

    assert asyncio.run(busy()) == 7
