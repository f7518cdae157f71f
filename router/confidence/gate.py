"""The gate: evidence against limits.

Until a calibrator and a certificate stand behind it, it names itself `uncalibrated`: it knows when a prediction looks
wrong, not how often one that looks right is.
"""

from __future__ import annotations

from visionrouter.schema.decision import Reason, Verdict, VerdictKind
from visionrouter.schema.payload import Classification, Detections, Payload, Poses, Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.route import Limits

UNCALIBRATED = "uncalibrated"
NO_GATE = "none"

_NAMED = {
    "familiarity": Reason.OUT_OF_DOMAIN,
    "on_code_share": Reason.WRONG_CODE,
    "score": Reason.CONFIDENCE_LOW,
}

_UNRESOLVED = {
    "unresolved": "{!r} could not be told",
    "specificity_lost": "{!r} was answered by something broader",
}


def judge(prediction: Prediction, limits: Limits | None) -> Verdict:
    """Accept when something was found, it is what the words single out, and every limit holds.

    A signal that a limit names and the evidence lacks, and a prediction nobody measured limits for (None), are reasons
    to fall back: what cannot be checked is not vouched for.
    """
    if is_empty(prediction.payload):
        return Verdict(VerdictKind.FALL_BACK, Reason.NOTHING_FOUND, "nothing was found", UNCALIBRATED)
    if limits is None:
        detail = "no limits are known for this backend and task; give some, or route with accept: always"
        return Verdict(VerdictKind.FALL_BACK, Reason.NO_LIMITS, detail, UNCALIBRATED)
    for note in prediction.notes:
        kind, _, words = note.partition(":")
        if kind in _UNRESOLVED:
            return Verdict(
                VerdictKind.FALL_BACK, Reason.UNRESOLVED, _UNRESOLVED[kind].format(words), UNCALIBRATED
            )
    signals = prediction.evidence.signals
    for name, limit in limits.items():
        value = signals.get(name)
        if value is None:
            detail = f"the backend gave no signal {name!r}"
            return Verdict(VerdictKind.FALL_BACK, Reason.EVIDENCE_MISSING, detail, UNCALIBRATED)
        if not limit.holds(value):
            reason = _NAMED.get(name, Reason.LIMIT_EXCEEDED)
            return Verdict(VerdictKind.FALL_BACK, reason, f"{name} {value:.4g}, limit {limit}", UNCALIBRATED)
    return Verdict(VerdictKind.ACCEPT, Reason.WITHIN_LIMITS, "", UNCALIBRATED)


def waive(prediction: Prediction) -> Verdict:
    """The verdict of a route that accepts whatever is found, named as what it is: no gate."""
    if is_empty(prediction.payload):
        return Verdict(VerdictKind.FALL_BACK, Reason.NOTHING_FOUND, "nothing was found", NO_GATE)
    return Verdict(VerdictKind.ACCEPT, Reason.NO_GATE, "", NO_GATE)


def is_empty(payload: Payload) -> bool:
    """True where a set of things has no thing in it, or masks no pixel."""
    if isinstance(payload, Segmentation):
        return not payload.masks.any()
    return isinstance(payload, Detections | Poses | Classification) and len(payload) == 0
