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
Gate = Literal["limits", "always", "evidence"]
"""What judges an answer: the profile's limits of its backend, nothing, or limits that the route gives itself."""
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


@dataclass(frozen=True, slots=True)
class Accept:
    """When an answer is good enough. `evidence` is set for the gate of that name alone."""

    gate: Gate = "limits"
    evidence: Limits = field(default_factory=dict, hash=False)


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
class Route:
    """What happens to a request.

    `try_`: asked in this order until one passes. `on_error`: what an attempt that raised does to the rest.
    `attempt_timeout_ms`: cap of one attempt. `reserve_ms`: of the deadline, what an attempt must leave to those after
    it. `deadline_ms`: budget of a request that brings none.
    """

    try_: tuple[Choice, ...]
    accept: Accept = BY_LIMITS
    on_error: OnError = "continue"
    otherwise: Otherwise = "abstain"
    attempt_timeout_ms: float | None = None
    reserve_ms: float = 0.0
    deadline_ms: float | None = None
