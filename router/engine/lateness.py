"""How much later than it was to a wait comes back: the threads of a busy process take turns, and so do processes."""

from __future__ import annotations

_FADES = 0.02
"""Share of what is known that goes with each wait that was less late: after fifty of them a third is left."""
_MOST_MS = 100.0
"""What is later tells of a machine that slept or swapped, not of turns."""
_MOST = 0.1
"""The most of a budget that is given to it."""


class Lateness:
    """Milliseconds by which waits that ran out of time lately came back late: the worst of them, slowly forgotten.

    Safe to use from several threads at once; of two learnt at once, one may be lost.
    """

    def __init__(self) -> None:
        self._ms = 0.0

    def learn(self, late_ms: float) -> None:
        """A wait that ran out of time came back so late."""
        late_ms = min(late_ms, _MOST_MS)
        self._ms = max(late_ms, self._ms + _FADES * (late_ms - self._ms))

    def margin_ms(self, budget_ms: float) -> float:
        """By how much sooner to wait no longer, for the answer to be there in time; at most a tenth of the budget."""
        return min(self._ms, _MOST * budget_ms)
