"""A timeout speaks against a backend that does not get on, and not against one that others keep busy."""

import asyncio
import threading
import time

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.backends.faulty import FaultyBackend
from visionrouter.engine import worker as workers
from visionrouter.engine.ask import hear, put
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.lane import Lane
from visionrouter.engine.options import EngineOptions
from visionrouter.engine.waiting import BlockingWaiter, drive
from visionrouter.engine.worker import Worker
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.image import load_image
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

PHOTO = load_image(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
HANG = {"tags": {"fault": "hang"}}


def routed(backend, timeout_ms=None, **breaker):
    route = {"try": [backend.spec.name], "accept": "always"}
    if timeout_ms is not None:
        route["attempt_timeout_ms"] = timeout_ms
    options = EngineOptions(breaker=BreakerOptions(jitter=0, cooldown_s=60, **breaker))
    policy = {"schema_version": 1, "name": "p", "default": {"route": route}}
    return Router([backend], policy, options=options)


async def crowd(router, count, **options):
    return await asyncio.gather(*(router.arun(PHOTO, Task.DETECT, **options) for _ in range(count)))


def said(results):
    return [result.decision.attempts[0].verdict.reason for result in results]


def test_a_wait_behind_others_who_are_answered_does_not_count():
    backend = FakeBackend("busy", inline=False, batch_limit=1, script=Answer(latency_ms=20))
    with routed(backend, timeout_ms=110) as router:
        results = asyncio.run(crowd(router, 20))
        state = router.states()["busy"]
        late = [r for r in results if r.outcome is Outcome.ABSTAINED]
        assert len(late) > 10
        assert state.breaker == "closed"
        assert state.calls.failures <= 1, "but for one that was being answered when its time was up"
        attempts = [result.decision.attempts[0] for result in late]
        assert [a for a in attempts if a.queue_ms == a.latency_ms and "in its queue" in a.verdict.detail]


def test_a_wait_behind_one_that_hangs_does():
    backend = FaultyBackend()
    with routed(backend, timeout_ms=50, failures_in_a_row=3) as router:
        results = [router.run(PHOTO, Task.DETECT, **(HANG if i == 0 else {})) for i in range(4)]
        assert said(results) == [*[Reason.TIMEOUT] * 3, Reason.BREAKER_OPEN]
        backend.abort()


def test_a_short_deadline_tells_nothing_of_a_backend_that_is_slow():
    backend = FakeBackend("slow", inline=False, batch_limit=1, script=Answer(latency_ms=100))
    with routed(backend, failures_in_a_row=1) as router:
        results = asyncio.run(crowd(router, 6, deadline_ms=30))
        assert {r.decision.reason for r in results} == {Reason.DEADLINE_EXCEEDED}
        assert router.states()["slow"].calls.failures == 0


@pytest.mark.parametrize(
    ("limit", "reason", "counted"), [("deadline", "deadline_exceeded", 0), ("cap", "timeout", 1)]
)
def test_an_answer_too_late_for_its_users_deadline_alone_does_not_count(limit, reason, counted):
    backend = FakeBackend("here", script=Answer(latency_ms=40))
    with routed(backend, timeout_ms=20 if limit == "cap" else None) as router:
        result = router.run(PHOTO, Task.DETECT, deadline_ms=20 if limit == "deadline" else None)
        assert result.decision.attempts[0].verdict.reason == reason
        assert "discarded" in result.decision.attempts[0].verdict.detail
        assert router.states()["here"].calls.failures == counted


class Hasty(BlockingWaiter):
    """Gives up in the very moment in which the answer comes."""

    async def wait(self, future, timeout_s):
        future.exception()
        raise TimeoutError


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Answer(), Reason.TIMEOUT), (Answer(error=TimeoutError("the hub's")), Reason.BACKEND_ERROR)],
    ids=["an answer", "a time out of its own"],
)
def test_an_answer_in_the_moment_of_giving_up_is_no_error_of_the_backend(answer, reason):
    lane = Lane.of(FakeBackend(script=answer), EngineOptions())
    deadline = Deadline.of(None)
    question = put(lane, Query(Task.DETECT, PHOTO), deadline, 1000)
    heard = drive(hear(question, deadline, Hasty()))
    assert heard.failure.reason is reason


def test_deadlines_open_the_breaker_of_a_backend_that_is_stuck(monkeypatch):
    monkeypatch.setattr(workers, "_STUCK_S", 0.1)
    backend = FaultyBackend()
    with routed(backend, failures_in_a_row=2) as router:
        router.run(PHOTO, Task.DETECT)
        results = [
            router.run(PHOTO, Task.DETECT, deadline_ms=80, **(HANG if i == 0 else {})) for i in range(5)
        ]
        assert said(results)[0] is Reason.DEADLINE_EXCEEDED
        assert said(results)[-1] is Reason.BREAKER_OPEN
        backend.abort()


