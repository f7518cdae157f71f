"""Where nothing passed, the answer is given that there is most reason to believe; and never as one that passed."""

import math

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.engine.best_effort import best_effort, margin
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason, Verdict, VerdictKind
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.result import Candidate
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

MAP = DepthMap(np.ones((2, 2), np.float32), "m")
LIMITS = {"near": {"score": Limit(min=0.5)}, "far": {"residual": Limit(max=0.1)}, "unknown": None}


def candidate(backend, reason=Reason.LIMIT_EXCEEDED, confidence=None, **signals):
    verdict = Verdict(VerdictKind.FALL_BACK, reason, confidence=confidence)
    return Candidate(backend, Prediction(MAP, Evidence(signals)), verdict, (backend,))


def chosen(*candidates):
    return best_effort(candidates, LIMITS.get)


def test_the_nearest_to_its_limits_is_chosen_whatever_was_tried_first():
    near, far = candidate("near", score=0.45), candidate("far", residual=0.2)
    assert chosen(far, near) is chosen(near, far) is near
    assert chosen(candidate("unknown"), far) is far
    assert chosen(candidate("near"), far) is far


def test_confidence_counts_more_than_limits_and_what_found_nothing_least():
    sure, unsure = (
        candidate("far", confidence=0.4, residual=9.0),
        candidate("near", confidence=0.2, score=0.6),
    )
    assert chosen(unsure, sure) is sure
    assert chosen(candidate("near", score=0.49), unsure) is unsure
    nothing = candidate("near", Reason.NOTHING_FOUND, confidence=0.9)
    unresolved = candidate("near", Reason.UNRESOLVED, score=0.9)
    assert chosen(nothing, unresolved, candidate("unknown")).backend == "unknown"
    assert chosen(nothing, unresolved) is unresolved


def test_equals_keep_the_order_in_which_they_were_tried():
    first, second = candidate("unknown"), candidate("nobody")
    assert chosen(first, second) is first
    assert chosen(second, first) is second


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({"a": 0.6, "b": 0.05}, 0.2),
        ({"a": 0.4, "b": 0.05}, -0.2),
        ({"a": 0.9, "b": 0.3}, -2.0),
        ({"a": 0.9}, -math.inf),
        ({"a": 0.9, "b": math.nan}, -math.inf),
    ],
)
def test_a_margin_is_that_of_the_worst_signal(signals, expected):
    limits = {"a": Limit(min=0.5), "b": Limit(min=0.0, max=0.1)}
    assert margin(signals, limits) == pytest.approx(expected)


def test_a_router_gives_it_marked_as_degraded():
    worse = FakeBackend("worse", script=Answer(signals={"score": 0.1}))
    better = FakeBackend("better", script=Answer(signals={"score": 0.4}))
    policy = {
        "schema_version": 1,
        "name": "p",
        "default": {"route": {"try": ["worse", "better"], "otherwise": "best_effort"}},
    }
    limits = {name: {Task.DEPTH: {"score": Limit(min=0.5)}} for name in ("worse", "better")}
    with Router([worse, better], policy, limits=limits) as router:
        result = router.run(np.zeros((20, 30, 3), np.uint8), "depth map")
    assert (result.outcome, result.sources) == (Outcome.DEGRADED, ("better",))
