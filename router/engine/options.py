"""How lanes are run, and what they are doing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from visionrouter.backends.base import Reuse
from visionrouter.engine.breaker import BreakerCounts, BreakerOptions, BreakerState
from visionrouter.schema.errors import SchemaError


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How every lane is run. Raises `SchemaError` for what cannot be.

    `queue_limit`: jobs that may wait for one backend or run on it. `batch_wait_ms`: how long a batch that is not full
    waits for company. `fair_by`: the tag whose values take turns in a queue ("camera"). `hang_limit_ms`: how long a batch,
    or the reading of weights, may take before requests without a deadline give the backend up. `breaker`: when a backend
    is left alone.
    """

    queue_limit: int = 64
    batch_wait_ms: float = 0.0
    fair_by: str | None = None
    hang_limit_ms: float = 300_000.0
    breaker: BreakerOptions = field(default_factory=BreakerOptions)

    def __post_init__(self) -> None:
        if self.queue_limit < 1:
            raise SchemaError(f"queue_limit is {self.queue_limit}; a queue takes at least 1")
        if not 0 <= self.batch_wait_ms < 60_000:
            raise SchemaError(f"batch_wait_ms is {self.batch_wait_ms}; give 0 to 60000 milliseconds")
        if not 0 < self.hang_limit_ms < math.inf:
            raise SchemaError(f"hang_limit_ms is {self.hang_limit_ms}; give a number of milliseconds over 0")


@dataclass(frozen=True, slots=True)
class LaneState:
    """What a lane is doing now, and has done since the start.

    `waiting` and `running` count jobs now; `oldest_ms` is how long the first of the waiting has waited, `waited_ms` and
    `typical_ms` (None before the first) are running means of the wait and of a batch. Of jobs that came to nothing:
    `refused` at a full queue, `shed` out of it for others, `discarded` before they ran since nobody waited any more,
    `late` answered past their time. `restarts` counts processes replaced. `reuse`: what embeddings kept over
    prompts saved, None where the backend keeps none.
    """

    breaker: BreakerState
    calls: BreakerCounts
    waiting: int
    running: int
    oldest_ms: float
    waited_ms: float
    typical_ms: float | None
    refused: int
    shed: int
    discarded: int
    late: int
    restarts: int
    reuse: Reuse | None

    @property
    def pending(self) -> int:
        """Jobs waiting or running."""
        return self.waiting + self.running
