"""What a policy hands the engine: which backends are asked, in which order, and when an answer is good enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from visionrouter.schema.decision import OnError
from visionrouter.schema.errors import SchemaError

Otherwise = Literal["abstain", "best_effort"]
"""What is answered when nothing passed: nothing, or the best there is, marked as not vouched for."""
Gate = Literal["limits", "always", "evidence", "confidence", "risk"]
"""What judges an answer: the profile's limits of its backend, nothing, limits that the route gives itself, its
calibrated confidence, or a certificate."""
Uncertified = Literal["fall_back", "abstain", "limits"]
"""What becomes of an answer that no certificate covers: the next backend is asked, the route ends, or the profile's
limits judge it."""
OnDisagreement = Literal["fall_back", "abstain", "escalate"]
"""What becomes of an answer that a second backend contradicts: the next one is asked, the route ends, or a third
opinion decides."""
IfNone = Literal["accept", "fall_back"]
"""What becomes of an answer for which there is no second opinion worth hearing: it stands, with the note `unchecked`, or
the next backend is asked."""
ProbeName = Literal[
    "input_quality", "flip", "photometric", "seeds", "geometry", "votes", "presence", "cross_check"
]
"""Evidence beyond what an answer brings with it: see `visionrouter.confidence.probes`."""
_DISAGREED: Mapping[OnDisagreement, str] = {
    "fall_back": "the next is asked",
    "abstain": "the route ends",
    "escalate": "a third decides, and without one nobody is believed",
}
_UNHEARD: Mapping[IfNone, str] = {
    "accept": "the answer stands as unchecked",
    "fall_back": "the next is asked",
}
KIND_WORDS = ("generative", "specialist", "any")
"""What a `try` list may name instead of a backend: all of that kind."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The closed interval that a signal must lie in; a side that is None is open. Raises `SchemaError` where empty."""

    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        low = -math.inf if self.min is None else self.min
        high = math.inf if self.max is None else self.max
        if self.min is None and self.max is None:
            raise SchemaError("Limit: bounds nothing; give min, max or both")
        if not low <= high:
            raise SchemaError(f"Limit: no number is from min {self.min} to max {self.max}; swap or mend them")

    def __str__(self) -> str:
        if self.min is None:
            return f"at most {self.max:g}"
        return f"at least {self.min:g}" if self.max is None else f"from {self.min:g} to {self.max:g}"

    def holds(self, value: float) -> bool:
        """True when `value` lies inside; NaN never does."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


Limits = Mapping[str, Limit]
"""Signal name to the limit it must hold; all of them must."""


def limits_in_words(limits: Limits) -> str:
    """ "score at least 0.5, familiarity at most 1"."""
    return ", ".join(f"{name} {limit}" for name, limit in limits.items())


@dataclass(frozen=True, slots=True)
class Opinion:
    """What makes a backend's answer a second opinion on another's, and when it speaks for it.

    `counts`: what its own evidence must keep; none, and it always counts. `agrees`: what `merge.compare(theirs, its)` must
    find, or it contradicts; None stands for the rules of thumb in `confidence.agreement`. `backs`: what it must find to
    make up for limits that the other's answer does not keep, or has none of; None, and it never does.

    One who knows too little to be vouched for may know enough to contradict; and two of such who err apart, and say the
    same, are seldom both wrong.
    """

    counts: Limits
    agrees: Limits | None = None
    backs: Limits | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """When an answer is good enough.

    `evidence` is set for the gate of that name alone, and `confidence` (the least) likewise. For `risk`, an answer needs
    a certificate that the share of bad ones among the accepted is at most `alpha`, with confidence 1 - `delta`.
    """

    gate: Gate = "limits"
    evidence: Limits = field(default_factory=dict, hash=False)
    confidence: float = 0.0
    alpha: float = 0.0
    delta: float = 0.0


BY_LIMITS = Accept("limits")
ALWAYS = Accept("always")


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a `try` list: the name of a backend, or `generative`, `specialist` or `any` for all of that kind.

    `accept` is None where the route's own holds.
    """

    backend: str
    accept: Accept | None = None

    def selects(self, name: str, kind: str) -> bool:
        """True when this entry means the backend `name` of `kind`."""
        return self.backend in (name, kind, "any")


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """A second backend is asked the same before the first one's answer counts.

    `backend`: a name, or `generative`, `specialist` or `any` for the first of that kind that is not the one checked. It
    counts only where its own answer keeps the limits or the calibration that the profile has for it; `if_none` says what
    happens where nobody does. A second opinion that fails on the way is never passed over: the next backend is asked.
    """

    backend: str
    on_disagreement: OnDisagreement = "fall_back"
    if_none: IfNone = "fall_back"

    def __str__(self) -> str:
        return (
            f"where the second opinion disagrees, {_DISAGREED[self.on_disagreement]}; "
            f"where nobody can give one, {_UNHEARD[self.if_none]}"
        )


