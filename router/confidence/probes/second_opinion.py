"""Does another backend say the same? Both may be wrong, so disagreement is a reason to doubt, not to change sides."""

from __future__ import annotations

from collections.abc import Sequence

from visionrouter.confidence.probes.agreement import agreed
from visionrouter.confidence.probes.consistency import ALL
from visionrouter.confidence.probes.probe import Finding, Probe, Role
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

PREFIX = "check"


class CrossCheck(Probe):
    """The same question to the route's second opinion. Of metric depths the fitted scale is a signal of its own: a
    good fit at the wrong scale is a metric error."""

    role, calls, tasks, prefix = Role.CHECKER, 1, ALL, PREFIX

    def questions(self, query: Query) -> tuple[Query, ...]:
        return (query,)

    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        return agreed(self.prefix, prediction.payload, [answer.payload for answer in answers])
