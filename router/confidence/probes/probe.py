"""What a probe is: the questions it has of an answer, and what it reads from the answers to those."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from visionrouter.schema.arrays import F32
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task


class Role(StrEnum):
    """Who a probe's questions go to."""

    NOBODY = "nobody"
    SELF = "self"  # the backend whose answer it is
    CHECKER = "checker"  # the route's second opinion
    DETECTOR = "detector"  # another backend that detects


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a probe found: `signals`, finite numbers by name, and `trust`, float32 (H, W) in [0, 1] at the image's size
    or None, which multiplies the answer's confidence map."""

    signals: Mapping[str, float] = field(default_factory=dict)
    trust: F32 | None = None


class Probe(ABC):
    """One kind of further evidence.

    `role`: who is asked. `calls`: most questions an answer costs. `tasks`: those it says something about. Every signal
    it gives begins with its `prefix`.
    """

    role: Role
    calls: int
    tasks: frozenset[Task]
    prefix: str

    @abstractmethod
    def questions(self, query: Query) -> tuple[Query, ...]:
        """What to ask, at most `calls` questions; none where there is nothing to be learnt."""

    @abstractmethod
    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        """The evidence, from the answers to all of the `questions`, in order."""