@dataclass(frozen=True, slots=True)
class Regions:
    """Mending a dense answer that was not accepted, where it is in doubt, with the next backend's.

    A pixel is in doubt below a confidence of `below`. Spots smaller than `min_share` of the image do not count; above
    `max_share` in all, or more than `max_count` regions, the answer is replaced as a whole instead.
    """

    below: float = 0.5
    max_share: float = 0.4
    max_count: int = 8
    min_share: float = 0.002


@dataclass(frozen=True, slots=True)
class Hedge:
    """Asking the next backend too where one is late: after `after_ms`, or, where that is None, after the time in which
    `percent` of 100 of its latest answers came. At most a share `budget` of requests is asked twice.
    """

    after_ms: float | None = None
    percent: int | None = None
    budget: float = 0.1

    def __str__(self) -> str:
        after = (
            f"{self.after_ms:g} ms"
            if self.percent is None
            else f"the time of {self.percent} % of its answers"
        )
        return f"where one is late, after {after}; at most {self.budget:.0%} of requests"


@dataclass(frozen=True, slots=True)
class Route:
    """What happens to a request.

    `try_`: asked in this order until one passes. `on_error`: what an attempt that raised does to the rest.
    `attempt_timeout_ms`: cap of one attempt. `reserve_ms`: of the deadline, what the first attempt must leave to those
    after it, which share it; or `reserve_share`: what each must leave to those after it, as a share of what is left.
    `deadline_ms`: budget of a request that brings none. `evidence`: probes paid for beyond what an answer brings. `check`: a second opinion on every answer. `regions`: None where a fallback is always whole. `merge`: all are asked,
    and what several of them vouch for is merged. `hedge`: None where nobody is asked before the one before has answered.
    """

    try_: tuple[Choice, ...]
    accept: Accept = BY_LIMITS
    on_error: OnError = "continue"
    otherwise: Otherwise = "abstain"
    attempt_timeout_ms: float | None = None
    reserve_ms: float = 0.0
    reserve_share: float = 0.0
    deadline_ms: float | None = None
    evidence: tuple[ProbeName, ...] = ()
    check: CrossCheck | None = None
    regions: Regions | None = None
    uncertified: Uncertified = "fall_back"
    merge: bool = False
    hedge: Hedge | None = None

    @property
    def reserve(self) -> str:
        """What of the deadline is kept for those who come later, in words; empty where nothing is."""
        if self.reserve_share:
            return f"each leaves {self.reserve_share:.0%} of what is left of the deadline to those after it"
        return (
            f"the first leaves {self.reserve_ms:g} ms of the deadline to those after it"
            if self.reserve_ms
            else ""
        )

    def kept_ms(self, place: int, stops: int, left_ms: float | None) -> float:
        """Of `left_ms` of the deadline (None without one), what the stop at `place` must leave to those after it: the
        first the reserve, a later one no more than their even share."""
        after = stops - place - 1
        if not after or left_ms is None:
            return 0.0
        kept_ms = self.reserve_ms + self.reserve_share * left_ms  # a policy sets one of them
        return min(kept_ms, left_ms * after / (after + 1)) if place else kept_ms
