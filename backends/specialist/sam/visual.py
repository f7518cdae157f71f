"""Segment Anything 2 and the promptable half of 3, by transformers.

Ravi et al. 2024 (arXiv 2408.00714), Carion et al. 2025 (arXiv 2511.16719).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.specialist.checkpoint import Origin
from visionrouter.backends.specialist.pretrained import (
    EXTRA,
    REQUIRES,
    Pretrained,
    check_family,
    finite,
    fixed_size,
)
from visionrouter.backends.specialist.sam.decoder import Decoder
from visionrouter.backends.specialist.sam.everything import Grid
from visionrouter.backends.specialist.sam.promptable import TASKS, Promptable
from visionrouter.backends.specialist.sam.prompts import Ask
from visionrouter.schema.image import Image

if TYPE_CHECKING:
    from torch import Tensor


class Sam2(Promptable):
    """SAM 2 as `Promptable` tells; a picture is stretched to a square."""

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
        points_per_side: int = 32,
        least_iou: float = 0.88,
        least_stability: float = 0.95,
        embeddings_kept: int = 4,
        batch_limit: int = 4,
    ) -> None:
        """`source`: a hub id or a folder (default: the family's usual model).

        `points_per_side`, `least_iou` and `least_stability`: the grid of masks of everything, and what each must have.
        """
        spec = BackendSpec(
            name=self.name,
            kind="specialist",
            tasks=TASKS,
            licence="unknown",
            batch_limit=batch_limit,
            cost=4.0,
            memory_mb=900,
            extra=EXTRA,
            requires=REQUIRES,
        )
        grid = Grid(points_per_side, least_iou, least_stability)
        origin = Origin(source or self.usual, revision, device, precision, licence)
        super().__init__(spec, origin, grid, embeddings_kept)

    def describe(self, folder: Path) -> Mapping[str, Any]:
        check_family(folder, self.name, self.families)
        return {"input_size": fixed_size(folder)}

    def open(self, folder: Path, device: Any, dtype: Any) -> Pretrained:
        return Pretrained.open(folder, self.name, device, dtype, model=self.model, processor=self.processor)

    def encode(self, model: Pretrained, images: list[Image]) -> list[list[Tensor]]:
        import torch

        seen = torch.cat([model.see(image.pixels)["pixel_values"] for image in images])
        levels = [finite(level, self.spec.name) for level in model.model.get_image_embeddings(seen)]
        return [[level[i : i + 1] for level in levels] for i in range(len(images))]

    def decoder(self, model: Pretrained, embedded: list[Tensor], image: Image) -> Decoder:
        return _Decoder(model, embedded, image, self.spec.name)


@dataclass(frozen=True, slots=True, eq=False)
class _Decoder:
    """Answers prompts on an image's embedding, a tensor for each of its levels."""

    opened: Pretrained
    embedded: list[Tensor]
    image: Image
    name: str

    def masks(self, asks: Sequence[Ask]) -> tuple[Tensor, Tensor]:
        import torch

        model, device = self.opened.model, self.opened.device
        scale = model.prompt_encoder.input_image_size / np.array(self.image.size, np.float32)
        given: dict[str, Any] = {}
        if asks[0].kinds:
            points = np.stack([ask.points for ask in asks]) * scale
            given["input_points"] = torch.from_numpy(points)[None].to(device)
            given["input_labels"] = torch.tensor([[ask.kinds for ask in asks]], device=device)
        if asks[0].box is not None:
            boxes = np.stack([ask.box.reshape(2, 2) * scale for ask in asks if ask.box is not None])
            given["input_boxes"] = torch.from_numpy(boxes).reshape(1, -1, 4).to(device)
        output = model(image_embeddings=self.embedded, multimask_output=asks[0].ambiguous, **given)
        logits, fit = output.pred_masks[0].float(), output.iou_scores[0].float()
        return finite(logits, self.name), finite(fit, self.name)

    def enlarged(self, logits: Tensor) -> Tensor:
        sizes = [(self.image.height, self.image.width)]
        (large,) = self.opened.processor.post_process_masks([logits[:, None]], sizes, binarize=False)
        masks: Tensor = large[:, 0]
        return masks


class Sam3Tracker(Sam2):
    """The tracker of SAM 3, whose checkpoint holds it beside the model of concepts, as `Promptable` tells."""

    name = "sam3_tracker"
    families = ("sam3_tracker", "sam3_tracker_video", "sam3_video")
    usual = "facebook/sam3"
    model = "Sam3TrackerModel"
    processor = "Sam3ImageProcessor"
