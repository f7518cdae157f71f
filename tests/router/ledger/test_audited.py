"""Labels of audited answers reach the drift watch; complaints, refusals, shadows and joined answers do not."""

import time

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.confidence.calibrations import Drift, scope_of
from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.certify import certify
from visionrouter.confidence.documents import CalibrationDocument, Provenance, Subject, save_calibration
from visionrouter.confidence.scope import Digests
from visionrouter.ledger import Audit, Label, Ledger, LedgerReader, audits
from visionrouter.ledger.store import label_existing
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, VariantReason
from visionrouter.schema.task import Task


def write(where, decisions, audit):
    with Ledger(where, audit=audit) as ledger:
        for decision in decisions:
            ledger.record(decision)


def test_what_counts_and_what_is_left_out(tmp_path, decide):
    where = tmp_path / "ledger.db"
    made = [
        decide(0),
        decide(1),
        decide(1, variant="nano", variant_reason=VariantReason.SHADOW),
        decide(2, outcome=Outcome.DEGRADED),
        decide(3, outcome=Outcome.MERGED),
        decide(4, children=(decide(5),)),
        decide(6, task=Task.DETECT),
        decide(7),
    ]
    write(where, made, Audit(1.0))
    ids = [decision.request_id for decision in made]
    first = [Label(ids[0], 0.0), Label(ids[0], 1.0), Label(ids[1], 0.0), Label(ids[1], 1.0, variant="nano")]
    label_existing(where, first + [Label(key, 1.0) for key in (ids[3], ids[4], ids[5], ids[6])])
    with LedgerReader(where) as reader:
        found = audits(reader, task="depth")
        assert [(a.decision.request_id, a.subject, a.task, a.loss) for a in found.answers] == [
            (ids[0], "nano", Task.DEPTH, 0.0),
            (ids[1], "nano", Task.DEPTH, 1.0),
        ]
        assert found.left_out == {"not accepted": 1, "joined of several answers": 2}
        now = time.time_ns() // 1000
        label_existing(where, [Label(ids[7], 0.3, "absrel")])
        assert audits(reader, since_us=now).answers == ()
        assert [a.loss for a in audits(reader, "absrel", since_us=now).answers] == [0.3]


PHOTO = np.zeros((8, 8, 3), np.uint8)
POLICY = {
    "schema_version": 1,
    "name": "p",
    "default": {"route": {"try": ["a"], "accept": {"risk": 0.1, "delta": 0.1}}},
}
NOISE = np.random.default_rng(0).uniform(0, 1, 600)


def backend():
    return FakeBackend("a", script=lambda query: Answer(signals={"noise": float(NOISE[query.seed])}))


@pytest.fixture
def calibration(tmp_path):
    """Of a backend that is good where its noise is small, with a certificate at 10 %."""
    good = np.random.default_rng(1).random(600) < 1 / (1 + np.exp(20 * (NOISE - 0.6)))
    rows, scope = [{"noise": float(v)} for v in NOISE], scope_of("a", Task.DEPTH)
    calibrator = Calibrator.fit(rows[:300], good[:300], scope=scope)
    outcomes = certify(
        np.array([calibrator.confidence(row) for row in rows[300:]]), (~good[300:]).astype(float),
        scope=scope, digests=Digests("w", "e", "c", "d"), alpha=0.1, delta=0.1,
    )  # fmt: skip
    with Router([backend()], POLICY) as router:
        made = router.made_with(router.request(PHOTO, Task.DEPTH))["a"]
    document = CalibrationDocument(
        provenance=Provenance(made_by="test", data="d", items=600),
        subjects=(Subject(scope=scope, made_with=made, sample={"noise": tuple(NOISE[:300].tolist())}),),
        calibrators=(calibrator,),
        outcomes=tuple(outcomes),
    ).signed()
    save_calibration(document, tmp_path / "calibration.json")
    return tmp_path / "calibration.json"


@pytest.mark.parametrize(("value", "alarms"), [(0.0, ["risk_over_alpha"]), (1.0, [])])
def test_labels_suspend_a_certificate_that_no_longer_holds(tmp_path, calibration, value, alarms):
    where, drift = tmp_path / "ledger.db", Drift(0.01, least_audited=0.5)
    with (
        Ledger(where, audit=Audit(0.5)) as ledger,
        Router([backend()], POLICY, calibrations=[calibration], drift=drift, sinks=[ledger]) as router,
    ):
        decisions = [router.run(PHOTO, Task.DEPTH, seed=seed).decision for seed in range(200)]
        ledger.flush()
        label_existing(where, [Label(decision.request_id, value) for decision in decisions])
        with LedgerReader(where) as reader:
            told = audits(reader)
        for found in told.answers:
            router.audit(found.subject, found.task, found.loss, found.probability)
        assert 30 < len(told.answers) < 110
        assert [alarm.reason for alarm in router.suspensions().values()] == alarms
