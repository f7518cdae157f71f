"""Where a backend is late the next is asked too; the first good answer wins, and nothing asked goes missing."""

import asyncio
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.hedging import BURST, HedgeBudget
from visionrouter.engine.options import EngineOptions
from visionrouter.intake import query_of
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
LIMITS = {task: {"score": Limit(min=0.5)} for task in Task}
LOW = Answer(signals={"score": 0.1})
BROKEN = Answer(error=RuntimeError("cable cut"))


class Held:
    """An answer that is given only once it is let go."""

    def __init__(self, answer=Answer(), when=lambda query: True):
        self.answer, self.when = answer, when
        self.asked, self.go = threading.Event(), threading.Event()

    def __call__(self, query):
        if self.when(query):
            self.asked.set()
            assert self.go.wait(30)
        return self.answer


@contextmanager
def router(first, second, *more, wait=1.0, budget=0.9, breaker=None, **route):
    scripts = {"first": first, "second": second} | dict(zip(("third",), more, strict=False))
    backends = [FakeBackend(name, script=script, inline=False) for name, script in scripts.items()]
    hedge = {"wait": wait, "budget": budget}
    policy = {
        "schema_version": 1,
        "name": "hedged",
        "default": {"route": {"try": list(scripts), "hedge_after": hedge, **route}},
    }
    options = EngineOptions() if breaker is None else EngineOptions(breaker=breaker)
    made = Router(backends, policy, limits=dict.fromkeys(scripts, LIMITS), options=options)
    try:
        yield made, {backend.spec.name: backend for backend in backends}
    finally:
        for script in scripts.values():
            if isinstance(script, Held):
                script.go.set()
        made.close()


@contextmanager
def once_asked(one, *then):
    """While it holds, `then` are let go as soon as `one` is asked."""

    def let_go():
        assert one.asked.wait(30)
        for held in then:
            held.go.set()

    helper = threading.Thread(target=let_go)
    helper.start()
    yield
    helper.join()


def ask(made, way):
    if way == "sync":
        return made.run(PHOTO, "find the dog")
    return asyncio.run(made.arun(PHOTO, "find the dog"))


BOTH_WAYS = pytest.mark.parametrize("way", ["sync", "async"])


def said(result):
    return {attempt.backend: attempt.verdict.reason for attempt in result.decision.attempts}


@BOTH_WAYS
def test_a_late_backend_is_outrun_by_the_next(way):
    with router(Held(), Answer()) as (made, _):
        result = ask(made, way)
    assert (result.outcome, result.sources) == (Outcome.FELL_BACK, ("second",))
    assert said(result) == {"second": Reason.WITHIN_LIMITS, "first": Reason.OUTRUN}
    assert result.decision.notes == ("hedged:second:1ms",)


@BOTH_WAYS
def test_a_backend_in_time_is_not_hedged(way):
    with router(Answer(), Answer(), wait=60_000.0) as (made, backends):
        result = ask(made, way)
        assert backends["second"].calls == []
    assert (result.outcome, result.sources, result.decision.notes) == (Outcome.ACCEPTED, ("first",), ())


@BOTH_WAYS
def test_the_first_may_still_win_and_the_second_is_accounted_for(way):
    late, hedge = Held(), Held()
    with router(late, hedge) as (made, _), once_asked(hedge, late):
        result = ask(made, way)
    assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("first",))
    assert said(result) == {"first": Reason.WITHIN_LIMITS, "second": Reason.OUTRUN}


@BOTH_WAYS
@pytest.mark.parametrize("script", [LOW, BROKEN], ids=["not good enough", "broken"])
def test_an_early_answer_that_does_not_pass_waits_for_the_first(way, script):
    late = Held()
    with router(late, script) as (made, backends):

        def let_go():
            while not backends["second"].calls:
                late.asked.wait(0.001)
            late.go.set()

        helper = threading.Thread(target=let_go)
        helper.start()
        result = ask(made, way)
        helper.join()
        assert len(backends["second"].calls) == 1
    assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("first",))


@BOTH_WAYS
def test_a_first_that_fails_late_takes_the_answer_that_was_asked_for_already(way):
    late, hedge = Held(BROKEN), Held()
    with router(late, hedge) as (made, backends):
        with once_asked(hedge, late, hedge):
            result = ask(made, way)
        assert len(backends["second"].calls) == 1
    assert (result.outcome, result.sources) == (Outcome.FELL_BACK, ("second",))
    assert said(result)["first"] in {Reason.BACKEND_ERROR, Reason.OUTRUN}


