"""Evidence that a route pays for is there when the gate looks, and when it could not be had, that is said."""

from dataclasses import replace

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend, plausible
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.task import Task

PHOTO = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
DENSE_PROBES = ["input_quality", "flip", "photometric", "seeds", "geometry"]


def run(backends, route, words="depth map", **options):
    policy = {"schema_version": 1, "name": "p", "default": {"route": {"accept": "always", **route}}}
    with Router(backends, policy) as router:
        return router.run(PHOTO, words, **options)


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "worker"])
def test_every_probe_adds_its_signals_and_asks_as_often_as_it_says(inline):
    backend = FakeBackend("a", inline=inline)
    result = run([backend], {"try": ["a"], "evidence": DENSE_PROBES})
    signals = result.decision.attempts[0].signals
    assert {name.partition("_")[0] for name in signals} == {
        "score", "input", "flip", "photometric", "seeds", "geometry",
    }  # fmt: skip
    assert len(backend.calls) == 1 + 0 + 1 + 1 + 2 + 1
    assert sorted(q.task for q in backend.calls) == [Task.DEPTH] * 5 + [Task.NORMALS]
    assert all(np.isfinite(list(signals.values())))
    assert result.candidates[0].prediction.evidence.confidence_map.shape == PHOTO.shape[:2]


def test_a_probe_that_says_nothing_of_a_task_is_not_bought():
    backend = FakeBackend("a")
    run([backend], {"try": ["a"], "evidence": ["votes", "geometry", "presence"]}, words="find the dog")
    assert len(backend.calls) == 1


def test_a_consistent_backend_agrees_with_itself_and_a_guessing_one_does_not():
    def guess(query):
        depth = np.repeat(
            np.linspace(20, 2, query.image.width, dtype=np.float32)[None], query.image.height, 0
        )
        return Answer(DepthMap(depth, "m"))

    steady = run([FakeBackend("a")], {"try": ["a"], "evidence": ["flip"]}).decision.attempts[0].signals
    guessed = run([FakeBackend("a", script=guess)], {"try": ["a"], "evidence": ["flip"]})
    assert steady["flip_abs_rel"] == pytest.approx(0, abs=1e-6)
    assert guessed.decision.attempts[0].signals["flip_abs_rel"] > 0.5


def test_presence_asks_another_backend_for_the_kind_alone():
    detector = FakeBackend("detector", tasks=frozenset({Task.DETECT}))
    masker = FakeBackend("masker", tasks=frozenset({Task.REFERRING}))
    result = run(
        [masker, detector], {"try": ["masker"], "evidence": ["presence"]}, "segment the leftmost dog"
    )
    assert [q.task for q in detector.calls] == [Task.DETECT]
    assert detector.calls[0].targets[0].relations == ()
    signals = result.decision.attempts[0].signals
    assert (signals["presence_score"], signals["presence_overlap"]) == pytest.approx((0.9, 1))


def test_evidence_that_cannot_be_had_is_noted_and_its_signals_are_absent():
    def only_once(query):
        return Answer(plausible(query)) if query.seed == 0 else Answer(error=RuntimeError("no more"))

    alone = FakeBackend("a", script=only_once)
    masker = FakeBackend("m", tasks=frozenset({Task.REFERRING}))
    seeds = run([alone], {"try": ["a"], "evidence": ["seeds"]}).decision.attempts[0]
    assert seeds.notes == ("no_evidence:seeds:backend_error",)
    assert set(seeds.signals) == {"score"}
    presence = run([masker], {"try": ["m"], "evidence": ["presence"]}, "segment the dog").decision.attempts[0]
    assert presence.notes == ("no_evidence:presence:no_backend",)


def test_a_gate_that_needs_evidence_refuses_without_it():
    def fails_mirrored(query):
        same = np.array_equal(query.image.pixels, PHOTO)
        return Answer(plausible(query)) if same else Answer(error=RuntimeError("no"))

    route = {"try": ["a"], "evidence": ["flip"], "accept": {"evidence": {"flip_abs_rel": {"max": 0.1}}}}
    result = run([FakeBackend("a", script=fails_mirrored)], route)
    assert (result.outcome, result.decision.reason) == (Outcome.ABSTAINED, Reason.EVIDENCE_MISSING)


def test_evidence_keeps_to_the_attempts_time():
    def slow_in_the_mirror(query):
        return Answer(plausible(query), latency_ms=0 if np.array_equal(query.image.pixels, PHOTO) else 400)

    backend = FakeBackend("a", script=slow_in_the_mirror, inline=False)
    result = run([backend], {"try": ["a"], "evidence": ["flip"], "attempt_timeout_ms": 80.0})
    attempt = result.decision.attempts[0]
    assert attempt.notes == ("no_evidence:flip:timeout",)
    assert attempt.evidence_ms < 300
    assert replace(attempt).verdict.accepted
