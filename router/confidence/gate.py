"""The gate: evidence to a verdict.

There are three kinds. Limits on signals know when a prediction looks wrong, not how often one that looks right is, and
name themselves `uncalibrated`. A least `confidence` stands on a calibrator. A `risk` stands on a certificate, and where
none covers the answer it is uncertified, whatever its confidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from visionrouter.confidence.calibrator import Calibrator, EvidenceMissingError, Reading
from visionrouter.confidence.certificate import Certificate, Infeasible, certificate_for
from visionrouter.confidence.pixels import PixelCalibrator
from visionrouter.schema.arrays import F32
from visionrouter.schema.decision import Reason, Risk, Verdict, VerdictKind
from visionrouter.schema.payload import Classification, Detections, Payload, Poses, Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.route import Accept, Limits, Uncertified, limits_in_words

if TYPE_CHECKING:
    from visionrouter.confidence.watch import ScopeWatch

UNCALIBRATED = "uncalibrated"
CALIBRATED = "calibrated"
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
_NO_COVER = frozenset({Reason.UNCERTIFIED, Reason.SUSPENDED, Reason.EXTRAPOLATED, Reason.EVIDENCE_MISSING})
"""Reasons for which a route's `uncertified` says what happens: nothing is known against the answer, nor for it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an answer of one subject to one task is judged by.

    `limits`: the profile's. `calibrator`, `pixels`, `outcomes` (certificates, and groups for which there is none): those
    whose digests match what runs. `why_not`: why there are none. `watch`: while its alarm stands, the certificates count
    for nothing.
    """

    limits: Limits | None = None
    calibrator: Calibrator | None = None
    pixels: PixelCalibrator | None = None
    outcomes: tuple[Certificate | Infeasible, ...] = ()
    why_not: str = "nothing was calibrated for it"
    watch: ScopeWatch | None = None


def decide(
    prediction: Prediction,
    accept: Accept,
    standing: Standing,
    tags: Mapping[str, str],
    uncertified: Uncertified = "fall_back",
) -> Verdict:
    """Accept, fall back or abstain. `tags` are the request's: a certificate may hold for one value of a tag alone."""
    if standing.watch is not None:
        standing.watch.see(prediction.evidence.signals)
    if accept.gate == "always":
        return waive(prediction)
    if accept.gate in ("limits", "evidence"):
        verdict = judge(prediction, accept.evidence if accept.gate == "evidence" else standing.limits)
        return _with_confidence(verdict, prediction, standing)
    verdict = _refused(prediction) or _calibrated(prediction, accept, standing, tags)
    if verdict.reason not in _NO_COVER or uncertified == "fall_back":
        return verdict
    if uncertified == "limits":
        return _with_confidence(judge(prediction, standing.limits), prediction, standing)
    return replace(verdict, kind=VerdictKind.ABSTAIN)


def foretell(accept: Accept, standing: Standing, tags: Mapping[str, str]) -> str:
    """What an answer will have to keep, in words, before there is one."""
    match accept.gate:
        case "always":
            return "whatever is found, not vouched for"
        case "limits" | "evidence":
            limits = accept.evidence if accept.gate == "evidence" else standing.limits
            if limits is None:
                return "never by itself, no limits are known for it"
            return limits_in_words(limits)
        case "confidence" | "risk" if standing.calibrator is None:
            return f"uncertified: {standing.why_not}"
        case "confidence":
            return f"calibrated confidence at least {accept.confidence:g}"
        case "risk":
            found = _covering(standing.outcomes, accept, tags)
            if isinstance(found, str):
                return f"uncertified: {found}"
            return f"calibrated confidence at least {found.threshold:.3f}: {found.statement}"


def judge(prediction: Prediction, limits: Limits | None) -> Verdict:
    """Accept when something was found, it is what the words single out, and every limit holds.

    A signal that a limit names and the evidence lacks, and a prediction nobody measured limits for (None), are reasons
    to fall back: what cannot be checked is not vouched for.
    """
    refused = _refused(prediction)
    if refused is not None:
        return refused
    if limits is None:
        detail = "no limits are known for this backend and task; give some, or route with accept: always"
        return Verdict(VerdictKind.FALL_BACK, Reason.NO_LIMITS, detail, UNCALIBRATED)
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
    return isinstance(payload, (Detections, Poses, Classification)) and len(payload) == 0


