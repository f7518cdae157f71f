"""A percentile of the latest answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.engine.latency import LEAST, WINDOW, Latencies
from visionrouter.schema.task import Task


@given(st.lists(st.floats(0, 1e6), min_size=LEAST, max_size=2 * WINDOW), st.integers(1, 99))
def test_it_is_the_nearest_rank_of_the_latest(times_ms, percent):
    latencies = Latencies()
    for time_ms in times_ms:
        latencies.add(Task.DEPTH, time_ms)
    expected = np.percentile(times_ms[-WINDOW:], percent, method="inverted_cdf")
    assert latencies.percentile_ms(Task.DEPTH, percent) == pytest.approx(expected)


def test_too_few_tell_nothing_and_tasks_are_apart():
    latencies = Latencies()
    for _ in range(LEAST - 1):
        latencies.add(Task.DEPTH, 1.0)
    assert latencies.percentile_ms(Task.DEPTH, 95) is None
    latencies.add(Task.POSE, 1.0)
    assert latencies.percentile_ms(Task.DEPTH, 95) is None
