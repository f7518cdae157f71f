"""What backends made of other backends share: one spec out of several, asking a part, naming its signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from visionrouter.backends.base import Backend, BackendSpec, Kind, Reuse, Weights
from visionrouter.backends.weights import combined_digest
from visionrouter.schema.errors import BackendError, ProfileError
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

_STRICTNESS = ("MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "AGPL-3.0", "non-commercial")
"""Licences from the freest to the strictest; one that is not listed counts as stricter than all."""


class Chain(Backend):
    """A backend made of parts, which it loads and closes.

    A part that also works on its own must stand being called from two threads, as the embedded ones do; give the chain
    its own instance of any other.
    """

    _parts: Sequence[Backend]

    @property
    def reuse(self) -> Reuse | None:
        found = [part.reuse for part in self._parts if part.reuse is not None]
        return Reuse(sum(f.hits for f in found), sum(f.misses for f in found)) if found else None

    def load(self) -> None:
        for part in self._parts:
            part.load()

    def close(self) -> None:
        for part in self._parts:
            part.close()

    def sources(self) -> tuple[Weights, ...]:
        return tuple(dict.fromkeys(weights for part in self._parts for weights in part.sources()))

    def unavailable(self) -> str | None:
        return next((why for part in self._parts if (why := part.unavailable())), None)


def check_parts(chain: str, needs: Sequence[tuple[str, Backend, Task]]) -> None:
    """Raise `ProfileError` for a part (role, backend, task) that lacks its task."""
    for role, part, task in needs:
        if task not in part.spec.tasks:
            raise ProfileError(
                f"the {role} of a {chain} must do {task}; {part.spec.name} does not, name another"
            )


def compose(name: str, kind: Kind, tasks: frozenset[Task], parts: Sequence[BackendSpec]) -> BackendSpec:
    """The spec of a chain: the first part's vocabulary, the strictest licence, and sums of what is spent."""
    digests = {part.name: part.weights_digest for part in parts if part.weights_digest is not None}
    return BackendSpec(
        name=name,
        kind=kind,
        tasks=tasks,
        licence=strictest([part.licence for part in parts]),
        labels=parts[0].labels,
        weights_digest=combined_digest(digests) if digests else None,
        weights_bytes=sum(part.weights_bytes for part in parts),
        cost=sum(part.cost for part in parts),
        memory_mb=sum(part.memory_mb for part in parts),
        extra=next((part.extra for part in parts if part.extra), None),
        requires=tuple(dict.fromkeys(module for part in parts for module in part.requires)),
        version="+".join(part.version for part in parts),
    )


def strictest(licences: Sequence[str]) -> str:
    """The licence that binds hardest."""
    order = {licence: rank for rank, licence in enumerate(_STRICTNESS)}
    return max(licences, key=lambda licence: order.get(licence, len(order)))


def ask(part: Backend, query: Query) -> Prediction:
    """One part's answer to one query."""
    (prediction,) = part.predict([query])
    return prediction


def masks_for(segmenter: Backend, prediction: Prediction, boxes: int) -> Segmentation:
    """The segmenter's masks, one for each of `boxes`. Raises `BackendError` where it gave something else."""
    found = prediction.payload
    if not isinstance(found, Segmentation) or len(found) != boxes:
        raise BackendError(f"{segmenter.spec.name} did not answer one mask for each of {boxes} boxes")
    return found


def score_as(name: str, signals: Mapping[str, float]) -> dict[str, float]:
    """A part's signals beside another's: its `score` goes by another name."""
    return {name if key == "score" else key: value for key, value in signals.items()}
