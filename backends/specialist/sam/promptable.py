"""What the promptable generations share: masks of what boxes and points mark, or of everything, on kept embeddings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.specialist.checkpoint import Origin
from visionrouter.backends.specialist.sam import prompts
from visionrouter.backends.specialist.sam.decoder import Decoder, prompted
from visionrouter.backends.specialist.sam.embeddings import EmbeddingBackend
from visionrouter.backends.specialist.sam.everything import Grid, check_wordless, everything
from visionrouter.schema.image import Image
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

TASKS = frozenset({Task.PROMPTABLE, Task.INSTANCE})


class Promptable(EmbeddingBackend):
    """One mask for each box or for the thing that points mark; without prompts, masks of everything.

    Masks of everything come from a `grid` of points; they have no words, so a request that names a thing is refused. An
    image's embedding is kept over prompts.

    Signals of prompted masks, the worst of all: `predicted_iou` and `stability`; of everything: `score`, the least
    predicted IoU, and `count`. Notes: `empty:I`, mask I has no pixel; `points_outside:N`, N positive points lie in no
    box.
    """

    def __init__(self, spec: BackendSpec, origin: Origin, grid: Grid, embeddings_kept: int) -> None:
        self._grid = grid
        super().__init__(spec, origin, embeddings_kept)

    @abstractmethod
    def encode(self, model: Any, images: list[Image]) -> list[Any]:
        """One embedding an image."""

    @abstractmethod
    def decoder(self, model: Any, embedded: Any, image: Image) -> Decoder:
        """What answers prompts on an image's embedding."""

    def answer(self, model: Any, queries: Sequence[Query]) -> list[Prediction]:
        name = self.spec.name
        for query in queries:
            if query.task is Task.PROMPTABLE:
                prompts.read(query.prompts, name)
            else:
                check_wordless(query, name)
        images = [query.image for query in queries]
        embedded = self._embeddings.of(images, lambda new: self.encode(model, new))
        answers = []
        for query, one in zip(queries, embedded, strict=True):
            decoder = self.decoder(model, one, query.image)
            answers.append(
                prompted(decoder, query, name)
                if query.task is Task.PROMPTABLE
                else everything(decoder, query.image, self._grid)
            )
        return answers
