"""Certificates: a threshold on confidence and what was proven of the answers that pass it, or that nothing could be.

How they are made, and why that is valid, is in `visionrouter.confidence.certify`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from visionrouter.confidence.scope import Digests, Scope
from visionrouter.schema.decision import Risk

Method = Literal["ltt-binomial", "ltt-hb", "crc-joint"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Accept where confidence >= `threshold`, and `statement` holds for items exchangeable with the calibration items.

    Of `n` calibration items `accepted` passed, with losses that sum to `bad`. `bound` is the upper bound on their risk
    that is dual to the last test (Clopper-Pearson or Hoeffding-Bentkus), so it is <= `alpha`: read it as "<= alpha was
    shown", not as a bound that could have been asked for at any threshold. For `crc-joint`, `bound` is
    (bad + 1) / (n + 1), in expectation, and `delta` is None. `group` is the (tag, value) it is for, None for everything.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}

    scope: Scope
    method: Method
    alpha: float
    delta: float | None
    threshold: float
    n: int
    accepted: int
    bad: float
    bound: float
    digests: Digests
    group: tuple[str, str] | None = None
    made_by: str = ""

    def accepts(self, confidence: float) -> bool:
        """False for NaN."""
        return confidence >= self.threshold

    def risk(self, certificate: str) -> Risk | None:
        """What a result accepted under it may say of its risk; `certificate` names the file, by its digest.

        The bound is alpha: what was proven, whatever lower `bound` the last test showed. None for `crc-joint`, which
        bounds no risk of what is accepted.
        """
        if self.delta is None:
            return None
        return Risk(self.alpha, self.alpha, self.delta, certificate, self.scope.bad_is)

    @property
    def coverage(self) -> float:
        """Share of the calibration items that passed."""
        return self.accepted / self.n

    @property
    def empirical_risk(self) -> float:
        """Mean loss of those that passed; for `crc-joint` their summed loss over all items."""
        return self.bad / (self.n if self.method == "crc-joint" else self.accepted)

    def __str__(self) -> str:
        return f"{_where(self.scope, self.group)}: {self.statement}"

    @property
    def statement(self) -> str:
        """What is certified, in one sentence."""
        if self.delta is None:
            return (
                f"accepted and wrong at most {self.alpha:.4g} of the time on average (joint risk, not the risk of what "
                f"is accepted); {self.accepted} of {self.n} calibration items pass"
            )
        return (
            f"of what is accepted at most {self.alpha:.4g} is wrong, with certainty {1 - self.delta:.4g}; "
            f"{self.accepted} of {self.n} calibration items pass, {self.bad:.4g} of them bad"
        )


@dataclass(frozen=True, slots=True)
class Infeasible:
    """No threshold could be certified, and what it would take.

    `least_n` accepted items, none bad, are needed at this alpha and delta; `best_alpha` is about the lowest alpha (in
    steps of 5 %) that these items support. Having been read off the losses, it is advice for the next sample and no
    statement about this one; None where none below 1 is supported.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}

    scope: Scope
    method: Method
    alpha: float
    delta: float | None
    n: int
    least_n: int
    best_alpha: float | None
    group: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{_where(self.scope, self.group)}: {self.statement}"

    @property
    def statement(self) -> str:
        """Why nothing is certified and what it would take, in one sentence."""
        level = f"alpha {self.alpha:.4g}" + ("" if self.delta is None else f" and delta {self.delta:.4g}")
        if self.n < self.least_n:
            why = f"it takes at least {self.least_n} items, all accepted and none bad, and there are {self.n}"
        else:
            why = f"the {self.n} items are too few for the share of them that is bad, even where confidence is highest"
        mend = (
            "" if self.best_alpha is None else f"; items like these could support alpha {self.best_alpha:.2g}"
        )
        return f"nothing can be certified at {level}: {why}{mend}"


def certificate_for(
    outcomes: Sequence[Certificate | Infeasible], tags: Mapping[str, str]
) -> Certificate | Infeasible | None:
    """What covers an item with these tags.

    An item that bears a tag by which groups were certified is covered by its own group alone: where that was infeasible
    or never seen, no certificate for everything stands in. Only an item without such a tag falls to the latter.
    """
    grouped = [outcome for outcome in outcomes if outcome.group is not None and outcome.group[0] in tags]
    if grouped:
        return next((o for o in grouped if o.group is not None and tags[o.group[0]] == o.group[1]), None)
    return next((outcome for outcome in outcomes if outcome.group is None), None)


def _where(scope: Scope, group: tuple[str, str] | None) -> str:
    return str(scope) if group is None else f"{scope}, {group[0]} {group[1]}"
