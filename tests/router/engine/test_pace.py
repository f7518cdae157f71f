"""The router's own work is timed, and left undone where it would not be done by the deadline."""

import asyncio
import threading

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.confidence.probes import PROBES
from visionrouter.engine.pace import NoTimeError, Pace
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
    assert pace.ms("w", 1.0) == 0
    with pace.learn("w", 0.5):
        threading.Event().wait(0.02)
    assert pace.ms("w", 1.0) >= 0.5 * 20 / 0.5
    before = pace.ms("w", 2.0)
    pace.forget("w")
    assert 0 < pace.ms("w", 2.0) < before


def test_only_so_many_cores_are_given_out():
    pace = Pace(cores=1)
    with pace.core(1.0), pytest.raises(NoTimeError), pace.core(0.01):
        pass
    with pace.core(0.0):
        pass


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


@pytest.mark.parametrize("known_ms", [0.0, 1e4])
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
