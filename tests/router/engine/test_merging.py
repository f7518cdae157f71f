"""A route that merges asks everybody, and merges what is vouched for."""

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.payload import Detections
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

PHOTO = np.zeros((60, 80, 3), np.uint8)
POLICY = {"schema_version": 1, "name": "both", "default": {"route": {"try": ["any"], "merge": True}}}
LOW = {"score": 0.1}


def boxes(*rows, signals=None):
    found = Detections(np.array(rows, np.float32), np.full(len(rows), 0.8, np.float32), ("dog",) * len(rows))
    return Answer(found, signals or {"score": 0.9})


def run(*answers, inline=True):
    backends = [FakeBackend(n, script=a, inline=inline) for n, a in zip("abc", answers, strict=False)]
    limits = {b.spec.name: {Task.DETECT: {"score": Limit(min=0.5)}} for b in backends}
    with Router(backends, POLICY, limits=limits) as router:
        return router.run(PHOTO, "find the dog")


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "worker"])
def test_what_two_vouch_for_is_merged_and_each_element_has_its_source(inline):
    result = run(boxes((0, 0, 20, 20)), boxes((2, 0, 22, 20), (40, 40, 60, 60)), inline=inline)
    assert (result.outcome, result.decision.reason) == (Outcome.MERGED, Reason.MERGED)
    assert result.sources == ("a", "b")
    assert len(result.payload) == 2
    where = int(np.argmin(result.payload.boxes[:, 0]))
    assert 0 < result.payload.boxes[where, 0] < 2
    assert result.element_sources[1 - where] == 1
    assert (result.confidence, result.risk) == (None, None)
    assert Result.from_json(result.to_json()) == result


def test_what_is_not_vouched_for_is_left_out():
    result = run(boxes((0, 0, 20, 20)), boxes((40, 40, 60, 60), signals=LOW))
    assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("a",))
    result = run(boxes((40, 40, 60, 60), signals=LOW), boxes((0, 0, 20, 20)))
    assert (result.outcome, result.sources) == (Outcome.FELL_BACK, ("b",))
    result = run(boxes((0, 0, 20, 20), signals=LOW), Answer(error=RuntimeError("no")))
    assert (result.outcome, result.decision.reason) == (Outcome.ABSTAINED, Reason.EXHAUSTED)


def test_all_are_asked_at_once():
    slow = [Answer(boxes((0, 0, 20, 20)).payload, latency_ms=120) for _ in range(3)]
    result = run(*slow, inline=False)
    assert result.outcome is Outcome.MERGED
    assert result.decision.elapsed_ms < 300
