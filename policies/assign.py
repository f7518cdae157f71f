"""Which arm of an experiment a unit belongs to: by sha256 alone, so that any machine, in any language, says the same.

Arms are picked by weighted rendezvous: each arm draws an exponential waiting time -ln(u) / weight from the hash of
(salt, arm, unit), and the least wins. Times of different arms are independent, so an arm wins with probability weight /
sum of weights. A weight that grows shortens that arm's times and no other's, so units only move to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import inf, log
from typing import Any

from visionrouter.policies.expression import Binding, Expression, Value
from visionrouter.schema.decision import VariantReason
from visionrouter.schema.request import Request

_SCALE = 2.0**-52


def point(text: str) -> float:
    """A number in (0, 1): the first 13 hex digits of sha256 over the UTF-8 of `text`, plus a half, over 2^52."""
    return _point(text.encode("utf-8", "surrogatepass"))


def _point(raw: bytes) -> float:
    return ((int.from_bytes(sha256(raw).digest()[:7]) >> 4) + 0.5) * _SCALE


def pick(salt: str, weights: Mapping[str, float], unit: str) -> str:
    """The arm of `unit`: the least -ln(point("arm:<salt>:<arm>:<unit>")) / weight. Arms of weight 0 are never picked."""
    drawn = Draw.of(salt, weights)
    return drawn.arm(unit.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Draw:
    """The arms of one salt, made ready."""

    arms: tuple[tuple[str, bytes, float], ...]

    @staticmethod
    def of(salt: str, weights: Mapping[str, float]) -> Draw:
        return Draw(tuple((a, f"arm:{salt}:{a}:".encode(), w) for a, w in weights.items() if w > 0))

    def arm(self, unit: bytes) -> str:
        first, least = "", inf
        for arm, prefix, weight in self.arms:
            waits = -log(_point(prefix + unit)) / weight
            if waits < least:
                first, least = arm, waits
        return first


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a request stands. `variant` is the arm that answers, None where the policy's own rules do.

    `shadows` are the arms that run beside the answer, to be compared with it.
    """

    experiment: str | None = None
    variant: str | None = None
    reason: VariantReason = VariantReason.NO_EXPERIMENT
    unit: str | None = None
    shadows: tuple[str, ...] = ()


UNASSIGNED = Assignment()


@dataclass(frozen=True, slots=True)
class Segment:
    """The part [start, end) of a namespace's units that is an experiment's."""

    namespace: str
    start: float = 0.0
    end: float = 1.0

    def holds(self, unit: bytes) -> bool:
        if self.start <= 0 and self.end >= 1:
            return True
        return self.start <= _point(b"namespace:" + self.namespace.encode() + b":" + unit) < self.end


class CompiledExperiment:
    """An experiment ready to run. Immutable but for its kill switch, `stopped`, which any thread may throw."""

    __slots__ = ("_arms", "_draw", "_holdout_prefix", "_new_values", "_shadow_prefix", "eligible", "holdout", "name",
                 "segment", "shadow", "stopped", "unit")  # fmt: skip

    def __init__(
        self,
        name: str,
        salt: str,
        weights: Mapping[str, float],
        unit: Value,
        *,
        eligible: Expression | None = None,
        segment: Segment | None = None,
        holdout: float = 0.0,
        shadow: float = 0.0,
        stopped: bool = False,
    ) -> None:
        self.name = name
        self.unit = unit
        self.eligible = eligible
        self.segment = segment
        self.holdout = holdout
        self.shadow = shadow
        self.stopped = stopped
        self._arms = tuple(weights)
        self._draw = Draw.of(salt, weights)
        self._holdout_prefix = f"holdout:{salt}:".encode()
        self._shadow_prefix = f"shadow:{salt}:".encode()
        self._new_values: Any = (
            _context_class() if eligible is not None and eligible.rest is not None else None
        )

    def assign(self, request: Request, context: Mapping[str, object]) -> Assignment:
        """Never raises for what a request lacks: the reason says why it is in no arm."""
        if self.stopped:
            return self._none(VariantReason.STOPPED)
        if self.eligible is not None and not self._is_eligible(self.eligible, request, context):
            return self._none(VariantReason.NOT_ELIGIBLE)
        unit = self.unit.of(request, context)
        if unit is None:
            return self._none(VariantReason.UNIT_MISSING)
        raw = unit.encode("utf-8", "surrogatepass")
        if self.segment is not None and not self.segment.holds(raw):
            return self._none(VariantReason.OUTSIDE_NAMESPACE, unit)
        if self.holdout and _point(self._holdout_prefix + raw) < self.holdout:
            return self._none(VariantReason.HOLDOUT, unit)
        arm = self._draw.arm(raw)
        shadows = (
            tuple(other for other in self._arms if other != arm)
            if self.shadow and _point(self._shadow_prefix + request.id.encode()) < self.shadow
            else ()
        )
        return Assignment(self.name, arm, VariantReason.SPLIT, unit, shadows)

    def _is_eligible(self, condition: Expression, request: Request, context: Mapping[str, object]) -> bool:
        if (request.instruction.task, request.criticality) not in condition.possible:
            return False
        if condition.rest is None:
            return True
        return Binding(request, context, self._new_values()).test(condition.rest, condition.needs) is True

    def _none(self, reason: VariantReason, unit: str | None = None) -> Assignment:
        return Assignment(self.name, None, reason, unit)


def _context_class() -> Any:
    import cel

    return cel.Context
