"""The router's own work is timed, and left undone where it would not be done by the deadline."""

import asyncio
import threading

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.confidence.probes import PROBES
from visionrouter.engine.journey import Journey
from visionrouter.engine.pace import Pace
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
RAMP = DepthMap(np.repeat(np.linspace(30, 2, 60, dtype=np.float32)[:, None], 80, 1), "m")
LIMITS = {task: {"score": Limit(min=0.5)} for task in Task}
AGES_MS_A_MEGAPIXEL = 1e9


def router(**route):
    backends = [FakeBackend(name, script=Answer(RAMP), inline=False) for name in ("first", "second")]
    policy = {
        "schema_version": 1,
        "name": "paced",
        "default": {"route": {"try": ["first", "second"], "deadline_ms": 10_000, **route}},
    }
    return Router(backends, policy, limits={"first": LIMITS, "second": LIMITS})


def slow(made, work):
    made._engine._pace._ms[work] = AGES_MS_A_MEGAPIXEL


def test_a_first_time_is_not_learnt_from_and_later_ones_are():
    pace = Pace()
    with pace.learn("w", 1.0):
        threading.Event().wait(0.02)
    assert pace.ms("w", 1.0) is None
    with pace.learn("w", 0.5):
        threading.Event().wait(0.02)
    assert pace.ms("w", 1.0) >= 0.5 * 20 / 0.5
    before = pace.ms("w", 2.0)
    pace.forget("w")
    assert 0 < pace.ms("w", 2.0) < before


def test_there_are_so_many_threads_as_cores_and_none_after_the_end():
    pace, gate = Pace(cores=1), threading.Event()
    held, next_ = pace.submit(lambda: gate.wait(10)), pace.submit(threading.current_thread)
    assert not next_.done()
    gate.set()
    assert held.result(10)
    thread = next_.result(10)
    assert thread is not threading.current_thread()
    pace.close()
    pace.close()
    assert not thread.is_alive()
    assert pace.submit(threading.current_thread).result(0) is threading.current_thread()


def test_a_thread_of_its_own_may_close_it():
    pace = Pace()
    assert pace.submit(pace.close).result(10) is None


@pytest.mark.parametrize("way", ["run", "arun"])
@pytest.mark.parametrize("work", ["flip", "flip:ask", "cross_check", "merge"])
def test_the_answer_does_not_wait_past_the_deadline_for_arithmetic(way, work, monkeypatch):
    """Nor where nobody knows how long it takes."""
    route = {"flip": {"evidence": ["flip"]}, "cross_check": {"check_with": {"backend": "any"}}}
    deadline = {"deadline_ms": 200}
    gate = threading.Event()
    timed = Journey._timed

    def slow(journey, name, what):
        assert name != work or gate.wait(10)
        return timed(journey, name, what)

    with router(**route.get(work.removesuffix(":ask"), {"merge": True})) as made:
        monkeypatch.setattr(Journey, "_timed", slow)
        if way == "run":
            result = made.run(PHOTO, "depth map", **deadline)
        else:
            result = asyncio.run(made.arun(PHOTO, "depth map", **deadline))
        gate.set()
    notes = [*result.decision.notes, *(n for a in result.decision.attempts for n in a.notes)]
    assert [note for note in notes if note.endswith(":deadline_exceeded")]
    assert (result.payload is None) == (work == "cross_check")


def test_evidence_that_cannot_be_read_in_time_is_noted_and_not_believed():
    with router(evidence=["flip"], accept={"evidence": {"flip_aligned": {"min": 1}}}) as made:
        assert made.run(PHOTO, "depth map").outcome is Outcome.ACCEPTED
        slow(made, "flip")
        result = made.run(PHOTO, "depth map")
    assert result.outcome is Outcome.ABSTAINED
    first = result.decision.attempts[0]
    assert first.verdict.reason is Reason.EVIDENCE_MISSING
    assert any(note.startswith("no_evidence:flip:") for note in first.notes)


def test_a_second_opinion_that_cannot_be_compared_in_time_does_not_count_as_agreement():
    with router(check_with={"backend": "any", "if_none": "accept"}) as made:
        assert made.run(PHOTO, "depth map").outcome is Outcome.ACCEPTED
        slow(made, "cross_check")
        result = made.run(PHOTO, "depth map")
    assert result.payload is None
    assert [a.verdict.reason for a in result.decision.attempts] == [Reason.EVIDENCE_MISSING] * 2


def test_answers_that_cannot_be_merged_in_time_are_given_as_they_are():
    with router(merge=True) as made:
        assert made.run(PHOTO, "depth map").outcome is Outcome.MERGED
        slow(made, "merge")
        result = made.run(PHOTO, "depth map")
        assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("first",))
        assert "not_merged:deadline_exceeded" in result.decision.notes
        made._engine._pace._ms["merge"] = 0.0
        assert made.run(PHOTO, "depth map").outcome is Outcome.MERGED


@pytest.mark.parametrize("known_ms", [0.0, 1e4, None])
def test_long_work_leaves_the_event_loop(known_ms):
    threads = []
    with router(evidence=["flip"], accept="always") as made:
        made._engine._pace._ms["flip"] = known_ms

        read = PROBES["flip"].read

        def noted(*args):
            threads.append(threading.current_thread() is threading.main_thread())
            return read(*args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PROBES["flip"], "read", noted)
            asyncio.run(made.arun(PHOTO, "depth map"))
    assert threads == [known_ms == 0.0]
