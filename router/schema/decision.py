"""Why a request was answered as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from visionrouter.schema.quick import quick_init
from visionrouter.schema.task import Task


class Outcome(StrEnum):
    """How a request ended."""

    ACCEPTED = "accepted"  # the first choice of the route passed its gate
    FELL_BACK = "fell_back"  # a later choice passed
    MERGED = "merged"  # joined from several
    ABSTAINED = "abstained"  # nothing passed, and the route says "I don't know"
    DEGRADED = "degraded"  # nothing passed; the best effort is given, not vouched for
    FAILED = "failed"  # the best effort was wanted, and no backend gave anything


class VerdictKind(StrEnum):
    """What the gate, or the engine before it, said of one attempt."""

    ACCEPT = "accept"
    FALL_BACK = "fall_back"  # ask the next
    ABSTAIN = "abstain"  # ask nobody else and answer nothing


class Reason(StrEnum):
    """Every reason an attempt or a request can end for. Stable codes: ledgers and alerts key on them."""

    # the gate
    WITHIN_LIMITS = "within_limits"
    CONFIDENT = "confident"
    CERTIFIED = "certified"
    BACKED = "backed"  # its limits are not kept, but a second opinion says the same
    NO_GATE = "no_gate"
    LIMIT_EXCEEDED = "limit_exceeded"
    NO_LIMITS = "no_limits"
    EVIDENCE_MISSING = "evidence_missing"
    NOTHING_FOUND = "nothing_found"
    UNRESOLVED = "unresolved"
    OUT_OF_DOMAIN = "out_of_domain"
    WRONG_CODE = "wrong_code"
    UNCERTIFIED = "uncertified"
    SUSPENDED = "suspended"
    EXTRAPOLATED = "extrapolated"
    CONFIDENCE_LOW = "confidence_low"
    DISAGREEMENT = "disagreement"
    OUTVOTED = "outvoted"
    SECOND_OPINION = "second_opinion"
    MERGED = "merged"
    PART_MISSING = "part_missing"
    PART_DEGRADED = "part_degraded"
    # the engine
    BACKEND_ERROR = "backend_error"
    INVALID_OUTPUT = "invalid_output"
    TIMEOUT = "timeout"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    HUNG = "hung"
    OVERLOADED = "overloaded"
    BREAKER_OPEN = "breaker_open"
    NOT_LOADED = "not_loaded"
    WEIGHTS_CHANGED = "weights_changed"
    UNSUPPORTED_TARGET = "unsupported_target"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    OUTRUN = "outrun"  # another answer was there first
    # the route
    LICENCE_DENIED = "licence_denied"
    NO_BACKEND = "no_backend"
    EXHAUSTED = "exhausted"  # there were answers, and none passed
    NO_ANSWER = "no_answer"  # several were asked, and none gave anything


class VariantReason(StrEnum):
    """Why a request got its variant, or none."""

    NO_EXPERIMENT = "no_experiment"
    SPLIT = "split"  # by the hash of its unit
    SHADOW = "shadow"  # run beside the answer, never instead of it
    HOLDOUT = "holdout"  # the unit is kept out, to measure all experiments against
    NOT_ELIGIBLE = "not_eligible"
    OUTSIDE_NAMESPACE = "outside_namespace"  # the unit is another experiment's
    UNIT_MISSING = "unit_missing"  # the request does not say which unit it belongs to
    STOPPED = "stopped"  # the kill switch


class Comparison(StrEnum):
    """How a shadow's answer stands to the one that was given."""

    AGREE = "agree"
    DISAGREE = "disagree"
    ONE_ANSWERED = "one_answered"  # the other abstained or failed
    NEITHER_ANSWERED = "neither_answered"
    INCOMPARABLE = "incomparable"  # answers of different kinds or sizes


@dataclass(frozen=True, slots=True)
class Risk:
    """A bound on the risk of what is accepted: at most `bound` <= `alpha` with confidence 1 - `delta`."""

    bound: float
    alpha: float
    delta: float
    certificate: str
    loss: str = ""


@quick_init
@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of an attempt, why, and by which gate.

    `confidence`: calibrated probability that the answer is good, None where no calibrator that fits stands behind it.
    `risk`: the certificate's bound that an accepted answer falls under, None without one.
    """

    kind: VerdictKind
    reason: Reason
    detail: str = ""
    gate: str = "uncalibrated"
    confidence: float | None = None
    risk: Risk | None = None

    @property
    def accepted(self) -> bool:
        return self.kind is VerdictKind.ACCEPT


@quick_init
@dataclass(frozen=True, slots=True)
class Attempt:
    """One backend asked once.

    `started_ms` counts from the request's start; `latency_ms` is the whole attempt, `queue_ms` of it the wait for a
    worker and `evidence_ms` the further questions that the evidence took. `error` is the message of what was raised, if
    anything was, and `spent` what that cost all the same, by the names of signals; an answer's cost is among its `signals`.
    """

    backend: str
    task: Task
    verdict: Verdict
    started_ms: float
    latency_ms: float
    queue_ms: float = 0.0
    evidence_ms: float = 0.0
    signals: Mapping[str, float] = field(default_factory=dict)
    licence: str = ""
    weights_digest: str | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None
    spent: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Divergence:
    """A shadow's answer held against the one that was given.

    `answer` and `shadow` name who made each, joined by "+", or "none". `signals` are those of `merge.compare`, of a
    composite by part ("depth.aligned_median"); `detail` says which of them speak against agreement.
    """

    comparison: Comparison
    answer: str
    shadow: str
    signals: Mapping[str, float] = field(default_factory=dict)
    detail: tuple[str, ...] = ()


@quick_init
@dataclass(frozen=True, slots=True)
class Decision:
    """The record of one request: which policy and rule, what was tried, what was said of each, how long it took.

    `elapsed_ms` is the request from start to end; `overhead_ms` what of it was not spent in backends. `skipped` lists
    backends the route left out before trying, each with its reason. `children` are the decisions of a composite's
    parts, in the order of its plan. `variant` is the arm of `experiment` that answered, None where the policy's own
    rules did; `unit` is what was hashed for it. From `criticality` on: what else conditions could read, so that another
    policy can be replayed; `requested_ms` is the deadline the request brought itself, `context` keeps its numbers, texts and truth values.
    `divergence`: of a shadow's decision, how its answer compares with the one that was given.
    """

    request_id: str
    task: Task
    instruction: str
    outcome: Outcome
    reason: Reason
    policy: str
    policy_hash: str
    rule: str
    variant: str | None = None
    attempts: tuple[Attempt, ...] = ()
    skipped: tuple[tuple[str, Reason], ...] = ()
    deadline_ms: float | None = None
    elapsed_ms: float = 0.0
    overhead_ms: float = 0.0
    notes: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Decision, ...] = ()
    experiment: str | None = None
    variant_reason: VariantReason = VariantReason.NO_EXPERIMENT
    unit: str | None = None
    criticality: str = "normal"
    requested_ms: float | None = None
    image_size: tuple[int, int] | None = None
    has_prompts: bool = False
    seed: int = 0
    context: Mapping[str, str | bool | int | float] = field(default_factory=dict)
    divergence: Divergence | None = None


OnError = Literal["continue", "abstain"]


@runtime_checkable
class Sink(Protocol):
    """Where decisions go. `record` must not block: it is called on the way of the answer."""

    def record(self, decision: Decision) -> None: ...
