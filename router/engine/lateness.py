"""How much later than it was to a wait comes back: the threads of a busy process take turns, and so do processes."""

from __future__ import annotations

_UP, _DOWN = 0.3, 0.03
"""Weight of a new lateness above, and below, what was known: about nine of ten are below."""
_MOST = 0.1
"""The most of a budget that is given to it."""


class Lateness:
    """Milliseconds by which waits that ran out of time lately came back late: quick to grow, slow to fall.

    Safe to use from several threads at once; of two learnt at once, one may be lost.
    """

    def __init__(self) -> None:
        self._ms = 0.0

    def learn(self, late_ms: float) -> None:
        """A wait that ran out of time came back so late."""
        self._ms += (_UP if late_ms > self._ms else _DOWN) * (late_ms - self._ms)

    def margin_ms(self, budget_ms: float) -> float:
        """By how much sooner to wait no longer, for the answer to be there in time; at most a tenth of the budget."""
        return min(self._ms, _MOST * budget_ms)
