"""The second opinion on an answer that passed its gate: agreed, contradicted, or put before a third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from visionrouter.confidence.agreement import agree, disagreements
from visionrouter.confidence.gate import judge
from visionrouter.confidence.probes.second_opinion import PREFIX
from visionrouter.engine.journey import Journey
from visionrouter.engine.lane import Lane
from visionrouter.engine.pace import NoTimeError
from visionrouter.engine.stops import Stop
from visionrouter.schema.decision import Reason, Verdict, VerdictKind
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.route import CrossCheck

UNCHECKED = "unchecked"
"""Note of an accepted answer for which nobody else could speak; after a colon, why the one who was asked could not."""
CHECKED_BY = "checked_by"
"""Note of an accepted answer whose second opinion came from another than the one who was to give it, since that failed."""
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

    An opinion counts where the checker's own answer keeps its limits; that it found nothing is an opinion too. Without
    one that counts, the route's `if_none` decides, but silence through a fault is never agreement: another of `stops`
    has to speak in its place. On disagreement the route's word holds; with `escalate`, the first of `stops` that is
    neither of the two decides, and without a third, or where it agrees with neither, nobody is believed. `timeout_ms`
    caps the question to such another, whose answer is then there should the route come to it.
    """
    if stop.checker is None:
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
    theirs = judge(answer.prediction, stop.checker_limits)
    if not theirs.accepted and theirs.reason is not Reason.NOTHING_FOUND:
        return _unchecked(check, verdict, theirs.reason.value)
    signals = {
        name.removeprefix(f"{PREFIX}_"): value
        for name, value in prediction.evidence.signals.items()
        if name.startswith(f"{PREFIX}_")
    }
    if not signals:
        said = f"no time was left to compare with the second opinion, {stop.checker.name}"
        return _turned(verdict, VerdictKind.FALL_BACK, Reason.EVIDENCE_MISSING, said), ()
    against = disagreements(journey.query.task, signals)
    if not against:
        return verdict, ()
    detail = f"{stop.checker.name} disagrees: {'; '.join(against)}"
    match check.on_disagreement:
        case "fall_back":
            return _turned(verdict, VerdictKind.FALL_BACK, Reason.DISAGREEMENT, detail), ()
        case "abstain":
            return _turned(verdict, VerdictKind.ABSTAIN, Reason.DISAGREEMENT, detail), ()
        case "escalate":
            third = next((s.lane for s in stops if s.lane not in (stop.lane, stop.checker)), None)
            args = (journey, stop, third, verdict, prediction, answer.prediction, detail, timeout_ms)
            return await _escalated(*args), ()


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
    """The verdict where the checker failed: another that the check could mean, and whose answer keeps its limits, agrees
    with the answer, or it falls."""
    fallen = _turned(verdict, VerdictKind.FALL_BACK, Reason.EVIDENCE_MISSING, said), ()
    for other in stops:
        lane = other.lane
        if lane in (stop.lane, stop.checker) or check.backend not in (lane.backend.spec.kind, "any"):
            continue
        opinion = (await journey.ask(lane, timeout_ms)).prediction
        if opinion is None:
            continue
        theirs = judge(opinion, other.standing.limits)
        if theirs.reason is Reason.NOTHING_FOUND:
            return fallen
        if not theirs.accepted:
            continue
        try:
            agrees = await _agree(journey, prediction, opinion)
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
    third: Lane | None,
    verdict: Verdict,
    prediction: Prediction,
    contradicting: Prediction,
    detail: str,
    timeout_ms: float | None,
) -> Verdict:
    nobody = _turned(verdict, VerdictKind.ABSTAIN, Reason.DISAGREEMENT, detail)
    if third is None:
        return replace(nobody, detail=f"{detail}; there is no third opinion")
    opinion = (await journey.ask(third, timeout_ms)).prediction
    if opinion is None:
        return replace(nobody, detail=f"{detail}; the third, {third.name}, gave no answer")
    try:
        if await _agree(journey, prediction, opinion):
            return replace(verdict, detail=f"{detail}; {third.name} agrees with {stop.lane.name}")
        if await _agree(journey, contradicting, opinion):
            outvoted = f"{detail}, and {third.name} agrees with it"
            return _turned(verdict, VerdictKind.FALL_BACK, Reason.OUTVOTED, outvoted)
    except NoTimeError:
        return replace(nobody, detail=f"{detail}; no time was left to compare with the third, {third.name}")
    return replace(nobody, detail=f"{detail}; {third.name} agrees with neither")


async def _agree(journey: Journey, prediction: Prediction, opinion: Prediction) -> bool:
    """Whether an opinion speaks for a prediction. Raises `NoTimeError` where there is no time to compare."""
    compared = partial(agree, journey.query.task, prediction.payload, opinion.payload)
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