def calibrated_map(prediction: Prediction, standing: Standing) -> F32 | None:
    """P(good) of each pixel, float32 (H, W), where its backend draws a map and a calibration of it fits; else None."""
    raw = prediction.evidence.confidence_map
    return None if raw is None or standing.pixels is None else standing.pixels.apply(raw)


def _refused(prediction: Prediction) -> Verdict | None:
    """What no gate lets pass: nothing found, or words that single out something which could not be told."""
    if is_empty(prediction.payload):
        return Verdict(VerdictKind.FALL_BACK, Reason.NOTHING_FOUND, "nothing was found", UNCALIBRATED)
    for note in prediction.notes:
        kind, _, words = note.partition(":")
        if kind in _UNRESOLVED:
            detail = _UNRESOLVED[kind].format(words)
            return Verdict(VerdictKind.FALL_BACK, Reason.UNRESOLVED, detail, UNCALIBRATED)
    return None


def _calibrated(
    prediction: Prediction, accept: Accept, standing: Standing, tags: Mapping[str, str]
) -> Verdict:
    """The verdict of the gates `confidence` and `risk`."""
    if standing.calibrator is None:
        return _no(Reason.UNCERTIFIED, standing.why_not)
    certificate: Certificate | str | None = None
    if accept.gate == "risk":
        certificate = _covering(standing.outcomes, accept, tags)
        if isinstance(certificate, str):
            return _no(Reason.UNCERTIFIED, certificate)
        suspension = None if standing.watch is None else standing.watch.suspension
        if suspension is not None:
            return _no(Reason.SUSPENDED, suspension.detail)
    try:
        reading = standing.calibrator.read(prediction.evidence.signals)
    except EvidenceMissingError as missing:
        return _no(Reason.EVIDENCE_MISSING, str(missing))
    if reading.outside:
        names = ", ".join(reading.outside)
        return _no(
            Reason.EXTRAPOLATED, f"{names}: beyond anything that was calibrated on", reading.confidence
        )
    if isinstance(certificate, Certificate):
        return _certified(reading, certificate)
    said = f"confidence {reading.confidence:.3f}, at least {accept.confidence:g} is asked"
    if reading.confidence < accept.confidence:
        return _no(Reason.CONFIDENCE_LOW, said, reading.confidence)
    return Verdict(VerdictKind.ACCEPT, Reason.CONFIDENT, said, CALIBRATED, reading.confidence)


def _certified(reading: Reading, certificate: Certificate) -> Verdict:
    if not certificate.accepts(reading.confidence):
        said = f"confidence {reading.confidence:.3f}, certified from {certificate.threshold:.3f} on"
        return _no(Reason.CONFIDENCE_LOW, said, reading.confidence)
    assert certificate.delta is not None
    risk = Risk(
        certificate.bound,
        certificate.alpha,
        certificate.delta,
        str(certificate.scope),
        certificate.scope.loss,
    )
    return Verdict(
        VerdictKind.ACCEPT, Reason.CERTIFIED, certificate.statement, CALIBRATED, reading.confidence, risk
    )


def _covering(
    outcomes: tuple[Certificate | Infeasible, ...], accept: Accept, tags: Mapping[str, str]
) -> Certificate | str:
    """The certificate for a request, or why there is none."""
    enough = [
        o for o in outcomes if o.delta is not None and o.alpha <= accept.alpha and o.delta <= accept.delta
    ]
    if not enough:
        return f"no certificate says risk {accept.alpha:g} with confidence {1 - accept.delta:g}"
    found = certificate_for(sorted(enough, key=lambda o: -o.alpha), tags)
    if isinstance(found, Certificate):
        return found
    return "no certificate covers what the request is tagged with" if found is None else str(found)


def _with_confidence(verdict: Verdict, prediction: Prediction, standing: Standing) -> Verdict:
    """The same verdict, with the calibrated confidence where one can be had."""
    if standing.calibrator is None or verdict.reason is Reason.NOTHING_FOUND:
        return verdict
    try:
        reading = standing.calibrator.read(prediction.evidence.signals)
    except EvidenceMissingError:
        return verdict
    return verdict if reading.outside else replace(verdict, confidence=reading.confidence)


def _no(reason: Reason, detail: str, confidence: float | None = None) -> Verdict:
    return Verdict(VerdictKind.FALL_BACK, reason, detail, CALIBRATED, confidence)
