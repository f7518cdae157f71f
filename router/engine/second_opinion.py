"""The second opinion on an answer that passed its gate: agreed, contradicted, or put before a third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from visionrouter.confidence.agreement import agree, agreement, disagreements
from visionrouter.confidence.gate import UNCALIBRATED, judge
from visionrouter.confidence.probes.second_opinion import PREFIX
from visionrouter.engine.journey import Journey
from visionrouter.engine.pace import NoTimeError
from visionrouter.engine.stops import Stop
from visionrouter.schema.decision import Reason, Verdict, VerdictKind
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.route import CrossCheck, Opinion, Route

UNCHECKED = "unchecked"
"""Note of an accepted answer for which nobody else could speak; after a colon, why the one who was asked could not."""
CHECKED_BY = "checked_by"
"""Note of an accepted answer whose second opinion came from another than the one who was to give it, since that failed."""
_BACKABLE = frozenset(
    {Reason.NO_LIMITS, Reason.LIMIT_EXCEEDED, Reason.OUT_OF_DOMAIN, Reason.WRONG_CODE, Reason.CONFIDENCE_LOW}
)
"""Of limits: what is against the answer is its own evidence, or that it has none."""
_NOT_ITS_FIELD = frozenset({Reason.UNSUPPORTED_TARGET, Reason.LICENCE_DENIED})


async def second_opinion(
    journey: Journey,
    check: CrossCheck,
    stop: Stop,
    verdict: Verdict,
    prediction: Prediction,
    stops: Sequence[Stop],
    timeout_ms: float | None,
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on an accepted answer once its checker was heard, and notes.

    An opinion counts where the checker's own answer keeps what the profile asks of it for that, its limits where it asks
    nothing else; that it found nothing is an opinion too. Without one that counts, the route's `if_none` decides, but silence through a fault is never agreement: another of `stops`
    has to speak in its place. On disagreement the route's word holds; with `escalate`, the first of `stops` that is
    neither of the two decides, and without a third, or where it agrees with neither, nobody is believed. `timeout_ms`
    caps the question to such another, whose answer is then there should the route come to it.
    """
    if stop.checker is None or stop.checked_by is None:
        return _unchecked(check, verdict, "nobody")
    answer = journey.answered.get(stop.checker.name)
    if answer is None or answer.prediction is None:
        reason = Reason.EVIDENCE_MISSING
        if answer is not None and answer.failure is not None:
            if answer.failure.reason in _NOT_ITS_FIELD:
                return _unchecked(check, verdict, answer.failure.reason.value)
            reason = answer.failure.reason
        said = f"the second opinion, {stop.checker.name}, gave no answer ({reason.value})"
        return await _stood_in(journey, check, stop, verdict, prediction, stops, said, timeout_ms)
    theirs = judge(answer.prediction, stop.checked_by.counts)
    if not theirs.accepted and theirs.reason is not Reason.NOTHING_FOUND:
        return _unchecked(check, verdict, theirs.reason.value)
    signals = _compared(prediction)
    if not signals:
        said = f"no time was left to compare with the second opinion, {stop.checker.name}"
        return _turned(verdict, VerdictKind.FALL_BACK, Reason.EVIDENCE_MISSING, said), ()
    against = disagreements(agreement(stop.checked_by, journey.query.task), signals)
    if not against:
        return verdict, ()
    detail = f"{stop.checker.name} disagrees: {'; '.join(against)}"
    match check.on_disagreement:
        case "fall_back":
            return _turned(verdict, VerdictKind.FALL_BACK, Reason.DISAGREEMENT, detail), ()
        case "abstain":
            return _turned(verdict, VerdictKind.ABSTAIN, Reason.DISAGREEMENT, detail), ()
        case "escalate":
            third = next((s for s in stops if s.lane not in (stop.lane, stop.checker)), None)
            args = (journey, stop, third, verdict, prediction, answer.prediction, detail, timeout_ms)
            return await _escalated(*args), ()


def backing(stop: Stop, route: Route) -> Opinion | None:
    """The opinion that may make up for limits which an answer of `stop` does not keep: see `backed`. None where there is
    none."""
    opinion = stop.checked_by
    by_limits = stop.accept.gate in ("limits", "evidence") or (
        stop.accept.gate in ("confidence", "risk") and route.uncertified == "limits"
    )
    return opinion if by_limits and opinion is not None and opinion.backs is not None else None


