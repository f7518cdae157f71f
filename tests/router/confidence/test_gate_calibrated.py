"""Accepting by confidence or by risk: only under a calibration that fits what ran, and a certificate that covers it."""

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.confidence.calibrations import Drift, scope_of
from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.certify import certify
from visionrouter.confidence.documents import CalibrationDocument, Provenance, Subject, save_calibration
from visionrouter.confidence.scope import Digests, MadeWith
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason, VerdictKind
from visionrouter.schema.errors import CalibrationError
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
SURE, UNSURE, ODD = 0.1, 0.9, 40.0
LIMITS = {"a": {Task.DEPTH: {"noise": Limit(max=0.5)}}}


def backend(noise=SURE, name="a"):
    signals = {} if noise is None else {"noise": noise}
    return FakeBackend(name, script=Answer(signals=signals))


def policy(**route):
    return {"schema_version": 1, "name": "p", "default": {"route": {"try": ["a"], **route}}}


def made_with(given):
    with Router([backend()], given) as router:
        return router.made_with(router.request(PHOTO, Task.DEPTH))["a"]


def document(given, *, groups=None, alpha=0.1, n=600, made=None):
    """A calibration of a backend that is good where its noise is small."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 1, n)
    good = rng.random(n) < 1 / (1 + np.exp(20 * (noise - 0.6)))
    rows = [{"noise": float(v)} for v in noise]
    scope = scope_of("a", Task.DEPTH)
    calibrator = Calibrator.fit(rows[: n // 2], good[: n // 2], scope=scope)
    outcomes = certify(
        np.array([calibrator.confidence(row) for row in rows[n // 2 :]]),
        (~good[n // 2 :]).astype(float),
        scope=scope,
        digests=Digests("w", "e", "c", "d"),
        alpha=alpha,
        delta=0.1,
        groups=None if groups is None else [groups(i) for i in range(n // 2)],
        tag="weather",
    )
    made = made_with(given) if made is None else made
    sample = {"noise": tuple(noise[: n // 2].tolist())}
    return CalibrationDocument(
        provenance=Provenance(made_by="test", data="d", items=n),
        subjects=(Subject(scope=scope, made_with=made, sample=sample),),
        calibrators=(calibrator,),
        outcomes=outcomes,
    ).signed()


def run(given, noise=SURE, calibrations=None, tags=(), **options):
    calibrations = [document(given)] if calibrations is None else calibrations
    with Router([backend(noise)], given, limits=LIMITS, calibrations=calibrations, **options) as router:
        return router.run(PHOTO, Task.DEPTH, tags=dict(tags))


def said(result):
    verdict = result.decision.attempts[0].verdict
    return verdict.kind, verdict.reason


BY_RISK = policy(accept={"risk": 0.1})
BY_CONFIDENCE = policy(accept={"confidence": 0.8})


@pytest.mark.parametrize(
    ("given", "reason"), [(BY_RISK, Reason.CERTIFIED), (BY_CONFIDENCE, Reason.CONFIDENT)]
)
def test_a_sure_answer_is_accepted_with_its_confidence(given, reason):
    result = run(given)
    assert (result.outcome, result.decision.reason) == (Outcome.ACCEPTED, reason)
    assert 0.9 < result.confidence < 1
    assert result.decision.attempts[0].verdict.gate == "calibrated"
    if reason is Reason.CERTIFIED:
        assert (result.risk.alpha, result.risk.delta) == (0.1, 0.1)
        assert result.risk.bound <= 0.1
    assert Result.from_json(result.to_json()) == result


@pytest.mark.parametrize("given", [BY_RISK, BY_CONFIDENCE])
@pytest.mark.parametrize(
    ("noise", "reason"),
    [(UNSURE, Reason.CONFIDENCE_LOW), (ODD, Reason.EXTRAPOLATED), (None, Reason.EVIDENCE_MISSING)],
)
def test_what_is_unsure_unlike_anything_or_without_evidence_is_not(given, noise, reason):
    result = run(given, noise)
    assert (result.payload, said(result)) == (None, (VerdictKind.FALL_BACK, reason))


def test_limits_judge_as_before_and_the_confidence_is_told():
    result = run(policy(accept="limits"))
    assert (result.decision.reason, result.risk) == (Reason.WITHIN_LIMITS, None)
    assert 0.9 < result.confidence < 1


OTHERS = {
    "weights": lambda made: MadeWith("other", made.evidence),
    "evidence": lambda made: MadeWith(made.weights, "other"),
}


@pytest.mark.parametrize("which", OTHERS)
def test_a_calibration_of_other_weights_or_other_evidence_counts_for_nothing(which):
    stale = document(BY_RISK, made=OTHERS[which](made_with(BY_RISK)))
    result = run(BY_RISK, calibrations=[stale])
    assert (result.confidence, said(result)) == (None, (VerdictKind.FALL_BACK, Reason.UNCERTIFIED))
    assert which in result.decision.attempts[0].verdict.detail


def test_probes_bought_or_a_second_opinion_make_other_evidence():
    routes = [{}, {"evidence": ["flip"]}, {"evidence": ["flip", "seeds"]}, {"evidence": ["seeds", "flip"]}]
    digests = [made_with(policy(**route)).evidence for route in routes]
    assert len(set(digests)) == 3
    assert digests[2] == digests[3]


@pytest.mark.parametrize(
    ("uncertified", "kind", "answered"),
    [
        ("fall_back", VerdictKind.FALL_BACK, False),
        ("abstain", VerdictKind.ABSTAIN, False),
        ("limits", VerdictKind.ACCEPT, True),
    ],
)
def test_the_route_says_what_becomes_of_the_uncertified(uncertified, kind, answered):
    result = run(policy(accept={"risk": 0.1}, uncertified=uncertified), calibrations=[])
    assert (result.answered, said(result)[0]) == (answered, kind)
    assert result.risk is None


def test_abstaining_asks_nobody_else():
    given = {
        "schema_version": 1,
        "name": "p",
        "default": {"route": {"try": ["a", "b"], "accept": {"risk": 0.1}, "uncertified": "abstain"}},
    }
    other = backend(name="b")
    with Router([backend(), other], given) as router:
        result = router.run(PHOTO, Task.DEPTH)
    assert (result.outcome, len(other.calls)) == (Outcome.ABSTAINED, 0)


def test_a_stricter_risk_than_was_certified_is_not_covered():
    assert said(run(policy(accept={"risk": 0.05}), calibrations=[document(BY_RISK)]))[1] is Reason.UNCERTIFIED
    looser = policy(accept={"risk": 0.2})
    assert said(run(looser, calibrations=[document(looser)]))[1] is Reason.CERTIFIED


def test_a_rainy_day_has_its_own_certificate_or_none():
    grouped = document(BY_RISK, groups=lambda i: "fog" if i % 20 == 0 else "clear")
    clear = run(BY_RISK, calibrations=[grouped], tags={"weather": "clear"})
    assert clear.decision.reason is Reason.CERTIFIED
    for tags in ({"weather": "fog"}, {"weather": "hail"}, {}):
        result = run(BY_RISK, calibrations=[grouped], tags=tags)
        assert said(result)[1] is Reason.UNCERTIFIED, tags


def test_drifting_evidence_suspends_the_certificate_and_the_decision_says_so():
    given = BY_RISK
    with Router(
        [FakeBackend("a", script=lambda q: Answer(signals={"noise": 0.3 + 1e-3 * (q.seed % 7)}))],
        given,
        calibrations=[document(given)],
        drift=Drift(0.01),
    ) as router:
        outcomes = [router.run(PHOTO, Task.DEPTH, seed=seed) for seed in range(150)]
        (alarm,) = router.suspensions().values()
    assert outcomes[0].decision.reason is Reason.CERTIFIED
    assert said(outcomes[-1]) == (VerdictKind.FALL_BACK, Reason.SUSPENDED)
    assert alarm.reason == "evidence_shifted"


def test_traffic_like_the_calibration_raises_no_alarm():
    noises = np.random.default_rng(7).uniform(0, 1, 400)
    backend_ = FakeBackend("a", script=lambda q: Answer(signals={"noise": float(noises[q.seed])}))
    with Router([backend_], BY_RISK, calibrations=[document(BY_RISK)], drift=Drift(0.01)) as router:
        for seed in range(400):
            router.run(PHOTO, Task.DEPTH, seed=seed)
        assert router.suspensions() == {}


def test_a_calibration_of_another_route_does_not_watch_this_one():
    own = document(BY_RISK)
    (subject,) = own.subjects
    other = own.model_copy(
        update={
            "subjects": (
                subject.model_copy(
                    update={
                        "made_with": MadeWith("w", "e"),
                        "sample": {"noise": tuple(np.linspace(5, 9, 300))},
                    }
                ),
            )
        }
    ).signed()
    noises = np.random.default_rng(7).uniform(0, 1, 400)
    backend_ = FakeBackend("a", script=lambda q: Answer(signals={"noise": float(noises[q.seed])}))
    with Router([backend_], BY_RISK, calibrations=[own, other], drift=Drift(0.01)) as router:
        for seed in range(400):
            router.run(PHOTO, Task.DEPTH, seed=seed)
        assert router.suspensions() == {}


def test_audited_labels_suspend_it_too():
    with Router([backend()], BY_RISK, calibrations=[document(BY_RISK)], drift=Drift(0.01)) as router:
        for _ in range(20):
            router.audit("a", Task.DEPTH, loss=1.0)
        (alarm,) = router.suspensions().values()
        assert alarm.reason == "risk_over_alpha"
        assert said(router.run(PHOTO, Task.DEPTH))[1] is Reason.SUSPENDED
        with pytest.raises(CalibrationError, match="no drift watch for b on depth"):
            router.audit("b", Task.DEPTH, loss=1.0)


def test_a_file_is_taken_by_path(tmp_path):
    save_calibration(document(BY_RISK), tmp_path / "a.json")
    assert run(BY_RISK, calibrations=[tmp_path / "a.json"]).decision.reason is Reason.CERTIFIED
    with pytest.raises(CalibrationError, match="cannot be read"):
        run(BY_RISK, calibrations=[tmp_path / "b.json"])
