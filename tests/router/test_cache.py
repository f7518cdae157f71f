"""A kept answer is given again for the same question alone, says so, and is never one that a fault had a part in."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.cache import NOTE, ResultCache
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
OTHER = PHOTO[::-1].copy()
ROUTE = {"try": ["first", "second"], "accept": {"evidence": {"score": {"min": 0.5}}}}
POLICY = {"schema_version": 1, "name": "kept", "default": {"route": ROUTE}}
LOW, BROKEN = Answer(signals={"score": 0.1}), Answer(error=RuntimeError("cable cut"))


def router(cache, script=Answer(), policy=POLICY, **options):
    first = FakeBackend("first", script=script, **options)
    return Router([first, FakeBackend("second")], policy, cache=cache), first


def test_the_same_question_is_answered_from_the_cache_and_says_so():
    cache = ResultCache()
    made, first = router(cache)
    with made:
        one = made.run(PHOTO, "find the dog")
        two = asyncio.run(made.arun(PHOTO.copy(), "find the dog", criticality="high"))
    assert len(first.calls) == 1
    assert two.payload is one.payload
    assert two.request_id != one.request_id
    assert two.decision.request_id == two.request_id
    assert (NOTE in one.decision.notes, NOTE in two.decision.notes) == (False, True)
    assert two.decision.attempts == one.decision.attempts
    assert Result.from_json(two.to_json()) == two
    assert (cache.state.hits, cache.state.misses, cache.state.hit_rate) == (1, 1, 0.5)


@pytest.mark.parametrize(
    "other",
    [
        {"image": OTHER},
        {"instruction": "find the cat"},
        {"seed": 1},
        {"boxes": [[1, 2, 3, 4]]},
        {"tags": {"night": "yes"}},
    ],
)
def test_another_question_is_another_answer(other):
    night = {"try": ["second", "first"], "accept": "always"}
    policy = {**POLICY, "rules": [{"name": "night", "when": "has(request.tags.night)", "route": night}]}
    cache = ResultCache()
    made, _ = router(cache, policy=policy)
    asked = {"image": PHOTO, "instruction": "find the dog"}
    with made:
        made.run(**asked)
        made.run(**{**asked, **other})
    assert (cache.state.hits, cache.state.entries) == (0, 2)


def test_other_weights_or_limits_are_another_answer():
    cache = ResultCache()
    for version, least in (("1", 0.5), ("2", 0.5), ("2", 0.6)):
        first = FakeBackend("first")
        first.spec = replace(first.spec, version=version)
        limits = {"first": {Task.DETECT: {"score": Limit(min=least)}}}
        policy = {**POLICY, "default": {"route": {"try": ["first"]}}}
        with Router([first], policy, limits=limits, cache=cache) as made:
            made.run(PHOTO, "find the dog")
    assert (cache.state.hits, cache.state.entries) == (0, 3)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [([BROKEN], Outcome.FELL_BACK), ([Answer(signals={"score": float("nan")})], Outcome.FELL_BACK)],
)
def test_what_a_fault_had_a_part_in_is_not_kept(script, outcome):
    cache = ResultCache()
    made, _ = router(cache, [*script, Answer()])
    with made:
        assert made.run(PHOTO, "find the dog").outcome is outcome
        assert made.run(PHOTO, "find the dog").outcome is Outcome.ACCEPTED
    assert cache.state.entries == 1


def test_a_fallback_for_what_is_in_the_picture_is_kept_and_an_abstention_is_not():
    cache = ResultCache()
    made, _ = router(cache, LOW)
    with made:
        assert made.run(PHOTO, "find the dog").outcome is Outcome.FELL_BACK
        assert made.run(PHOTO, "find the dog").outcome is Outcome.FELL_BACK
    assert cache.state.hits == 1
    alone = {**POLICY, "default": {"route": {**ROUTE, "try": ["first"]}}}
    made, _ = router(cache, LOW, alone)
    with made:
        made.run(PHOTO, "find the dog")
        assert made.run(PHOTO, "find the dog").outcome is Outcome.ABSTAINED
    assert cache.state.hits == 1


def test_the_parts_of_a_composite_are_kept_each_by_itself():
    cache = ResultCache()
    made, first = router(cache)
    with made:
        one = made.run(PHOTO, "how far is each dog?")
        asked = len(first.calls)
        two = made.run(PHOTO, "how far is each dog?")
    assert two.payload == one.payload
    assert (asked, len(first.calls), cache.state.hits) == (2, 2, 2)
    assert all(NOTE in child.notes for child in two.decision.children)


def test_what_was_used_longest_ago_goes_first():
    cache = ResultCache(max_entries=2)
    made, first = router(cache)
    with made:
        for words in ("find the dog", "find the cat", "find the dog", "find the car", "find the dog"):
            made.run(PHOTO, words)
        assert len(first.calls) == 3
        made.run(PHOTO, "find the cat")
    assert len(first.calls) == 4


def test_it_is_bounded_by_bytes():
    one = 60 * 80 * 4
    cache = ResultCache(max_bytes=2 * (one + 1000))
    made, _ = router(cache)
    with made:
        for seed in range(5):
            made.run(PHOTO, "depth map", seed=seed)
            assert cache.state.bytes <= 2 * (one + 1000)
    assert cache.state.entries == 2
    cache.clear()
    assert (cache.state.entries, cache.state.bytes) == (0, 0)
    small = ResultCache(max_bytes=one)
    made, _ = router(small)
    with made:
        made.run(PHOTO, "depth map")
    assert small.state.entries == 0


def test_a_kept_answer_cannot_be_spoilt():
    made, _ = router(ResultCache())
    with made:
        made.run(PHOTO, "depth map")
        with pytest.raises(ValueError, match="read-only"):
            made.run(PHOTO, "depth map").payload.values[0] = 0


def test_threads_share_a_cache():
    cache = ResultCache(max_entries=3)
    made, _ = router(cache)
    with made:
        threads = [
            threading.Thread(target=lambda: [made.run(PHOTO, "find the dog", seed=i % 5) for i in range(40)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert cache.state.hits + cache.state.misses == 160
    assert cache.state.entries == 3


def test_a_cache_of_nothing_is_refused():
    with pytest.raises(SchemaError, match="holds nothing"):
        ResultCache(max_entries=0)
