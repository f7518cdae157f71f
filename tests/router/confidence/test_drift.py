"""The watches hold their false alarms to delta however often they are read, and find drifts, late ones too."""

import json
import math
import threading

import numpy as np
import pytest
from mapie.exchangeability_testing import RiskMonitoring
from scipy.stats import binom, kstest

from visionrouter.confidence.calibrator import EvidenceMissingError
from visionrouter.confidence.drift import AuditWatch, EvidenceWatch
from visionrouter.schema.errors import CalibrationError

ALPHA, DELTA = 0.1, 0.1


def audited(losses, probabilities=None, least=1.0):
    watch = AuditWatch(ALPHA, DELTA, least)
    for i, loss in enumerate(losses):
        watch.update(loss, 1.0 if probabilities is None else probabilities[i])
        if watch.suspension:
            break
    return watch


def test_false_alarms_of_audits_stay_within_delta_where_a_repeated_test_does_not():
    rng = np.random.default_rng(0)
    streams = (rng.random((250, 500)) < ALPHA).astype(float)
    alarms = sum(audited(stream.tolist()).suspension is not None for stream in streams)
    assert alarms <= binom.ppf(0.999, 250, DELTA)
    n = np.arange(1, 501)
    repeated = (binom.sf(np.cumsum(streams, 1) - 1, n, ALPHA) <= DELTA).any(1).sum()
    assert repeated > binom.ppf(0.999, 250, DELTA)  # so the check above can fail


def test_audits_by_confidence_need_their_weights():
    """Doubtful items are audited ten times as often: unweighted, the audits look worse than the traffic is."""
    rng = np.random.default_rng(1)

    def stream(n=600):
        doubtful = rng.random(n) < 0.2
        loss = (rng.random(n) < np.where(doubtful, 0.4, 0.025)).astype(float)  # 0.1 on the whole
        probability = np.where(doubtful, 1.0, 0.1)
        taken = rng.random(n) < probability
        return loss[taken].tolist(), probability[taken].tolist()

    weighted = naive = 0
    for _ in range(200):
        loss, probability = stream()
        weighted += audited(loss, probability, 0.1).suspension is not None
        naive += audited(loss).suspension is not None
    assert weighted <= binom.ppf(0.999, 200, DELTA)
    assert naive > 150


@pytest.mark.parametrize("quiet", [0, 2000])
def test_a_risk_of_three_alpha_is_found_soon_even_late(quiet):
    rng = np.random.default_rng(2)
    waits = []
    for _ in range(20):
        losses = np.concatenate([rng.random(quiet) < ALPHA / 2, rng.random(400) < 3 * ALPHA]).astype(float)
        watch = audited(losses.tolist())
        assert watch.suspension is not None
        waits.append(watch.suspension.observations - quiet)
    assert np.median(waits) < (80 if quiet == 0 else 160)


def test_mapies_monitor_agrees():
    rng = np.random.default_rng(3)
    for risk, drifted in ((0.05, False), (0.4, True)):
        loss = rng.random(500) < risk
        theirs = RiskMonitoring(risk="accuracy", test_level=DELTA, threshold=ALPHA, warn=False)
        theirs.update(np.ones(500), 1 - loss)
        assert theirs.harmful_shift_detected == drifted
        assert (audited(loss.astype(float).tolist()).suspension is not None) == drifted


def test_an_alarm_says_why_and_stays():
    watch = AuditWatch(ALPHA, DELTA)
    for i in range(20):
        watch.update(1.0, since=f"12:{i:02}")
    first = watch.suspension
    assert first is not None
    assert first.reason == "risk_over_alpha"
    assert first.evidence >= 10
    assert first.since == f"12:{first.observations - 1:02}"
    for _ in range(500):
        state = watch.update(0.0)
    assert state.suspension == first


@pytest.mark.parametrize(
    ("loss", "probability"), [(math.nan, 1), (1.5, 1), (0, 0.01), (0, 1.5), (0, math.nan)]
)
def test_audits_that_break_the_terms_are_refused(loss, probability):
    with pytest.raises(ValueError, match="should lie in"):
        AuditWatch(ALPHA, DELTA, 0.1).update(loss, probability)


