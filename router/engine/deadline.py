"""One budget of time for a whole request."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from visionrouter.schema.quick import quick_init


@quick_init
@dataclass(frozen=True, slots=True)
class Deadline:
    """Started at `start_s` (perf_counter); over after `budget_ms`, or never where that is None.

    `margin_ms` of it are kept for waits that come back late: what is left is told without them.
    """

    start_s: float
    budget_ms: float | None
    margin_ms: float = 0.0

    @staticmethod
    def of(budget_ms: float | None, start_s: float | None = None, margin_ms: float = 0.0) -> Deadline:
        """A budget that runs from now on, or that began at `start_s`."""
        return Deadline(perf_counter() if start_s is None else start_s, budget_ms, margin_ms)

    def elapsed_ms(self) -> float:
        return (perf_counter() - self.start_s) * 1000

    def left_ms(self) -> float | None:
        """What is left, never below 0; None without a budget."""
        if self.budget_ms is None:
            return None
        return max(0.0, self.budget_ms - self.margin_ms - self.elapsed_ms())

    def cap_ms(self, limit_ms: float | None, reserve_ms: float = 0.0) -> float | None:
        """The most an attempt may take: what is left less the reserve, and no more than `limit_ms`."""
        left = self.left_ms()
        if left is None:
            return limit_ms
        left = max(0.0, left - reserve_ms)
        return left if limit_ms is None else min(left, limit_ms)
