"""The router accepts, falls back, abstains or degrades, and always says why; no request is lost."""

import asyncio
import gc
import threading
import time

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.options import EngineOptions
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.errors import ImageError, InstructionError, PolicyError, RequestError, WeightsError
from visionrouter.schema.payload import DepthMap, Detections
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
NOTHING = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())
LIMITS = {task: {"score": Limit(min=0.5)} for task in Task}
STRICT = {"schema_version": 1, "name": "strict", "default": {"route": {"try": ["specialist", "generative"]}}}
ANY = {
    "schema_version": 1,
    "name": "any",
    "default": {"route": {"try": ["any"], "accept": "always", "otherwise": "best_effort"}},
}


def router(*backends, policy=STRICT, limits=True, **options):
    measured = {b.spec.name: LIMITS for b in backends} if limits else {}
    return Router(backends, policy, limits=measured, options=EngineOptions(**options))


def first(script=Answer(), **options):
    return FakeBackend("first", script=script, **options)


def second(script=Answer(), **options):
    return FakeBackend("second", kind="generative", script=script, **options)


LOW = Answer(signals={"score": 0.1})
BROKEN = Answer(error=RuntimeError("cable cut"))
BOTH_WAYS = pytest.mark.parametrize("inline", [True, False], ids=["inline", "worker"])


@BOTH_WAYS
def test_the_first_choice_is_accepted(inline):
    with router(first(inline=inline), second(inline=inline)) as made:
        result = made.run(PHOTO, "find the dog")
    assert (result.outcome, result.decision.reason) == (Outcome.ACCEPTED, Reason.WITHIN_LIMITS)
    assert result.sources == ("first",)
    assert result.confidence is None
    assert [a.backend for a in result.decision.attempts] == ["first"]
    assert result.decision.attempts[0].verdict.gate == "uncalibrated"
    assert Result.from_json(result.to_json()) == result


@BOTH_WAYS
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (LOW, Reason.CONFIDENCE_LOW),
        (BROKEN, Reason.BACKEND_ERROR),
        (Answer(error=MemoryError()), Reason.OUT_OF_MEMORY),
        (Answer(error=WeightsError("cut short")), Reason.NOT_LOADED),
        (Answer(error=TimeoutError("the far end")), Reason.BACKEND_ERROR),
        (Answer(NOTHING), Reason.NOTHING_FOUND),
        (Answer(DepthMap(np.ones((2, 2), np.float32), "m")), Reason.INVALID_OUTPUT),
        (Answer(signals={}), Reason.EVIDENCE_MISSING),
        (Answer(signals={"score": float("nan")}), Reason.INVALID_OUTPUT),
    ],
)
def test_a_failing_first_choice_falls_back_with_its_reason(script, reason, inline):
    with router(first(script, inline=inline), second(inline=inline)) as made:
        result = made.run(PHOTO, "find the dog")
    assert result.outcome is Outcome.FELL_BACK
    assert result.sources == ("second",)
    assert result.decision.attempts[0].verdict.reason is reason


def test_when_nothing_passes_it_abstains_or_degrades_as_the_route_says():
    with router(first(LOW), second(LOW)) as made:
        result = made.run(PHOTO, "find the dog")
        assert (result.outcome, result.payload) == (Outcome.ABSTAINED, None)
        assert result.decision.reason is Reason.EXHAUSTED
        assert len(result.candidates) == 2
    with router(first(Answer(NOTHING)), second(LOW), policy="default") as made:
        result = made.run(PHOTO, "find the dog")
        assert (result.outcome, result.sources) == (Outcome.DEGRADED, ("second",))


def test_when_every_backend_fails_it_says_so():
    with router(first(BROKEN), second(BROKEN), policy="default") as made:
        result = made.run(PHOTO, "find the dog")
    assert (result.outcome, result.payload) == (Outcome.FAILED, None)
    assert result.decision.reason is Reason.NO_ANSWER
    assert [a.error for a in result.decision.attempts] == ["RuntimeError: cable cut"] * 2