def watched(stream, calibration, seed=0):
    watch = EvidenceWatch({"confidence": calibration.tolist()}, DELTA, seed=seed)
    for value in stream.tolist():
        watch.update({"confidence": value})
        if watch.suspension:
            break
    return watch


def test_p_values_are_uniform_and_independent_with_bounded_memory():
    rng = np.random.default_rng(4)
    ps, following = [], []
    for seed in range(150):
        watch = EvidenceWatch({"a": np.round(rng.normal(size=30), 1).tolist()}, DELTA, seed=seed, memory=20)
        bag = watch._bags["a"]
        run = [watch._p_value(bag, round(float(v), 1)) for v in rng.normal(size=60)]
        assert len(bag) == 20
        ps += run[-20:]
        following.append(np.corrcoef(run[:-1], run[1:])[0, 1])
    assert kstest(ps, "uniform").pvalue > 0.001
    assert abs(np.mean(following)) < 4 / math.sqrt(150 * 60) + 1 / 60


@pytest.mark.parametrize("ties", [False, True])
def test_false_alarms_on_evidence_stay_within_delta(ties):
    rng = np.random.default_rng(5)
    alarms = 0
    for seed in range(150):
        sample, stream = rng.beta(5, 2, 100), rng.beta(5, 2, 400)
        if ties:
            sample, stream = np.round(sample, 1), np.round(stream, 1)
        alarms += watched(stream, sample, seed).suspension is not None
    assert alarms <= binom.ppf(0.999, 150, DELTA)


@pytest.mark.parametrize("quiet", [0, 3000])
@pytest.mark.parametrize("drift", [(2, 2), (9, 1.5), (1, 0.4)])
def test_a_shift_down_up_or_apart_is_found(quiet, drift):
    rng = np.random.default_rng(6)
    stream = np.concatenate([rng.beta(5, 2, quiet), rng.beta(*drift, 800)])
    watch = watched(stream, rng.beta(5, 2, 500))
    assert watch.suspension is not None
    assert watch.suspension.reason == "evidence_shifted"
    assert "'confidence'" in watch.suspension.detail
    assert quiet < watch.suspension.observations < quiet + 500


def test_the_signal_that_moved_is_named_and_a_missing_one_changes_nothing():
    rng = np.random.default_rng(7)
    watch = EvidenceWatch({"a": rng.random(200).tolist(), "b": rng.random(200).tolist()}, DELTA)
    before = watch.snapshot()
    with pytest.raises(EvidenceMissingError, match="'b'"):
        watch.update({"a": 0.5})
    assert watch.snapshot() == before
    for _ in range(200):
        watch.update({"a": float(rng.random()), "b": float(rng.random()) / 2})
    assert watch.suspension is not None
    assert "'b'" in watch.suspension.detail


def test_a_restored_watch_goes_on_as_if_nothing_had_happened():
    rng = np.random.default_rng(8)
    evidence = EvidenceWatch({"a": rng.random(50).tolist()}, DELTA, seed=3)
    audit = AuditWatch(ALPHA, DELTA, 0.5)
    for _ in range(100):
        evidence.update({"a": float(rng.random())})
        audit.update(float(rng.random() < 0.3), 0.7)
    twins = (
        EvidenceWatch.restore(json.loads(json.dumps(evidence.snapshot()))),
        AuditWatch.restore(json.loads(json.dumps(audit.snapshot()))),
    )
    for _ in range(50):
        value, loss = float(rng.random()), float(rng.random() < 0.3)
        assert twins[0].update({"a": value}) == evidence.update({"a": value})
        assert twins[1].update(loss) == audit.update(loss)
    for cls in (AuditWatch, EvidenceWatch):
        with pytest.raises(CalibrationError, match="no snapshot"):
            cls.restore({"alpha": 0.1, "bags": 3})


def test_threads_may_share_a_watch():
    watch = EvidenceWatch(
        {"a": np.linspace(0, 1, 100).tolist()}, 1e-300
    )  # counts go on while there is no alarm
    audit = AuditWatch(ALPHA, DELTA)

    def work():
        for i in range(200):
            watch.update({"a": i / 200})
            audit.update(0.0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watch.update({"a": 0.5}).observations == 801
    assert audit.update(0.0).observations == 801