def backed(journey: Journey, stop: Stop, verdict: Verdict, prediction: Prediction) -> Verdict:
    """The verdict on an answer that its limits do not vouch for, once its checker was heard.

    Where the checker found something, its opinion counts, and it says the same as nearly as the profile asks for, that
    makes up for the limits. Verdicts of calibrated gates stand.
    """
    opinion = stop.checked_by
    if stop.checker is None or opinion is None or opinion.backs is None:
        return verdict
    if verdict.gate != UNCALIBRATED or verdict.reason not in _BACKABLE:
        return verdict
    answer = journey.answered.get(stop.checker.name)
    signals = _compared(prediction)
    if answer is None or answer.prediction is None or not signals:
        return verdict
    if not judge(answer.prediction, opinion.counts).accepted or disagreements(opinion.backs, signals):
        return verdict
    detail = f"{verdict.detail}; {stop.checker.name} says the same"
    return replace(verdict, kind=VerdictKind.ACCEPT, reason=Reason.BACKED, detail=detail)


def _compared(prediction: Prediction) -> dict[str, float]:
    """What comparing with the second opinion found."""
    prefix = f"{PREFIX}_"
    signals = prediction.evidence.signals
    return {name.removeprefix(prefix): v for name, v in signals.items() if name.startswith(prefix)}


async def _stood_in(
    journey: Journey,
    check: CrossCheck,
    stop: Stop,
    verdict: Verdict,
    prediction: Prediction,
    stops: Sequence[Stop],
    said: str,
    timeout_ms: float | None,
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict where the checker failed: another that the check could mean, and whose opinion counts, agrees with the
    answer, or it falls."""
    fallen = _turned(verdict, VerdictKind.FALL_BACK, Reason.EVIDENCE_MISSING, said), ()
    for other in stops:
        lane = other.lane
        if lane in (stop.lane, stop.checker) or check.backend not in (lane.backend.spec.kind, "any"):
            continue
        if other.opinion is None:
            continue
        said_instead = (await journey.ask(lane, timeout_ms)).prediction
        if said_instead is None:
            continue
        theirs = judge(said_instead, other.opinion.counts)
        if theirs.reason is Reason.NOTHING_FOUND:
            return fallen
        if not theirs.accepted:
            continue
        try:
            agrees = await _agree(journey, other.opinion, prediction, said_instead)
        except NoTimeError:
            return fallen
        if agrees:
            detail = f"{said}; {lane.name} agrees in its place"
            return replace(verdict, detail=detail), (f"{CHECKED_BY}:{lane.name}",)
        return fallen
    return fallen


async def _escalated(
    journey: Journey,
    stop: Stop,
    third: Stop | None,
    verdict: Verdict,
    prediction: Prediction,
    contradicting: Prediction,
    detail: str,
    timeout_ms: float | None,
) -> Verdict:
    nobody = _turned(verdict, VerdictKind.ABSTAIN, Reason.DISAGREEMENT, detail)
    if third is None:
        return replace(nobody, detail=f"{detail}; there is no third opinion")
    name = third.lane.name
    said = (await journey.ask(third.lane, timeout_ms)).prediction
    if said is None:
        return replace(nobody, detail=f"{detail}; the third, {name}, gave no answer")
    try:
        if await _agree(journey, third.opinion, prediction, said):
            return replace(verdict, detail=f"{detail}; {name} agrees with {stop.lane.name}")
        if await _agree(journey, third.opinion, contradicting, said):
            outvoted = f"{detail}, and {name} agrees with it"
            return _turned(verdict, VerdictKind.FALL_BACK, Reason.OUTVOTED, outvoted)
    except NoTimeError:
        return replace(nobody, detail=f"{detail}; no time was left to compare with the third, {name}")
    return replace(nobody, detail=f"{detail}; {name} agrees with neither")


async def _agree(journey: Journey, opinion: Opinion | None, prediction: Prediction, said: Prediction) -> bool:
    """Whether what another said speaks for a prediction. Raises `NoTimeError` where there is no time to compare."""
    limits = agreement(opinion, journey.query.task)
    compared = partial(agree, limits, prediction.payload, said.payload)
    return await journey.compute("cross_check", compared)


def _unchecked(check: CrossCheck, verdict: Verdict, why: str) -> tuple[Verdict, tuple[str, ...]]:
    note = f"{UNCHECKED}:{why}"
    if check.if_none == "accept":
        return verdict, (note,)
    detail = f"no second opinion counts here ({why})"
    return _turned(verdict, VerdictKind.FALL_BACK, Reason.EVIDENCE_MISSING, detail), (note,)


def _turned(verdict: Verdict, kind: VerdictKind, reason: Reason, detail: str) -> Verdict:
    """The verdict overturned; what was certified of the answer goes with it."""
    return replace(verdict, kind=kind, reason=reason, detail=detail, risk=None)