def test_a_route_that_abstains_does_so_too_where_every_backend_fails():
    with router(first(BROKEN), second(BROKEN)) as made:
        result = made.run(PHOTO, "find the dog")
    assert (result.outcome, result.decision.reason) == (Outcome.ABSTAINED, Reason.NO_ANSWER)


def test_no_backend_for_the_task():
    with router(first(tasks=frozenset({Task.DEPTH}))) as made:
        result = made.run(PHOTO, "find the dog")
    assert (result.outcome, result.decision.reason) == (Outcome.ABSTAINED, Reason.NO_BACKEND)


def test_on_error_abstain_stops_at_an_error_but_not_at_a_low_score():
    policy = {
        "schema_version": 1,
        "name": "careful",
        "default": {"route": {"try": ["any"], "on_error": "abstain"}},
    }
    with router(first(BROKEN), second(), policy=policy) as made:
        assert made.run(PHOTO, "find the dog").decision.reason is Reason.BACKEND_ERROR
    with router(first(LOW), second(), policy=policy) as made:
        assert made.run(PHOTO, "find the dog").outcome is Outcome.FELL_BACK


def test_a_denied_licence_is_left_out_and_named():
    policy = {**STRICT, "licences": {"deny": ["AGPL-3.0"]}}
    with router(first(licence="AGPL-3.0"), second(), policy=policy) as made:
        result = made.run(PHOTO, "find the dog")
    assert result.decision.skipped == (("first", Reason.LICENCE_DENIED),)
    assert result.sources == ("second",)


def test_a_backend_without_the_words_is_not_troubled():
    narrow = first(labels=("car", "bus"), load_error=WeightsError("never read"))
    with router(narrow, second(labels=("dog",))) as made:
        result = made.run(PHOTO, "find the puppy")
    assert result.decision.attempts[0].verdict.reason is Reason.UNSUPPORTED_TARGET
    assert result.sources == ("second",)
    assert narrow.calls == []


def test_unmeasured_backends_are_not_vouched_for():
    with router(first(), limits=False, policy="default") as made:
        result = made.run(PHOTO, "find the dog")
    assert (result.outcome, result.decision.reason) == (Outcome.DEGRADED, Reason.NO_LIMITS)


def test_one_deadline_holds_over_all_attempts():
    slow = Answer(latency_ms=2000)
    with router(first(slow, inline=False), second(slow, inline=False)) as made:
        started = time.perf_counter()
        result = made.run(PHOTO, "find the dog", deadline_ms=100)
        assert time.perf_counter() - started < 1.5
    assert (result.outcome, result.decision.reason) == (Outcome.ABSTAINED, Reason.DEADLINE_EXCEEDED)
    assert [a.verdict.reason for a in result.decision.attempts] == [Reason.DEADLINE_EXCEEDED] * 2


def test_reserved_time_is_left_to_the_fallback():
    policy = {
        "schema_version": 1,
        "name": "reserve",
        "default": {"route": {"try": ["first", "second"], "deadline_ms": 5000, "reserve_ms": 4900}},
    }
    with router(first(Answer(latency_ms=3000), inline=False), second(inline=False), policy=policy) as made:
        result = made.run(PHOTO, "find the dog")
    assert result.outcome is Outcome.FELL_BACK
    assert result.decision.attempts[0].verdict.reason is Reason.TIMEOUT
    assert result.decision.deadline_ms == 5000


def test_a_share_of_any_deadline_is_left_to_the_fallback():
    policy = {
        "schema_version": 1,
        "name": "reserve",
        "default": {"route": {"try": ["first", "second"], "reserve_share": 0.9}},
    }
    hangs = first(Answer(latency_ms=1500), inline=False)
    with router(hangs, second(inline=False), policy=policy) as made:
        result = made.run(PHOTO, "find the dog", deadline_ms=3000)
        assert made.states()["first"].calls.failures == 0, "its route gave it no time of its own"
    assert result.outcome is Outcome.FELL_BACK
    assert result.decision.attempts[0].verdict.reason is Reason.TIMEOUT
    assert 250 <= result.decision.attempts[0].latency_ms < 1500


