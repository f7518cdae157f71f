"""A backend around another that answers one query at a time, and otherwise is as the inner one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from visionrouter.backends.base import Backend
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query


class Around(Backend):
    """`answer` says what becomes of each query."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.spec = inner.spec

    def load(self) -> None:
        self.inner.load()

    def unavailable(self) -> str | None:
        return self.inner.unavailable()

    def close(self) -> None:
        self.inner.close()

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self.answer(query) for query in queries]

    @abstractmethod
    def answer(self, query: Query) -> Prediction: ...
