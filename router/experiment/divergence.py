"""How far two arms' answers to one request are apart."""

from __future__ import annotations

from collections.abc import Iterator

from visionrouter.confidence.agreement import AGREEMENT, disagreements
from visionrouter.merge.compare import compare
from visionrouter.schema.decision import Comparison, Divergence
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import Composite, Payload
from visionrouter.schema.result import Result
from visionrouter.schema.task import Task

_TASKS = {"things": Task.DETECT, "depth": Task.DEPTH}
"""What the parts of a composite answer, by their names."""


def diverges(answer: Result, shadow: Result) -> Divergence:
    """Compare a shadow's answer with the one that was given, by the limits of `confidence.agreement`."""
    by = _makers(answer), _makers(shadow)
    if answer.payload is None or shadow.payload is None:
        silent = answer.payload is None and shadow.payload is None
        return Divergence(Comparison.NEITHER_ANSWERED if silent else Comparison.ONE_ANSWERED, *by)
    signals: dict[str, float] = {}
    said: list[str] = []
    try:
        for name, task, one, other in _pairs(answer.task, answer.payload, shadow.payload):
            found = compare(one, other).signals
            signals |= {name + key: value for key, value in found.items()}
            said += [name + words for words in disagreements(AGREEMENT[task], found)]
    except SchemaError as error:
        return Divergence(Comparison.INCOMPARABLE, *by, detail=(str(error),))
    return Divergence(Comparison.DISAGREE if said else Comparison.AGREE, *by, signals, tuple(said))


def _makers(result: Result) -> str:
    return "+".join(result.sources) or "none"


def _pairs(task: Task, answer: Payload, shadow: Payload) -> Iterator[tuple[str, Task, Payload, Payload]]:
    """What is compared: prefix of its signals, task, both answers. Of composites the parts they were joined from."""
    if isinstance(answer, Composite) and isinstance(shadow, Composite):
        for name, part in answer.parts.items():
            yield f"{name}.", _TASKS[name], part, shadow.parts[name]
    else:
        yield "", task, answer, shadow
