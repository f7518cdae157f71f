"""What a router does when its backends crash, hang, swell, or are asked for more than they can do."""

import asyncio
import time

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.options import EngineOptions
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
PROFILE = """
schema_version: 1
name: fire
backends:
  faulty:
    use: faulty
    isolation: process
    hang_limit_ms: 4000
    memory_limit_mb: 200
    limits: {detect: {score: {min: 0.5}}}
  safe:
    use: fake
    limits: {detect: {score: {min: 0.5}}}
"""
POLICY = {"schema_version": 1, "name": "p", "default": {"route": {"try": ["faulty", "safe"]}}}


def burning(tmp_path, **breaker):
    path = tmp_path / "fire.yaml"
    path.write_text(PROFILE)
    options = EngineOptions(breaker=BreakerOptions(jitter=0, **breaker))
    return Router.from_profile(path, POLICY, options=options)


def test_a_lost_process_falls_back_with_its_reason_and_comes_back(tmp_path):
    with burning(tmp_path, failures_in_a_row=99, minimum_calls=50) as router:
        assert router.run(PHOTO, "find the dog").sources == ("faulty",)
        for fault, reason in (
            ("crash", Reason.CRASHED),
            ("hang", Reason.HUNG),
            ("swell", Reason.OUT_OF_MEMORY),
        ):
            result = router.run(PHOTO, "find the dog", tags={"fault": fault})
            assert (result.outcome, result.sources) == (Outcome.FELL_BACK, ("safe",))
            assert result.decision.attempts[0].verdict.reason is reason
            again = router.run(PHOTO, "find the dog")
            assert again.sources == ("faulty",)
        assert router.states()["faulty"].restarts == 3
        assert router.states()["faulty"].calls.failures == 3


def test_a_crash_loop_opens_the_breaker_and_a_probe_closes_it(tmp_path):
    with burning(tmp_path, failures_in_a_row=2, cooldown_s=0.6) as router:
        reasons = []
        for _ in range(3):
            result = router.run(PHOTO, "find the dog", tags={"fault": "crash"})
            assert result.sources == ("safe",)
            reasons.append(result.decision.attempts[0].verdict.reason)
        assert reasons == [Reason.CRASHED, Reason.CRASHED, Reason.BREAKER_OPEN]
        assert router.states()["faulty"].breaker == "open"
        assert router.states()["faulty"].calls.refused == 1
        time.sleep(0.65)
        assert router.run(PHOTO, "find the dog").sources == ("faulty",)
        assert router.states()["faulty"].breaker == "closed"


def busy(**options):
    backend = FakeBackend("busy", inline=False, batch_limit=1, script=Answer(latency_ms=60))
    policy = {**POLICY, "default": {"route": {"try": ["busy"], "accept": "always"}}}
    return Router([backend], policy, options=EngineOptions(**options))


async def crowd(router, requests):
    return await asyncio.gather(*(router.arun(PHOTO, "find the dog", **each) for each in requests))


def reasons(results):
    return [r.decision.attempts[0].verdict.reason for r in results]


def settled(router):
    """The lane's state once its thread has put the last answer away."""
    for _ in range(500):
        state = router.states()["busy"]
        if not state.pending:
            return state
        time.sleep(0.01)
    raise AssertionError(f"jobs are still pending: {state}")


def test_under_overload_the_critical_are_served_and_the_rest_told():
    requests = [{"criticality": c} for c in ("low", "low", "low", "normal", "safety", "low")]
    with busy(queue_limit=3) as router:
        results = asyncio.run(crowd(router, requests))
        state = settled(router)
    assert reasons(results) == [
        Reason.NO_GATE,
        *[Reason.OVERLOADED] * 2,
        *[Reason.NO_GATE] * 2,
        Reason.OVERLOADED,
    ]
    assert (state.shed, state.refused, state.pending) == (2, 1, 0)
    assert state.calls.failures == 0, "overload does not speak against a backend"


def test_under_overload_a_flood_does_not_starve_the_others():
    requests = [{"tags": {"camera": "flood"}}] * 12 + [{"tags": {"camera": name}} for name in "abc"]
    with busy(queue_limit=6, fair_by="camera") as router:
        results = asyncio.run(crowd(router, requests))
    assert reasons(results[12:]) == [Reason.NO_GATE] * 3
    assert reasons(results).count(Reason.OVERLOADED) == 9


def test_what_nobody_waits_for_any_more_is_not_run():
    with busy() as router:
        results = asyncio.run(crowd(router, [{}, *[{"deadline_ms": 30}] * 5]))
        assert router.run(PHOTO, "find the dog").answered
        state = router.states()["busy"]
    assert results[0].answered
    assert [r.outcome for r in results[1:]] == [Outcome.ABSTAINED] * 5
    assert state.discarded == 5
    assert state.waited_ms > 0
    assert state.typical_ms == pytest.approx(60, abs=30)
