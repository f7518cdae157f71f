"""Shadows: paired with the answer, never in its way."""

import time
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.experiment import shadow as shadow_module
from visionrouter.experiment.bootstrap import Metric
from visionrouter.experiment.compare import compare
from visionrouter.experiment.divergence import diverges
from visionrouter.experiment.from_ledger import rows_of
from visionrouter.experiment.pairs import as_pairs
from visionrouter.experiment.plan import Guardrail, Plan
from visionrouter.experiment.shadow import Shadow
from visionrouter.ledger import Audit, Label, Ledger, LedgerReader
from visionrouter.router import Router
from visionrouter.schema.decision import Comparison, VariantReason
from visionrouter.schema.errors import ExperimentError
from visionrouter.schema.payload import DepthMap, Detections
from visionrouter.schema.task import Task
from visionrouter.telemetry import Metrics

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


@pytest.mark.parametrize(
    ("error", "reason"), [(RuntimeError("down"), "backend_error"), (MemoryError(), "out_of_memory")]
)
def test_a_failing_shadow_fails_no_answer(error, reason):
    seen = Kept()
    with (
        Router(backends(Answer(error=error)), policy(weight=1.0)) as second,
        Shadow(second, [seen]) as shadow,
        Router(backends(), policy(weight=1.0), shadow=shadow) as router,
    ):
        assert router.run(PHOTO, Task.DETECT).answered
        shadow.flush()
        assert (seen[0].outcome, seen[0].reason) == ("abstained", reason)
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


def boxes(*xyxy, score=0.9):
    n = len(xyxy)
    found = Detections(np.float32(xyxy).reshape(-1, 4), np.full(n, score, np.float32), ("dog",) * n)
    return Answer(found, {"score": score} if n else {})


FIRM = {"evidence": {"score": {"min": 0.5}}}


def shadowed(given, beside, instruction="find the dog", *sinks, accept="always"):
    """The shadow's decision on one request: arm a answers as `given` says, and b beside it."""
    rules = policy(weight=1.0)
    for route in (rules["default"]["route"], rules["experiment"]["arms"][1]["route"]):
        route |= {"accept": accept, "otherwise": "abstain"}
    seen = Kept()
    made = [FakeBackend("s", script=given), FakeBackend("g", kind="generative", script=beside)]
    with (
        Router(made, rules) as second,
        Shadow(second, [seen, *sinks]) as shadow,
        Router(made, rules, sinks=sinks, shadow=shadow) as router,
    ):
        assert router.run(PHOTO, instruction).decision.divergence is None
        shadow.flush()
        assert shadow.stats.failed == 0
    return seen[0]


def test_a_shadow_that_says_the_same_agrees_and_another_answer_does_not():
    same = shadowed(boxes([1, 1, 20, 20]), boxes([2, 1, 20, 20])).divergence
    assert (same.comparison, same.answer, same.shadow, same.detail) == ("agree", "s", "g", ())
    assert same.signals["f1"] == 1
    other = shadowed(boxes([1, 1, 20, 20]), boxes([30, 30, 60, 40])).divergence
    assert other.comparison is Comparison.DISAGREE
    assert other.signals["f1"] == 0
    assert other.detail == ("f1 0, limit at least 0.5",)


@pytest.mark.parametrize(
    ("given", "beside", "comparison", "by"),
    [
        (boxes([1, 1, 9, 9]), boxes([1, 1, 9, 9], score=0.1), "one_answered", ("s", "none")),
        (boxes([1, 1, 9, 9], score=0.1), boxes([1, 1, 9, 9]), "one_answered", ("none", "g")),
        (Answer(error=RuntimeError()), Answer(error=RuntimeError()), "neither_answered", ("none", "none")),
    ],
)
def test_an_arm_that_does_not_answer_is_no_disagreement(given, beside, comparison, by):
    found = shadowed(given, beside, accept=FIRM).divergence
    assert (found.comparison, (found.answer, found.shadow), dict(found.signals)) == (comparison, by, {})


def test_of_a_composite_every_part_is_held_against_its_like():
    def flat(metres):
        def script(query):
            if query.task is Task.DETECT:
                return boxes([1, 1, 20, 20])
            values = np.tile(np.linspace(metres, 2 * metres, 64, dtype=np.float32), (48, 1))
            return Answer(DepthMap(values, "m"))

        return script

    found = shadowed(flat(5), flat(10), "how far is each dog?").divergence
    assert found.comparison is Comparison.DISAGREE
    assert found.signals["things.f1"] == 1
    assert found.signals["depth.log_scale"] == pytest.approx(np.log(2), abs=0.01)
    assert [words.partition(" ")[0] for words in found.detail] == ["depth.log_scale"]


def test_answers_of_two_sizes_cannot_be_held_together():
    def result(size):
        payload = DepthMap(np.ones(size, np.float32), "m")
        with Router([FakeBackend(script=Answer(payload))], "specialist-only") as router:
            given = router.run(np.zeros((*size, 3), np.uint8), Task.DEPTH)
        return replace(given, payload=payload)

    found = diverges(result((48, 64)), result((24, 32)))
    assert found.comparison is Comparison.INCOMPARABLE
    assert "size" in found.detail[0]


def test_a_divergence_is_kept_and_counted_and_a_shadow_is_no_request(tmp_path):
    registry = CollectorRegistry()
    with Ledger(tmp_path / "ledger.db") as ledger:
        metrics = Metrics(registry)
        given = shadowed(boxes([1, 1, 20, 20]), boxes([30, 30, 60, 40]), "find the dog", ledger, metrics)
    with LedgerReader(tmp_path / "ledger.db") as reader:
        kept = {r.decision.variant_reason: r.decision for r in reader.records()}
    assert kept["shadow"] == given
    assert kept["split"].divergence is None

    def count(name, **labels):
        return registry.get_sample_value(name, labels)

    labels = {"task": "detect", "answer": "s", "shadow": "g", "comparison": "disagree"}
    assert count("visionrouter_shadow_divergence_total", **labels) == 1
    assert count("visionrouter_request_duration_seconds_count", task="detect") == 1
    assert count("visionrouter_backend_duration_seconds_count", task="detect", backend="g") == 1


def test_without_anyone_to_tell_nothing_is_compared(monkeypatch):
    monkeypatch.setattr(shadow_module, "diverges", lambda *_: pytest.fail("compared for nobody"))
    with (
        Router(backends(), policy()) as second,
        Shadow(second) as shadow,
        Router(backends(), policy(), shadow=shadow) as router,
    ):
        router.run(PHOTO, Task.DETECT)
        shadow.flush()
        assert (shadow.stats.done, shadow.stats.failed) == (1, 0)


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
