"""Random audits: which decisions a person should look at, drawn by hash with a probability that the row keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from visionrouter.policies.assign import point
from visionrouter.schema.decision import Decision, Outcome
from visionrouter.schema.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Audit:
    """Draws a decision where point("audit:<salt>:<request id>") is under its probability.

    `share` holds for all outcomes but those in `by_outcome`. An estimate over what was drawn weights each decision by
    one over its probability (Horvitz-Thompson), so an outcome that is rare or risky may be drawn more often.
    """

    share: float = 0.0
    by_outcome: Mapping[Outcome, float] = field(default_factory=dict)
    salt: str = "audit"

    def __post_init__(self) -> None:
        for share in (self.share, *self.by_outcome.values()):
            if not 0 <= share <= 1:
                raise LedgerError(f"an audit share is {share}; give a probability from 0 to 1")

    def probability(self, decision: Decision) -> float:
        return self.by_outcome.get(decision.outcome, self.share)

    def draws(self, decision: Decision) -> bool:
        share = self.probability(decision)
        return share > 0 and point(f"audit:{self.salt}:{decision.request_id}") < share


NO_AUDIT = Audit()
