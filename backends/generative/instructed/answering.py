"""A query's drawings for an open-vocabulary model, and the way back from them to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visionrouter.backends.generative.asks import Ask
from visionrouter.backends.generative.codecs.codes import Codes
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.instructed.asking import MOST_CLASSES, ballots, plan
from visionrouter.backends.generative.instructed.voting import tally
from visionrouter.backends.generative.instructed.wording import Wording
from visionrouter.backends.generative.reading import read
from visionrouter.schema.arrays import U8
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A query made ready to draw. `rounds`: several where colours are put to the vote, each with the same classes."""

    query: Query
    frame: Frame
    rounds: tuple[tuple[Ask, ...], ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, query: Query, frame: Frame, wording: Wording, votes: int = 1, most_classes: int = MOST_CLASSES
    ) -> Job:
        """Raises `UnsupportedTargetError` where nothing is named that could be drawn."""
        planned = plan(query, wording, most_classes)
        if query.task is Task.SEMANTIC and votes > 1:
            return cls(query, frame, ballots(query, wording, votes, most_classes), planned.notes)
        return cls(query, frame, (planned.asks,), planned.notes)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Every drawing, round by round."""
        return tuple(ask for asks in self.rounds for ask in asks)

    def answer(
        self, drawings: Sequence[U8], codes: Codes, more: dict[str, float] | None = None
    ) -> Prediction:
        """Read `drawings`, uint8 of the canvas' size, one for each of `asks`. `more`: signals of the backend's own."""
        inner = [np.ascontiguousarray(self.frame.crop(drawing)) for drawing in drawings]
        if len(self.rounds) > 1:
            each = len(self.rounds[0])
            turns = [inner[i : i + each] for i in range(0, len(inner), each)]
            reading = tally(self.rounds, turns).reading(self.frame)
        else:
            reading = read(self.query.task, self.rounds[0], inner, self.frame, codes)
        return Prediction(
            reading.payload,
            Evidence({**reading.signals, **(more or {})}, reading.confidence_map),
            np.concatenate(inner),
            (*self.notes, *reading.notes),
        )
