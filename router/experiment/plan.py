"""What a comparison asks, fixed before the data is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

from visionrouter.experiment.bootstrap import Metric
from visionrouter.schema.errors import ExperimentError


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that B may worsen by at most `margin`. `bound`: live, differences are cut off at +-`bound`."""

    metric: Metric
    margin: float
    bound: float = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked, fixed before the data is looked at.

    `margin`: primary differences smaller than this do not matter (0: all do). `bad`: a primary value above it (below, for
    a metric that is better high) is a failure, for McNemar's test. `live`: the data grows and is looked at meanwhile, so
    only always-valid evidence counts; primary values lie in [0, `bound`]. Guardrails are tested at `alpha` under Holm.
    """

    primary: Metric
    guardrails: tuple[Guardrail, ...] = ()
    margin: float = 0.0
    alpha: float = 0.05
    bad: float | None = None
    live: bool = False
    bound: float = 1.0
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ExperimentError(f"alpha is {self.alpha}; give a number between 0 and 1")
        bounds = [self.bound, *(guard.bound for guard in self.guardrails)]
        margins = [self.margin, *(guard.margin for guard in self.guardrails)]
        if not all(margin >= 0 and math.isfinite(margin) for margin in margins):
            raise ExperimentError("a margin is how much worse is still good enough: a number of at least 0")
        if self.live and not all(0 <= m < b for m, b in zip(margins, bounds, strict=True)):
            raise ExperimentError("live, a margin must be smaller than the metric's bound")
        if self.live and any(
            m.statistic != "mean" for m in (self.primary, *(g.metric for g in self.guardrails))
        ):
            raise ExperimentError("live, metrics are means: a quantile has no always-valid test here")
