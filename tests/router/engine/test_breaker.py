"""The breaker leaves a failing backend alone, probes it, and takes it back."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.engine.breaker import Breaker, BreakerOptions, BreakerState
from visionrouter.schema.errors import SchemaError


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def made(clock: Clock, **options) -> Breaker:
    return Breaker(BreakerOptions(**{"failures_in_a_row": 2, "jitter": 0.0, **options}), clock)


def opened(clock: Clock, **options) -> Breaker:
    breaker = made(clock, **options)
    breaker.failure()
    breaker.failure()
    return breaker


def test_opens_after_failures_in_a_row_only():
    breaker = made(Clock())
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


def test_a_share_of_failures_opens_it_though_never_two_in_a_row():
    breaker = made(Clock(), minimum_calls=6, failure_rate=0.5)
    for _ in range(2):
        breaker.failure()
        breaker.success()
    breaker.failure()
    assert breaker.allow(), "five calls are too few to tell"
    breaker.success()
    assert breaker.allow(), "only a failure opens it"
    breaker.failure()
    assert not breaker.allow()


def test_slow_calls_open_it_though_all_are_well():
    breaker = made(Clock(), minimum_calls=4, slow_ms=100, slow_rate=0.75)
    for duration_ms in (99, 100, 250):
        breaker.success(duration_ms)
    assert breaker.allow()
    breaker.success(120)
    assert not breaker.allow()
    assert breaker.counts.slow == 3
    assert breaker.counts.failures == 0


def test_what_is_long_past_or_many_calls_ago_does_not_count():
    clock = Clock()
    breaker = made(clock, failures_in_a_row=99, minimum_calls=3, window_calls=4, window_s=10)
    breaker.failure()
    breaker.failure()
    clock.now_s += 10.1
    breaker.failure()
    assert breaker.counts.calls == 1
    for _ in range(4):
        breaker.success()
    assert breaker.counts.failures == 0
    assert breaker.counts.calls == 4


def test_several_probes_must_all_be_well():
    clock = Clock()
    breaker = opened(clock, probes=3)
    clock.now_s += 5
    assert [breaker.allow() for _ in range(4)] == [True, True, True, False]
    breaker.success()
    breaker.success()
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.allow()
    breaker.success()
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("ends", ["failure", "slow"])
def test_one_bad_probe_of_several_opens_it_again(ends):
    clock = Clock()
    breaker = opened(clock, probes=2, slow_ms=100)
    clock.now_s += 5
    assert breaker.allow()
    assert breaker.allow()
    breaker.success()
    breaker.failure() if ends == "failure" else breaker.success(100)
    assert breaker.state is BreakerState.OPEN
    assert breaker.counts.opened == 2


def test_calls_that_began_before_it_opened_change_nothing():
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 4
    breaker.failure()
    breaker.success()
    assert breaker.state is BreakerState.OPEN
    clock.now_s += 1
    assert breaker.state is BreakerState.HALF_OPEN


def test_cooldowns_are_spread_and_a_seed_repeats_them():
    def cooldown(seed):
        clock = Clock()
        breaker = opened(clock, jitter=0.5, cooldown_s=10, seed=seed)
        start_s = clock.now_s
        while not breaker.allow():
            clock.now_s += 0.01
        return clock.now_s - start_s

    spread = [cooldown(seed) for seed in range(8)]
    assert all(10 <= taken <= 15.02 for taken in spread)
    assert max(spread) - min(spread) > 2
    assert cooldown(3) == spread[3]


def test_refusals_and_openings_are_counted():
    clock = Clock()
    breaker = opened(clock)
    assert [breaker.allow() for _ in range(3)] == [False] * 3
    assert (breaker.counts.opened, breaker.counts.refused) == (1, 3)


@given(st.lists(st.sampled_from(["call", "fail", "slow", "release", "wait"]), max_size=80))
def test_its_counts_are_those_of_its_window_and_it_never_sticks(events):
    clock = Clock()
    breaker = made(clock, minimum_calls=3, window_calls=5, slow_ms=100, probes=2)
    for event in events:
        if event == "wait":
            clock.now_s += 3
        elif breaker.allow():
            {"call": breaker.success, "fail": breaker.failure, "release": breaker.release}.get(
                event, lambda: breaker.success(100)
            )()
        counts = breaker.counts
        assert 0 <= counts.failures <= counts.calls <= 5
        assert 0 <= counts.slow <= counts.calls
    clock.now_s += 5
    for _ in range(2):
        assert breaker.allow()
        breaker.success()
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    "wrong",
    [
        {"failures_in_a_row": 0},
        {"failure_rate": 0},
        {"slow_rate": 1.5},
        {"slow_ms": 0},
        {"cooldown_s": float("nan")},
        {"minimum_calls": 51},
        {"jitter": -0.1},
        {"probes": 0},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(SchemaError):
        BreakerOptions(**wrong)
