"""Segment Anything 2 and the promptable half of 3, by transformers.

Ravi et al. 2024 (arXiv 2408.00714), Carion et al. 2025 (arXiv 2511.16719).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from visionrouter.backends.base import BackendSpec, Reuse
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin, in_batches
from visionrouter.backends.specialist.pretrained import (
    EXTRA,
    REQUIRES,
    Pretrained,
    check_family,
    finite,
    fixed_size,
)
from visionrouter.backends.specialist.sam import prompts
from visionrouter.backends.specialist.sam.embeddings import Embeddings
from visionrouter.backends.specialist.sam.prompts import AT_ONCE, Ask, Masked
from visionrouter.schema.image import Image
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from torch import Tensor


class Sam2(CheckpointBackend):
    """One mask for each box, or one for the thing that points mark, by SAM 2. An image's embedding is kept over prompts.

    The picture is stretched to a square. Signals, the worst of all masks: `predicted_iou` and `stability`. Notes:
    `empty:I`, mask I has no pixel; `points_outside:N`, N positive points lie in no box.
    """

    name: ClassVar[str] = "sam2"
    families: ClassVar[tuple[str, ...]] = ("sam2", "sam2_video")
    usual: ClassVar[str] = "facebook/sam2.1-hiera-tiny"
    model: ClassVar[str] = "Sam2Model"
    processor: ClassVar[str] = "Sam2ImageProcessor"

    def __init__(
        self,
        *,
        source: str | None = None,
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        embeddings_kept: int = 4,
        batch_limit: int = 4,
    ) -> None:
        """`source`: a hub id or a folder (default: the family's usual model)."""
        self._embeddings: Embeddings[list[Tensor]] = Embeddings(embeddings_kept)
        spec = BackendSpec(
            name=self.name,
            kind="specialist",
            tasks=frozenset({Task.PROMPTABLE}),
            licence="unknown",
            batch_limit=batch_limit,
            cost=4.0,
            memory_mb=900,
            needs_prompts=True,
            extra=EXTRA,
            requires=REQUIRES,
        )
        super().__init__(spec, Origin(source or self.usual, revision, device, precision, licence))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        check_family(folder, self.name, self.families)
        return {"input_size": fixed_size(folder)}

    def open(self, folder: Path, device: Any, dtype: Any) -> Pretrained:
        return Pretrained.open(folder, self.name, device, dtype, model=self.model, processor=self.processor)

    @property
    def reuse(self) -> Reuse:
        return self._embeddings.reuse

    def close(self) -> None:
        self._embeddings.clear()
        super().close()

    def answer(self, model: Pretrained, queries: Sequence[Query]) -> list[Prediction]:
        asked = [prompts.read(query.prompts, self.spec.name) for query in queries]
        embedded = self._embeddings.of(
            [query.image for query in queries], lambda new: self._encode(model, new)
        )
        answers = []
        for query, asks, features in zip(queries, asked, embedded, strict=True):

            def decode(
                part: list[Ask], query: Query = query, features: list[Tensor] = features
            ) -> list[Masked]:
                return self._decode(model, query.image, features, part)

            masked = in_batches(asks.asks, lambda ask: ask.form, decode)
            answers.append(prompts.as_prediction(query, masked, asks.notes))
        return answers

    def _encode(self, model: Pretrained, images: list[Image]) -> list[list[Tensor]]:
        import torch

        seen = torch.cat([model.see(image.pixels)["pixel_values"] for image in images])
        levels = [finite(level, self.spec.name) for level in model.model.get_image_embeddings(seen)]
        return [[level[i : i + 1] for level in levels] for i in range(len(images))]

    def _decode(
        self, model: Pretrained, image: Image, features: list[Tensor], asks: list[Ask]
    ) -> list[Masked]:
        """Masks of prompts of one form."""
        import torch

        side = model.model.prompt_encoder.input_image_size
        scale = np.array([side / image.width, side / image.height], np.float32)
        found: list[Masked] = []
        for first in range(0, len(asks), AT_ONCE):
            part = asks[first : first + AT_ONCE]
            given: dict[str, Any] = {}
            if part[0].kinds:
                points = np.stack([ask.points for ask in part]) * scale
                given["input_points"] = torch.from_numpy(points)[None].to(model.device)
                given["input_labels"] = torch.tensor([[ask.kinds for ask in part]], device=model.device)
            if part[0].box is not None:
                boxes = np.stack([ask.box.reshape(2, 2) * scale for ask in part if ask.box is not None])
                given["input_boxes"] = torch.from_numpy(boxes).reshape(1, -1, 4).to(model.device)
            output = model.model(image_embeddings=features, multimask_output=part[0].ambiguous, **given)
            masks, iou = output.pred_masks[0].float(), output.iou_scores[0].float()
            rows, best = torch.arange(len(part), device=iou.device), iou.argmax(1)
            chosen = finite(masks[rows, best], self.spec.name)[:, None]
            sizes = [(image.height, image.width)]
            (large,) = model.processor.post_process_masks([chosen], sizes, binarize=False)
            logits = large[:, 0].cpu().numpy()
            found += [
                Masked(mask, score) for mask, score in zip(logits, iou[rows, best].tolist(), strict=True)
            ]
        return found


class Sam3Tracker(Sam2):
    """One mask for each box, or one for the thing that points mark, by the tracker of SAM 3, whose checkpoint holds it
    beside the model of concepts. Signals and notes are SAM 2's."""

    name = "sam3_tracker"
    families = ("sam3_tracker", "sam3_tracker_video", "sam3_video")
    usual = "facebook/sam3"
    model = "Sam3TrackerModel"
    processor = "Sam3ImageProcessor"
