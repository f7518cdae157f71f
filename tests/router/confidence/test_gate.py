"""The gate lets pass only what was found, was measured, and lies within its limits."""

import math

import numpy as np
import pytest

from visionrouter.confidence.gate import judge, waive
from visionrouter.schema.decision import Reason
from visionrouter.schema.payload import Classification, DepthMap, Detections, Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.route import Limit

DEPTH = DepthMap(np.ones((2, 2), np.float32), "m")
EMPTY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())
NO_PIXEL = Segmentation(np.zeros((1, 2, 2), bool), np.ones(1, np.float32), ("dog",), "referring")


def said(limits, **signals):
    verdict = judge(Prediction(DEPTH, Evidence(signals)), limits)
    assert verdict.gate == "uncalibrated"
    return verdict.accepted, verdict.reason


def test_within_every_limit():
    assert said({"a": Limit(max=1), "b": Limit(min=0)}, a=1.0, b=0.0) == (True, Reason.WITHIN_LIMITS)


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        ("code_residual", Reason.LIMIT_EXCEEDED),
        ("familiarity", Reason.OUT_OF_DOMAIN),
        ("on_code_share", Reason.WRONG_CODE),
        ("score", Reason.CONFIDENCE_LOW),
    ],
)
def test_the_reason_names_the_signal_that_failed(signal, reason):
    assert said({signal: Limit(min=2, max=3)}, **{signal: 1.0}) == (False, reason)
    assert said({signal: Limit(min=2, max=3)}, **{signal: 4.0}) == (False, reason)


def test_nan_never_holds():
    assert not said({"a": Limit(max=1)}, a=math.nan)[0]


def test_what_was_not_measured_is_not_vouched_for():
    assert said({"a": Limit(max=1)}, b=0.0) == (False, Reason.EVIDENCE_MISSING)
    assert said(None, a=0.0) == (False, Reason.NO_LIMITS)


@pytest.mark.parametrize("payload", [EMPTY, NO_PIXEL, Classification((), np.zeros(0, np.float32))])
def test_nothing_found_is_never_accepted(payload):
    for verdict in (judge(Prediction(payload), {}), waive(Prediction(payload))):
        assert (verdict.accepted, verdict.reason) == (False, Reason.NOTHING_FOUND)


@pytest.mark.parametrize("note", ["unresolved:nearest", "specificity_lost:puppy"])
def test_words_that_were_not_resolved_are_not_vouched_for(note):
    verdict = judge(Prediction(DEPTH, notes=("other", note)), {})
    assert (verdict.accepted, verdict.reason) == (False, Reason.UNRESOLVED)
    assert note.partition(":")[2] in verdict.detail


def test_a_waived_gate_says_that_there_was_none():
    verdict = waive(Prediction(DEPTH))
    assert (verdict.accepted, verdict.reason, verdict.gate) == (True, Reason.NO_GATE, "none")