def test_a_late_answer_of_an_inline_backend_is_discarded():
    with router(first(Answer(latency_ms=40)), second()) as made:
        result = made.run(PHOTO, "find the dog", deadline_ms=10)
    assert result.decision.attempts[0].verdict.reason is Reason.DEADLINE_EXCEEDED
    assert result.candidates == ()


def test_the_breaker_spares_a_lone_backend_and_lets_it_recover():
    backend = first([BROKEN] * 3 + [Answer()])
    with router(backend, breaker=BreakerOptions(failures_in_a_row=3, cooldown_s=0.2, jitter=0)) as made:
        for _ in range(3):
            made.run(PHOTO, "find the dog")
        refused = made.run(PHOTO, "find the dog")
        assert refused.decision.attempts[0].verdict.reason is Reason.BREAKER_OPEN
        assert made.states()["first"].breaker == "open"
        assert len(backend.calls) == 3
        time.sleep(0.25)
        assert made.run(PHOTO, "find the dog").outcome is Outcome.ACCEPTED
        assert made.states()["first"].breaker == "closed"


def test_overload_is_refused_at_once():
    backend = first(Answer(latency_ms=300), inline=False, batch_limit=1)
    with router(backend, queue_limit=1) as made:

        async def two():
            return await asyncio.gather(made.arun(PHOTO, "find the dog"), made.arun(PHOTO, "find the dog"))

        served, refused = asyncio.run(two())
    assert served.outcome is Outcome.ACCEPTED
    assert refused.decision.attempts[0].verdict.reason is Reason.OVERLOADED


def test_run_arun_and_run_batch_agree(tmp_path):
    with router(first(inline=False), policy=ANY) as made:
        payload = made.run(PHOTO, "find the dog").payload
        assert asyncio.run(made.arun(PHOTO, "find the dog")).payload == payload
        assert [r.payload for r in made.run_batch([PHOTO] * 20, "find the dog")] == [payload] * 20


