"""The benchmark of deadlines asks what it says it asks."""

import pytest

from visionrouter.benchmarks.overhead import deadline
from visionrouter.schema.decision import Reason


@pytest.mark.parametrize("name", deadline.ROUTES)
def test_every_route_answers_where_there_is_time(name):
    with deadline.router(deadline.ROUTES[name]) as made:
        results = [made.run(deadline.IMAGE, deadline.ASKED, deadline_ms=60_000) for _ in range(4)]
    assert any(result.payload is not None for result in results)
    assert all(result.decision.reason is not Reason.DEADLINE_EXCEEDED for result in results)
    assert str(len(results)) in deadline.routed(name, results)
