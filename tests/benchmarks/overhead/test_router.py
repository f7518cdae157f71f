"""The overhead table measures what it says, and its quantiles are quantiles."""

import statistics
import time

import pytest

from visionrouter.benchmarks.overhead.router import main
from visionrouter.benchmarks.overhead.timing import repeated, timing


def test_the_table_names_machine_versions_and_every_path(capsys):
    main(["--n", "64", "--repeats", "1"])
    said = capsys.readouterr().out
    machine, size, *_ = said.splitlines()
    assert "numpy" in machine
    assert "cores" in machine
    assert "medians over 1" in size
    for row in (
        "bare backend.predict",
        "inline",
        "worker thread",
        "process",
        "64 at a time",
        "queue hop",
        "verdict",
    ):
        assert row in said


def test_quantiles_are_medians_over_repeats():
    runs = [[float(i) for i in range(1000)], [float(i) for i in range(1000, 2000)], [0.0] * 1000]
    row = timing("x", runs, [5.0, 1.0, 3.0])
    assert row.p50 == pytest.approx(statistics.median(runs[0]), abs=1)
    assert row.p99 == pytest.approx(990, abs=1)
    assert row.per_s == 3


def test_calls_are_timed_in_microseconds_and_take_turns():
    order = []
    calls = {
        "slow": lambda: (order.append("slow"), time.sleep(0.002)),
        "quick": lambda: order.append("quick"),
    }
    slow, quick = repeated(calls, 5, 2)
    assert slow.p50 > 2000 > quick.p50
    assert [a for a, b in zip(order, [None, *order], strict=False) if a != b] == ["slow", "quick"] * 2
