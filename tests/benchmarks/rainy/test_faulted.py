"""Faults befall a share of queries, the same ones always, and the router makes a result of every one."""

from collections import Counter

import numpy as np
import pytest

from visionrouter.backends.fake import FakeBackend
from visionrouter.backends.faulty import Fault
from visionrouter.benchmarks.rainy.faulted import KINDS, SLOW_MS, TIMEOUT_MS, Faulted, fault_of
from visionrouter.benchmarks.rainy.systems import hurried
from visionrouter.instruction import parse
from visionrouter.intake import query_of
from visionrouter.policies import compile_policy, load_policy
from visionrouter.router import Router
from visionrouter.schema.decision import Reason
from visionrouter.schema.image import load_image
from visionrouter.schema.request import Request


def query(n):
    pixels = (
        np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8)
    )  # flat ones may be answered flatly
    pixels[0, 0, 0] = n % 256
    return query_of(Request(load_image(pixels), parse("depth map"), seed=n // 256))


def test_the_share_that_fails_is_the_rate_and_every_kind_comes():
    found = Counter(fault_of(query(n), "a", 0.1) for n in range(3000))
    failed = sum(count for kind, count in found.items() if kind is not None)
    assert failed / 3000 == pytest.approx(0.1, abs=0.02)
    assert set(found) - {None} == set(KINDS)


def test_equal_queries_meet_equal_faults_and_seeds_and_backends_others():
    some = [query(n) for n in range(400)]
    first = [fault_of(q, "a", 0.2, 0) for q in some]
    assert first == [fault_of(q, "a", 0.2, 0) for q in some]
    assert first != [fault_of(q, "a", 0.2, 1) for q in some]
    assert first != [fault_of(q, "b", 0.2, 0) for q in some]
    more = [fault_of(q, "a", 0.4, 0) for q in some]
    assert all(b is not None for a, b in zip(first, more, strict=True) if a is not None)


EXPECTED = {
    Fault.EXCEPTION: Reason.BACKEND_ERROR,
    Fault.SLOW: Reason.TIMEOUT,
    Fault.NAN: Reason.INVALID_OUTPUT,
    Fault.WRONG_SHAPE: Reason.INVALID_OUTPUT,
    Fault.CONSTANT: Reason.INVALID_OUTPUT,
    Fault.CRASH: Reason.CRASHED,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_router_names_every_fault_and_falls_back(kind):
    n = next(n for n in range(5000) if fault_of(query(n), "ill", 0.5) is kind)
    asked = query(n)
    ill = Faulted(FakeBackend("ill", inline=False), 0.5)
    route = {"try": ["ill", "well"], "accept": "always", "otherwise": "abstain"}
    plain = {"schema_version": 1, "name": "p", "default": {"route": route}}
    policy = hurried(compile_policy(load_policy(plain)), TIMEOUT_MS)
    with Router({"ill": ill, "well": FakeBackend("well")}, policy) as router:
        result = router.run(asked.image, "depth map", seed=asked.seed)
    assert ill.faults == 1, "the router asks what was asked for here"
    assert result.decision.attempts[0].verdict.reason is EXPECTED[kind]
    assert result.sources == ("well",)


def test_attempts_are_cut_off_where_a_policy_sets_no_time_and_only_there():
    rule = {
        "name": "r",
        "when": 'request.task == "depth"',
        "route": {"try": ["a"], "attempt_timeout_ms": 9.0},
    }
    plain = {"schema_version": 1, "name": "p", "rules": [rule], "default": {"route": {"try": ["a"]}}}
    cut = hurried(compile_policy(load_policy(plain)), TIMEOUT_MS).policy
    assert cut.default.route.attempt_timeout_ms == TIMEOUT_MS < SLOW_MS
    assert cut.rules[0].route.attempt_timeout_ms == 9
