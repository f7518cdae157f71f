"""Under mixed load and faults every request is heard of, no queue sticks and nothing is left behind; and what would tell
the contrary does."""

import threading
from dataclasses import replace
from random import Random

import pytest

from visionrouter.benchmarks.soak.__main__ import main
from visionrouter.benchmarks.soak.load import FAULT_RATE, Tally, drawn
from visionrouter.benchmarks.soak.resources import Held, growth_mb, settled, slope_mb_per_minute
from visionrouter.benchmarks.soak.router import DEADLY
from visionrouter.benchmarks.soak.run import SETTLED_S, run, text
from visionrouter.schema.errors import RequestError


@pytest.fixture(scope="module")
def report():
    return run(6.0, deadly_rate=0.02)


def test_nothing_is_lost_stuck_or_leaked(report):
    assert report.broken == ()
    assert report.tally.unanswered == 0
    assert report.tally.untyped == []
    assert report.recorded == report.tally.answered
    assert report.tally.put > 100


def test_the_load_was_mixed_and_the_faults_were_felt(report):
    assert {"accepted", "fell_back", "merged", "abstained", "failed"} <= report.tally.outcomes.keys()
    assert report.tally.errors["RequestError"] > 0
    assert report.tally.cancelled > 0
    assert sum(state.calls.opened for state in report.states.values()) > 0
    assert sum(state.restarts for state in report.states.values()) > 0
    assert max(sample.processes for sample in report.samples) - report.before.processes == 2


def held(**more):
    return Held(**{"at_s": 0.0, "rss_mb": 100.0, "threads": 1, "processes": 0, "descriptors": 6, **more})


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"tally": Tally(put=3)}, "3 requests lost"),
        ({"stuck": 1}, "1 callers never came back"),
        ({"recorded": 0}, "decisions not recorded"),
        ({"after": held(threads=99)}, "threads: "),
        ({"after": held(descriptors=99)}, "descriptors: "),
        ({"after": held(processes=9)}, "processes: "),
        (
            {"seconds": SETTLED_S, "samples": tuple(held(at_s=i, rss_mb=100.0 + i) for i in range(40))},
            "memory grew by 20",
        ),
    ],
)
def test_what_breaks_is_told(report, broken, words):
    told = replace(report, **broken)
    assert any(words in said for said in told.broken)
    assert "BROKEN" in text(told)


def test_stuck_queues_are_told(report):
    name, state = next(iter(report.states.items()))
    told = replace(report, states={**report.states, name: replace(state, waiting=2)})
    assert any("queues stuck" in said for said in told.broken)


def test_memory_over_time():
    rising = [held(at_s=60.0 * i, rss_mb=100.0 + 2 * i) for i in range(8)]
    assert slope_mb_per_minute(rising) == pytest.approx(2)
    assert growth_mb(rising) == pytest.approx(8)
    assert growth_mb([held()] * 8) == 0
    assert growth_mb([held()]) == slope_mb_per_minute([held()]) == 0


def test_a_thread_that_is_left_is_a_leak():
    before, gate = Held.now(), threading.Event()
    left = threading.Thread(target=gate.wait)
    left.start()
    assert settled(before, 0.1).leaks(before)[0].startswith("threads: ")
    gate.set()
    left.join()
    assert not [leak for leak in settled(before).leaks(before) if "threads" in leak]


def test_an_error_that_is_not_ours_counts_as_lost():
    tally = Tally(put=2)
    tally.failed(RequestError("ours"))
    tally.failed(KeyError("not ours"))
    assert tally.unanswered == 1
    assert tally.untyped == ["KeyError: 'not ours'"]


def test_the_same_seed_draws_the_same_requests():
    def asked(seed):
        random = Random(seed)
        return [drawn(random, ("a", "b")) for _ in range(3000)]

    assert asked(1) == asked(1)
    assert asked(1) != asked(2)
    faults = [options["tags"]["fault"] for _, _, options in asked(1) if "fault" in options["tags"]]
    assert len(faults) / 3000 == pytest.approx(FAULT_RATE, abs=0.02)
    assert DEADLY & set(faults)


def test_a_mistake_is_told(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--minutes", "0"])
    assert end.value.code == 2
    assert "--minutes is above 0" in capsys.readouterr().err