def shared(backend, **options):
    """A route that gives its first backend a tenth of the deadline, and no attempt a time of its own."""
    route = {"try": [backend.spec.name, "well"], "accept": "always", "reserve_share": 0.9}
    policy = {"schema_version": 1, "name": "p", "default": {"route": route}}
    breaker = BreakerOptions(jitter=0, cooldown_s=60, failures_in_a_row=2)
    return Router([backend, FakeBackend("well")], policy, options=EngineOptions(breaker=breaker, **options))


@pytest.mark.parametrize("hangs", [False, True])
def test_what_a_reserve_cuts_short_counts_only_where_the_backend_is_stuck(monkeypatch, hangs):
    monkeypatch.setattr(workers, "_STUCK_S", 0.1)
    backend = FaultyBackend(slow_ms=40)
    with shared(backend) as router:
        router.run(PHOTO, Task.DETECT)
        options = {"tags": {"fault": "hang" if hangs else "slow"}, "deadline_ms": 150 if not hangs else 1500}
        results = [router.run(PHOTO, Task.DETECT, **options) for _ in range(4)]
        assert {result.sources for result in results} == {("well",)}
        assert said(results)[0] is Reason.TIMEOUT
        assert (said(results)[-1] is Reason.BREAKER_OPEN) == hangs
        backend.abort()


@pytest.mark.parametrize("way", ["run", "arun"])
@pytest.mark.parametrize("hung", ["predicting", "loading", "hedged", "merged"])
def test_without_a_deadline_a_hang_ends_at_its_limit(way, hung):
    backend = FaultyBackend(load_fault="hang" if hung == "loading" else None)
    also = {"hedged": {"hedge_after": 10}, "merged": {"merge": True}}.get(hung, {})
    names = [backend.spec.name, "well"] if hung != "hedged" else [backend.spec.name, "other", "well"]
    route = {"try": names, "accept": "always", **also}
    policy = {"schema_version": 1, "name": "p", "default": {"route": route}}
    other = FaultyBackend(inner=FakeBackend("other", inline=False), fault="hang")
    made = Router([backend, other, FakeBackend("well")], policy, options=EngineOptions(hang_limit_ms=60))
    with made as router:
        if way == "run":
            result = router.run(PHOTO, Task.DETECT, **HANG)
        else:
            result = asyncio.run(router.arun(PHOTO, Task.DETECT, **HANG))
        attempts = {attempt.backend: attempt for attempt in result.decision.attempts}
        assert result.sources == ("well",)
        assert attempts["faulty"].verdict.reason is Reason.HUNG
        assert "no end" in attempts["faulty"].verdict.detail
        assert router.states()["faulty"].calls.failures == 1
        backend.abort()
        other.abort()


def test_long_batches_are_no_hang_while_they_come_to_an_end():
    backend = FakeBackend("slow", inline=False, batch_limit=1, script=Answer(latency_ms=30))
    policy = {
        "schema_version": 1,
        "name": "p",
        "default": {"route": {"try": ["slow"], "accept": "always"}},
    }
    with Router([backend], policy, options=EngineOptions(hang_limit_ms=100)) as router:
        assert {result.outcome for result in asyncio.run(crowd(router, 8))} == {Outcome.ACCEPTED}


@pytest.mark.parametrize("answers_before", [0, 1])
def test_a_worker_is_stuck_once_a_batch_takes_far_longer_than_usual(monkeypatch, answers_before):
    monkeypatch.setattr(workers, "_STUCK_S", 0.05)
    monkeypatch.setattr(workers, "_STUCK_AT_FIRST_S", 0.2)
    backend = FaultyBackend()
    worker = Worker(backend)
    for _ in range(answers_before):
        worker.submit(Query(Task.DETECT, PHOTO)).future.result(10)
    hung = worker.submit(Query(Task.DETECT, PHOTO, tags={"fault": "hang"}))
    begun_s = time.perf_counter()
    while not worker.is_stuck:
        assert not hung.future.done()
        time.sleep(0.005)
    took_s = time.perf_counter() - begun_s
    assert took_s >= (0.05 if answers_before else 0.2) - 0.01
    assert not worker.advanced_since(begun_s)
    backend.abort()
    assert hung.future.exception(10)
    worker.close()
    assert worker.advanced_since(begun_s)
    assert not worker.is_stuck


def test_loading_is_not_being_stuck(monkeypatch):
    monkeypatch.setattr(workers, "_STUCK_AT_FIRST_S", 0.01)
    gate = threading.Event()

    class Large(FakeBackend):
        def load(self):
            assert gate.wait(10)

    worker = Worker(Large(inline=False))
    job = worker.submit(Query(Task.DETECT, PHOTO))
    while not worker.queue.running:
        time.sleep(0.002)
    time.sleep(0.05)
    assert not worker.is_stuck
    gate.set()
    assert job.future.result(10)
    worker.close()