def test_a_loser_that_did_not_run_yet_is_taken_back():
    blocker = Held()
    with router(Answer(latency_ms=30), blocker) as (made, backends):
        query = query_of(made.request(PHOTO, "find the dog"))
        job = made._engine._lanes["second"].worker.submit(query)
        assert blocker.asked.wait(30)
        result = made.run(PHOTO, "find the dog")
        blocker.go.set()
        job.future.result(30)
    assert len(backends["second"].calls) == 1
    assert result.sources == ("first",)
    lost = next(a for a in result.decision.attempts if a.backend == "second")
    assert "taken back before it ran" in lost.verdict.detail


def test_the_budget_bounds_the_second_questions():
    with router(Answer(latency_ms=15), Answer(latency_ms=30), budget=0.1) as (made, backends):
        results = [made.run(PHOTO, "find the dog") for _ in range(30)]
    asked = sum("hedged:second:1ms" in r.decision.notes for r in results)
    refused = sum("not_hedged:budget" in r.decision.notes for r in results)
    assert 1 <= asked <= 4
    assert asked + refused == 30
    assert len(backends["second"].calls) <= asked


@given(st.lists(st.booleans(), max_size=300), st.floats(0.01, 0.99))
def test_a_budget_never_pays_more_than_its_share_and_what_it_began_with(spends, share):
    budget, paid = HedgeBudget(share), 0
    for n, spend in enumerate(spends, 1):
        budget.earn()
        paid += spend and budget.spend()
        assert paid <= 1 + share * n + 1e-6
    assert budget._saved <= BURST


def test_a_percentile_is_waited_for_once_enough_is_known():
    held = Held(when=lambda query: query.seed == 1)
    with router(held, Answer(), wait="p95") as (made, _):
        for _ in range(25):
            assert made.run(PHOTO, "find the dog").sources == ("first",)
        result = made.run(PHOTO, "find the dog", seed=1)
    assert result.sources == ("second",)
    assert result.decision.notes[0].startswith("hedged:second:")


def test_what_is_not_known_is_not_hedged():
    with router(Answer(latency_ms=20), Answer(), wait="p50") as (made, backends):
        assert made.run(PHOTO, "find the dog").sources == ("first",)
        assert backends["second"].calls == []


def test_a_hedge_is_bound_by_the_deadline():
    with router(Held(), Held(), deadline_ms=60) as (made, _):
        result = made.run(PHOTO, "find the dog")
    assert result.outcome is Outcome.ABSTAINED
    assert set(said(result).values()) <= {Reason.TIMEOUT, Reason.DEADLINE_EXCEEDED}


def test_a_loser_that_breaks_still_counts_against_its_backend():
    late = Held(BROKEN)
    with router(late, Answer(), breaker=BreakerOptions(failures_in_a_row=1)) as (made, _):
        assert made.run(PHOTO, "find the dog").sources == ("second",)
        assert made.states()["first"].breaker == "closed"
        late.go.set()
        while made.states()["first"].pending:
            late.asked.wait(0.001)
        while made.states()["first"].breaker != "open":
            late.asked.wait(0.001)


def test_a_request_that_is_called_off_leaves_no_question_behind():
    first, second = Held(), Held()
    with router(first, second, breaker=BreakerOptions(failures_in_a_row=1)) as (made, _):

        async def called_off():
            task = asyncio.ensure_future(made.arun(PHOTO, "find the dog"))
            assert await asyncio.to_thread(second.asked.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(called_off())
        first.go.set()
        second.go.set()
        assert made.run(PHOTO, "find the dog").outcome in {Outcome.ACCEPTED, Outcome.FELL_BACK}


def test_a_second_opinion_that_is_on_its_way_is_not_asked_for_again():
    late = Held()
    checked = {"check_with": {"backend": "any", "on_disagreement": "fall_back", "if_none": "fall_back"}}
    hedge = Held()
    with router(late, hedge, **checked) as (made, backends):
        with once_asked(hedge, late, hedge):
            result = made.run(PHOTO, "find the dog")
        assert [len(b.calls) for b in backends.values()] == [1, 1]
    assert result.payload is not None
