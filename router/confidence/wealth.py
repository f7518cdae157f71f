"""A gambler against a null hypothesis, who may come late: the e-process under both drift watches.

Capital starts at 1 and is spread over several bets. Under the null no bet has an expected factor over 1, so capital is
a nonnegative supermartingale and, by Ville's inequality, P(it ever reaches 1/delta) <= delta, however often one looks.

A gambler who bets from the first step on is ruined by a long quiet time before any drift begins. This one lays in a
share 1 / (t (t + 1)) of the initial capital at step t and keeps the rest in cash: a mixture over starting times, which
keeps the guarantee and finds a drift that begins at step t at the price of a factor of about t^2.
`jump` moves that share of what is in play evenly over the bets at each step (the Simple Jumper of Vovk et al. 2021,
arXiv 2102.10439), so that the bets can follow a drift that changes.
"""

from __future__ import annotations

from collections.abc import Sequence


class Wealth:
    """Capital over `bets` bets.: what is `in_play` on each after `steps`, and the `total` with the cash."""

    __slots__ = ("in_play", "jump", "steps")

    def __init__(self, bets: int, jump: float = 0.0) -> None:
        self.in_play = [0.0] * bets
        self.jump = jump
        self.steps = 0

    @property
    def total(self) -> float:
        return sum(self.in_play) + 1 / (self.steps + 1)

    def step(self, factors: Sequence[float]) -> float:
        """Lay in this step's share, let bets jump, pay each its factor (>= 0, mean <= 1 under the null)."""
        self.steps += 1
        bets = len(self.in_play)
        spread = (self.jump * sum(self.in_play) + 1 / (self.steps * (self.steps + 1))) / bets
        stay = 1 - self.jump
        self.in_play = [(stay * c + spread) * f for c, f in zip(self.in_play, factors, strict=True)]
        return self.total
