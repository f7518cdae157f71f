"""Waits that come back late are known to, and what comes next waits so much less."""

import asyncio
import time
from concurrent.futures import Future

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.lateness import Lateness
from visionrouter.engine.waiting import AsyncWaiter, BlockingWaiter, drive
from visionrouter.router import Router

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def test_the_margin_comes_to_lie_above_nearly_all_that_was_late():
    lateness, rng = Lateness(), np.random.default_rng(0)
    late, beyond = rng.exponential(4, 2000), 0
    for ms in late:
        beyond += ms > lateness.margin_ms(1e6) + 10
        lateness.learn(ms)
    assert 0 < beyond < (late > 10).sum() / 10
    for _ in range(500):
        lateness.learn(0.1)
    assert lateness.margin_ms(1e6) < 0.2


def test_no_more_than_a_tenth_of_the_budget_is_kept():
    lateness = Lateness()
    lateness.learn(1e4)
    assert lateness.margin_ms(50) == 5
    deadline = Deadline.of(50, time.perf_counter(), lateness.margin_ms(50))
    assert 40 < deadline.left_ms() <= 45


class Late(Future):
    """Its waits come back 30 ms late."""

    def result(self, timeout=None):
        time.sleep(timeout + 0.03)
        raise TimeoutError


def test_a_blocking_wait_that_ran_out_is_learnt_from():
    lateness = Lateness()
    with pytest.raises(TimeoutError):
        drive(BlockingWaiter(lateness).wait(Late(), 0.01))
    assert lateness.margin_ms(1e6) >= 30


def test_a_wait_on_a_busy_loop_is_learnt_from():
    lateness = Lateness()

    async def main():
        waiting = asyncio.create_task(AsyncWaiter(lateness).wait(Future(), 0.01))
        await asyncio.sleep(0)
        time.sleep(0.04)  # noqa: ASYNC251
        with pytest.raises(TimeoutError):
            await waiting

    asyncio.run(main())
    assert lateness.margin_ms(1e6) >= 30


def test_a_router_keeps_what_its_waits_were_late():
    slow = FakeBackend("slow", inline=False, script=Answer(latency_ms=400))
    with Router([slow]) as router:
        router._engine.lateness.learn(1e6)
        result = router.run(PHOTO, "find the dog", deadline_ms=200)
        assert result.decision.deadline_ms == 200
        assert result.decision.attempts[0].verdict.detail.startswith("no answer within 1")
