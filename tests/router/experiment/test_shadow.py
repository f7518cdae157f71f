"""Shadows: paired with the answer, never in its way."""

import time

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.experiment.bootstrap import Metric
from visionrouter.experiment.compare import compare
from visionrouter.experiment.from_ledger import rows_of
from visionrouter.experiment.pairs import as_pairs
from visionrouter.experiment.plan import Guardrail, Plan
from visionrouter.experiment.shadow import Shadow
from visionrouter.ledger import Audit, Label, Ledger, LedgerReader
from visionrouter.router import Router
from visionrouter.schema.decision import VariantReason
from visionrouter.schema.errors import ExperimentError
from visionrouter.schema.task import Task

PHOTO = np.zeros((48, 64, 3), np.uint8)


def policy(shadow=1.0, weight=0.5):
    return {
        "schema_version": 1,
        "name": "p",
        "default": {"route": {"try": ["specialist"], "accept": "always"}},
        "experiment": {
            "name": "e",
            "unit": "request.id",
            "shadow": shadow,
            "arms": [
                {"name": "a", "weight": weight, "policy": "self"},
                {"name": "b", "weight": 1 - weight, "route": {"try": ["generative"], "accept": "always"}},
            ],
        },
    }


def backends(answer=Answer(), **options):
    return [FakeBackend("s", **options), FakeBackend("g", kind="generative", script=answer, **options)]


class Kept(list):
    record = list.append


def test_every_shadow_is_the_other_arm_of_the_same_request():
    seen = Kept()
    with (
        Router(backends(), policy()) as second,
        Shadow(second, [seen], queue_limit=100) as shadow,
        Router(backends(), policy(), sinks=[seen], shadow=shadow) as router,
    ):
        results = [router.run(PHOTO, "how far is each car?") for _ in range(20)]
        shadow.flush()
        assert (shadow.stats.done, shadow.stats.dropped, shadow.stats.failed) == (20, 0, 0)
    shadows = {d.request_id: d for d in seen if d.variant_reason is VariantReason.SHADOW}
    assert len(seen) == 40
    for result in results:
        decision, other = result.decision, shadows[result.request_id]
        assert {decision.variant, other.variant} == {"a", "b"}
        assert decision.variant_reason is VariantReason.SPLIT
        assert {c.variant for c in other.children} == {other.variant}
        wanted = "g" if other.variant == "b" else "s"
        assert {a.backend for c in other.children for a in c.attempts} == {wanted}


def test_a_slow_shadow_delays_no_answer_and_past_its_queue_it_is_dropped():
    slow = backends(Answer(latency_ms=200), inline=False)
    with (
        Router(slow, policy(weight=1.0)) as second,
        Shadow(second, queue_limit=3) as shadow,
        Router(backends(), policy(weight=1.0), shadow=shadow) as router,
    ):
        start_s = time.perf_counter()
        for _ in range(50):
            assert router.run(PHOTO, Task.DETECT).answered
        took_s = time.perf_counter() - start_s
        stats = shadow.stats
    assert stats.dropped >= 40
    assert took_s < 50 * 0.2 / 2
    assert shadow.stats.done + shadow.stats.dropped == 50


@pytest.mark.parametrize("error", [RuntimeError("down"), MemoryError()])
def test_a_failing_shadow_fails_no_answer(error):
    seen = Kept()
    with (
        Router(backends(Answer(error=error)), policy(weight=1.0)) as second,
        Shadow(second, [seen]) as shadow,
        Router(backends(), policy(weight=1.0), shadow=shadow) as router,
    ):
        assert router.run(PHOTO, Task.DETECT).answered
        shadow.flush()
        assert seen[0].outcome == "failed"
        shadow.close()
        assert router.run(PHOTO, Task.DETECT).answered
        assert shadow.stats.dropped == 1


def test_a_sink_that_raises_is_counted(caplog):
    class Broken:
        def record(self, decision):
            raise RuntimeError("full")

    with (
        Router(backends(), policy(weight=1.0)) as second,
        Shadow(second, [Broken()]) as shadow,
        Router(backends(), policy(weight=1.0), shadow=shadow) as router,
    ):
        router.run(PHOTO, Task.DETECT)
        shadow.flush()
        assert shadow.stats.failed == 1
    assert "shadow b of request" in caplog.text


def test_the_share_is_kept():
    seen = Kept()
    with (
        Router(backends(), policy(0.3)) as second,
        Shadow(second, [seen], queue_limit=1000) as shadow,
        Router(backends(), policy(0.3), shadow=shadow) as router,
    ):
        for _ in range(400):
            router.run(PHOTO, Task.DETECT)
        shadow.flush()
    assert 80 < len(seen) < 160


def test_from_traffic_to_a_verdict(tmp_path):
    """Answers and shadows into a ledger, a person judges both, and the comparison finds what was put in."""
    where = tmp_path / "ledger.db"
    with (
        Ledger(where, audit=Audit(0.5), images="all") as ledger,
        Router(backends(), policy()) as second,
        Shadow(second, [ledger], queue_limit=1000) as shadow,
        Router(backends(), policy(), sinks=[ledger], shadow=shadow) as router,
    ):
        ids = [
            router.run(
                PHOTO, Task.DETECT, tags={"scene": str(i // 2), "weather": "rain" if i < 20 else "dry"}
            ).request_id
            for i in range(80)
        ]
        shadow.flush()
        ledger.flush()
        with LedgerReader(where) as reader:
            assert reader.image(ids[0]) is not None
            given = {
                r.decision.request_id: r for r in reader.records() if r.decision.variant_reason == "split"
            }
        judged = [i for i in ids if given[i].audited]
        for n, request_id in enumerate(judged):
            variant = given[request_id].decision.variant
            good = {"a": float(n % 4 == 0), "b": float(n % 4 != 0)}
            other = "b" if variant == "a" else "a"
            ledger.label([Label(request_id, good[variant]), Label(request_id, good[other], variant=other)])
    with LedgerReader(where) as reader:
        pairs = as_pairs(rows_of(reader, "e", ("a", "b"), cluster="scene", costs={"s": 1.0, "g": 5.0}))
        guards = (Guardrail(Metric("cost"), 5.0), Guardrail(Metric("abstained"), 0.1))
        found = compare(pairs, Plan(Metric("good", higher_is_better=True), guards, bad=0.5))
        assert (found.verdict, found.rows, found.clusters) == ("better", 80, 40)
        assert found.primary.difference == pytest.approx(0.5, abs=0.1)
        assert [g.estimate.difference for g in found.guardrails] == [4.0, 0.0]
        assert {(s.key, s.value, s.small) for s in found.slices} == {
            ("weather", "rain", True),
            ("weather", "dry", False),
        }
        assert set(pairs.weights) == {1.0, 2.0}
        backwards = as_pairs(rows_of(reader, "e", ("b", "a")))
        assert compare(backwards, Plan(Metric("good", higher_is_better=True))).verdict == "worse"
        with pytest.raises(ExperimentError, match="no decision of arm 'c' \\(arms met: a, b\\)"):
            list(rows_of(reader, "e", ("a", "c")))
