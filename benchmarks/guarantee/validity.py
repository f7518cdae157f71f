"""How often a method's threshold breaks its promise, and what it accepts, over calibrations drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visionrouter.benchmarks.guarantee.populations import Population, mixed, shifted
from visionrouter.confidence.bounds import F64, clopper_pearson, crc_joint_threshold
from visionrouter.confidence.certify import ltt_threshold

Rule = Callable[[F64, F64, float, float], float | None]
"""(confidence, loss, alpha, delta) to a threshold, or None."""

SURE = 0.001
"""A share of violations is called over delta only where its own Clopper-Pearson bound at this level is."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One method on one population: of `draws` calibrations, in `violations` the true risk of the accepted was over alpha.

    `low`, `high`: the 99.8 % Clopper-Pearson interval of the violated share. `coverage` and `joint` (true risk of being
    accepted and wrong) are means over draws, where nothing certified accepts nothing; `best` is the most that could be
    accepted within alpha.
    """

    population: str
    method: str
    n: int
    draws: int
    violations: int
    infeasible: int
    coverage: float
    best: float
    joint: float

    @property
    def share(self) -> float:
        return self.violations / self.draws

    @property
    def low(self) -> float:
        return 1 - clopper_pearson(self.draws - self.violations, self.draws, SURE)

    @property
    def high(self) -> float:
        return clopper_pearson(self.violations, self.draws, SURE)

    def keeps(self, delta: float) -> bool:
        """False where the violated share is over delta beyond doubt."""
        return self.low <= delta


def empirical(confidence: F64, loss: F64, alpha: float) -> float | None:
    """No bound: the lowest threshold whose accepted calibration items show a risk <= alpha."""
    order = np.argsort(-confidence, kind="stable")
    fits = np.flatnonzero(np.cumsum(loss[order]) <= alpha * np.arange(1, len(loss) + 1))
    return float(confidence[order][fits[-1]]) if fits.size else None


METHODS: dict[str, Rule] = {
    "ltt-binomial": lambda c, y, a, d: ltt_threshold(c, y, alpha=a, delta=d),
    "ltt-hb": lambda c, y, a, d: ltt_threshold(c, y, alpha=a, delta=d, method="ltt-hb"),
    "crc-joint (another promise)": lambda c, y, a, _: crc_joint_threshold(c, y, a),
    "empirical (no bound)": lambda c, y, a, _: empirical(c, y, a),
}


def check(
    population: Population, method: str, *, n: int, draws: int, alpha: float, delta: float, seed: int
) -> Kept:
    """Draw `draws` calibrations of n items and hold each threshold against the truth."""
    rng = np.random.default_rng(seed)
    violations = infeasible = 0
    coverage = joint = 0.0
    for _ in range(draws):
        threshold = METHODS[method](*population.draw(n, rng), alpha, delta)
        if threshold is None:
            infeasible += 1
            continue
        risk, covered = population.truth(threshold)
        violations += risk > alpha
        coverage += covered
        joint += risk * covered
    return Kept(
        population.name,
        method,
        n,
        draws,
        violations,
        infeasible,
        coverage / draws,
        population.best_coverage(alpha),
        joint / draws,
    )


def check_shift(*, n: int, draws: int, alpha: float, delta: float, seed: int) -> tuple[Kept, Kept]:
    """Calibrated on nine clear days to each rainy one, used on one to nine: one certificate for all, and one a group.

    With groups, n items of each and delta / 2 for each, so that both statements hold together.
    """
    rng = np.random.default_rng(seed)
    parts = shifted(rng)
    before, after = mixed("before", parts, (9, 1)), mixed("clear to rain", parts, (1, 9))
    shares = (0.1, 0.9)
    broken = {"all": 0, "groups": 0}
    none = {"all": 0, "groups": 0}
    coverage = {"all": 0.0, "groups": 0.0}
    joint = {"all": 0.0, "groups": 0.0}
    for _ in range(draws):
        one = ltt_threshold(*before.draw(n, rng), alpha=alpha, delta=delta)
        each = [ltt_threshold(*part.draw(n, rng), alpha=alpha, delta=delta / 2) for part in parts]
        for name, thresholds in (("all", [one, one]), ("groups", each)):
            truths = [
                (0.0, 0.0) if t is None else part.truth(t) for t, part in zip(thresholds, parts, strict=True)
            ]
            covered = sum(share * c for share, (_, c) in zip(shares, truths, strict=True))
            wrong = sum(share * r * c for share, (r, c) in zip(shares, truths, strict=True))
            none[name] += covered == 0
            broken[name] += wrong > alpha * covered
            coverage[name] += covered
            joint[name] += wrong
    best = after.best_coverage(alpha)
    first, second = (
        Kept(after.name, label, n, draws, broken[k], none[k], coverage[k] / draws, best, joint[k] / draws)
        for k, label in (("all", "ltt-binomial, one for all"), ("groups", "ltt-binomial, one a group"))
    )
    return first, second