def test_a_bad_image_does_not_take_the_batch_with_it(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    with router(first()) as made:
        good, error, again = made.run_batch([PHOTO, bad, PHOTO], "find the dog")
    assert good.outcome is again.outcome is Outcome.ACCEPTED
    assert isinstance(error, ImageError)


def test_many_threads_share_a_router():
    with router(first(inline=False), second()) as made:
        outcomes = []
        threads = [
            threading.Thread(target=lambda: outcomes.append(made.run(PHOTO, "find the dog").outcome))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == [Outcome.ACCEPTED] * 16


def test_a_cancelled_caller_leaves_the_router_well():
    backend = first([Answer(latency_ms=200), Answer()], inline=False)
    with router(backend) as made:

        async def cancelled():
            task = asyncio.create_task(made.arun(PHOTO, "find the dog"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await made.arun(PHOTO, "find the dog")

        assert asyncio.run(cancelled()).outcome is Outcome.ACCEPTED


def test_close_ends_the_threads_and_a_dropped_router_closes_itself():
    before = threading.active_count()
    made = router(first(inline=False))
    made.run(PHOTO, "find the dog")
    made.close()
    made.close()
    assert threading.active_count() == before
    dropped = router(first(inline=False))
    dropped.run(PHOTO, "find the dog")
    del dropped
    gc.collect()
    assert threading.active_count() == before


def test_sinks_see_every_decision_and_cannot_harm_the_answer(caplog):
    seen = []

    class Good:
        def record(self, decision):
            seen.append(decision)

    class Bad:
        def record(self, decision):
            raise OSError("disk full")

    with Router([first()], ANY, sinks=[Bad(), Good()]) as made:
        result = made.run(PHOTO, "find the dog", tags={"camera": "4"})
    assert seen == [result.decision]
    assert seen[0].tags == {"camera": "4"}
    assert "disk full" in caplog.text


def test_a_composite_is_routed_part_by_part_and_joined():
    with router(first(), second()) as made:
        result = made.run(PHOTO, "how far is each dog?")
        assert asyncio.run(made.arun(PHOTO, "how far is each dog?")).payload == result.payload
    assert result.outcome is Outcome.MERGED
    assert [child.task for child in result.decision.children] == [Task.DETECT, Task.DEPTH]
    assert result.payload.entities[0].label == "dog"
    assert result.payload.entities[0].unit == "m"
    assert Result.from_json(result.to_json()) == result


def test_a_composite_is_worth_what_its_weakest_part_is():
    def no_depth(query):
        return LOW if query.task is Task.DEPTH else Answer()

    for policy, outcome in ((STRICT, Outcome.ABSTAINED), ("default", Outcome.DEGRADED)):
        with router(first(no_depth), policy=policy) as made:
            assert made.run(PHOTO, "how far is each dog?").outcome is outcome


def test_the_nearest_of_a_composite_is_told_by_depth():
    boxes = np.array([[0, 0, 20, 60], [50, 0, 80, 60]], np.float32)
    dogs = Detections(boxes, np.array([0.9, 0.8], np.float32), ("dog", "dog"))
    depth = np.repeat(np.linspace(30, 3, 80, dtype=np.float32)[None], 60, 0)

    def script(query):
        return Answer(DepthMap(depth, "m") if query.task is Task.DEPTH else dogs)

    with router(first(script)) as made:
        result = made.run(PHOTO, "how far is the nearest dog?")
    (entity,) = result.payload.entities
    assert entity.box == (50, 0, 80, 60)
    assert entity.value == pytest.approx(float(np.median(depth[0, 58:73])), abs=1)


def test_a_redaction_hides_what_was_found():
    with router(first()) as made:
        result = made.run(PHOTO, "blur every dog")
    assert result.payload.image.shape == PHOTO.shape
    assert not np.array_equal(result.payload.image[20:40, 30:50], PHOTO[20:40, 30:50])
    assert np.array_equal(result.payload.image[:10], PHOTO[:10])


def test_conditions_read_tags_and_context():
    policy = {
        "schema_version": 1,
        "name": "lanes",
        "rules": [
            {"name": "rain", "when": 'request.tags["weather"] == "rain"', "route": {"try": ["second"]}},
            {"name": "busy", "when": "context.load > 0.9", "route": {"try": ["first"]}},
        ],
        "default": {"route": {"try": ["any"]}},
    }
    with router(first(), second(), policy=policy) as made:
        rules = [
            made.run(PHOTO, "find the dog", **given).decision.rule
            for given in ({"tags": {"weather": "rain"}}, {"context": {"load": 0.95}}, {})
        ]
    assert rules == ["rain", "busy", "default"]


def test_explain_runs_no_model():
    backends = first(), second()
    with router(*backends) as made:
        explanation = made.explain(PHOTO, "how far is each dog?")
    assert [(r.step, r.rule, r.backends) for r in explanation.routes] == [
        ("things", "default", ("first", "second")),
        ("depth", "default", ("first", "second")),
    ]
    assert all(not b.calls for b in backends)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("nowhere.png", "find the dog"), ImageError, "no such file"),
        ((PHOTO, ""), InstructionError, "empty"),
        ((PHOTO, "x" * 10_000), InstructionError, "[a-z]"),
        ((PHOTO, "segment this"), RequestError, "box or a point"),
    ],
)
def test_a_users_mistake_is_an_error_that_names_the_mend(arguments, error, words):
    with router(first()) as made, pytest.raises(error, match=words):
        made.run(*arguments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"deadline_ms": -1}, "deadline_ms"),
        ({"deadline_ms": float("nan")}, "deadline_ms"),
        ({"boxes": [[1, 2, 3]]}, "x1 y1 x2 y2"),
        ({"boxes": [[0, 0, 500, 10]]}, "outside the image"),
        ({"points": [[5, float("nan")]]}, "NaN"),
        ({"criticality": "extreme"}, "criticality"),
        ({"seed": -1}, "seed"),
    ],
)
def test_options_out_of_range_are_refused(options, words):
    with router(first()) as made, pytest.raises(RequestError, match=words):
        made.run(PHOTO, "find the dog", **options)


def test_a_policy_that_names_a_stranger_is_refused_before_the_first_request():
    policy = {"schema_version": 1, "name": "p", "default": {"route": {"try": ["frist"]}}}
    with pytest.raises(PolicyError, match=r"frist.*first"):
        router(first(), policy=policy)
