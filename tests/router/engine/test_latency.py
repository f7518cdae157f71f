"""A percentile of the latest answers."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.engine.latency import LEAST, WINDOW, Latencies
from visionrouter.schema.task import Task


def nearest_rank(n, percent):
    return ceil(Fraction(n * percent, 100)) - 1


@given(st.lists(st.floats(0, 1e6), min_size=LEAST, max_size=2 * WINDOW), st.integers(1, 99))
def test_it_is_the_nearest_rank_of_the_latest(times_ms, percent):
    latencies = Latencies()
    for time_ms in times_ms:
        latencies.add(Task.DEPTH, time_ms)
    expected = sorted(times_ms[-WINDOW:])[nearest_rank(min(len(times_ms), WINDOW), percent)]
    assert latencies.percentile_ms(Task.DEPTH, percent) == pytest.approx(expected)


def test_too_few_tell_nothing_and_tasks_are_apart():
    latencies = Latencies()
    for _ in range(LEAST - 1):
        latencies.add(Task.DEPTH, 1.0)
    assert latencies.percentile_ms(Task.DEPTH, 95) is None
    latencies.add(Task.POSE, 1.0)
    assert latencies.percentile_ms(Task.DEPTH, 95) is None
