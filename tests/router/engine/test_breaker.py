"""The breaker leaves a failing backend alone, probes it, and takes it back."""

import threading

from visionrouter.engine.breaker import Breaker, BreakerState


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(failures=2, cooldown_s=5, clock=clock)
    breaker.failure()
    breaker.failure()
    return breaker


def test_opens_after_failures_in_a_row_only():
    breaker = Breaker(failures=2, cooldown_s=5, clock=Clock())
    breaker.failure()
    breaker.success()
    breaker.failure()
    assert breaker.allow()
    breaker.failure()
    assert not breaker.allow()
    assert breaker.state is BreakerState.OPEN


def test_half_open_lets_one_probe_through():
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 5
    assert breaker.state is BreakerState.HALF_OPEN
    assert [breaker.allow() for _ in range(3)] == [True, False, False]


def test_a_good_probe_closes_it():
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 5
    assert breaker.allow()
    breaker.success()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allow()
    assert breaker.allow()


def test_a_bad_probe_starts_the_cooldown_anew():
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 5
    assert breaker.allow()
    breaker.failure()
    assert not breaker.allow()
    clock.now_s += 4.9
    assert not breaker.allow()
    clock.now_s += 0.1
    assert breaker.allow()


def test_a_released_probe_gives_its_place_to_the_next():
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 5
    assert breaker.allow()
    breaker.release()
    assert breaker.allow()


def test_threads_share_one_probe():
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 5
    start, allowed = threading.Barrier(8), []

    def probe() -> None:
        start.wait()
        allowed.append(breaker.allow())

    threads = [threading.Thread(target=probe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(allowed) == [False] * 7 + [True]
