"""Segment Anything 1 (Kirillov et al. 2023, arXiv 2304.02643) by its own library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visionrouter.backends import hub
from visionrouter.backends.base import BackendSpec
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.checkpoint import WEIGHTS, Origin
from visionrouter.backends.specialist.pretrained import finite
from visionrouter.backends.specialist.sam import weights
from visionrouter.backends.specialist.sam.decoder import Decoder
from visionrouter.backends.specialist.sam.everything import Grid
from visionrouter.backends.specialist.sam.promptable import TASKS, Promptable
from visionrouter.backends.specialist.sam.prompts import Ask
from visionrouter.backends.specialist.thicken import thicken
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.errors import WeightsError
from visionrouter.schema.image import Image

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """An image's features (1, C, h, w), and (height, width) as the network saw it and as it was before that."""

    features: Tensor
    seen: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The network on its device, and the precision of its encoder; the decoder runs in float32."""

    sam: Any
    dtype: Any


class Sam(Promptable):
    """Segment Anything 1 as `Promptable` tells; a picture is padded to a square."""

    def __init__(
        self,
        *,
        source: str = "facebook/sam-vit-base",
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        allow_pickle: bool = False,
        points_per_side: int = 32,
        least_iou: float = 0.88,
        least_stability: float = 0.95,
        embeddings_kept: int = 4,
        batch_limit: int = 4,
    ) -> None:
        """`source`: a hub id, a folder, or a file of weights; `allow_pickle` lets a `.pth` be read.

        `points_per_side`, `least_iou` and `least_stability`: the grid of masks of everything, and what each must have.
        """
        self._allow_pickle = allow_pickle
        self.patterns = ("*.json", *WEIGHTS, *(("*.pth",) if allow_pickle else ()))
        spec = BackendSpec(
            name=weights.NAME,
            kind="specialist",
            tasks=TASKS,
            licence="unknown",
            batch_limit=batch_limit,
            cost=6.0,
            memory_mb=1500,
            extra="sam",
            requires=("segment_anything", "torch", "torchvision", "safetensors"),
        )
        grid = Grid(points_per_side, least_iou, least_stability)
        super().__init__(spec, Origin(source, revision, device, precision, licence), grid, embeddings_kept)

    def describe(self, folder: Path) -> Mapping[str, Any]:
        path = self._file(folder)
        if path.suffix != ".safetensors":
            return {}
        safetensors = require("safetensors", weights.NAME, "sam")
        broken = tell_broken(f"{path}: cannot be read", "fetch it anew")
        with broken, safetensors.safe_open(path, "pt") as file:
            side = weights.side_of(file, path)
        return {"input_size": (side, side)}

    def _file(self, folder: Path) -> Path:
        found = [file for file in hub.weight_files(folder) if file.suffix in (".safetensors", ".pth")]
        plain = [file for file in found if file.suffix == ".safetensors"] or found
        if len(plain) != 1:
            raise WeightsError(
                f"{folder}: holds {len(plain)} files of weights; name the one to read as source"
            )
        return plain[0]

    def open(self, folder: Path, device: Any, dtype: Any) -> Opened:
        path = self._file(folder)
        sam = weights.build(weights.read(path, allow_pickle=self._allow_pickle), path)
        return Opened(sam.float().to(device), dtype)

    def encode(self, model: Opened, images: list[Image]) -> list[Encoded]:
        """All in one run, for every picture is padded to the same square."""
        import torch

        sam = model.sam
        transform = require("segment_anything.utils.transforms", self.spec.name, "sam").ResizeLongestSide(
            sam.image_encoder.img_size
        )
        thick = [thicken(image.pixels) for image in images]
        seen = [
            torch.from_numpy(transform.apply_image(pixels).transpose(2, 0, 1).copy()).to(sam.device)
            for pixels in thick
        ]
        batch = torch.stack([sam.preprocess(picture.float()) for picture in seen])
        with torch.autocast(sam.device.type, model.dtype, enabled=model.dtype != torch.float32):
            features = finite(sam.image_encoder(batch).float(), self.spec.name)
        return [
            Encoded(
                features[i : i + 1],
                (seen[i].shape[-2], seen[i].shape[-1]),
                (pixels.shape[0], pixels.shape[1]),
            )
            for i, pixels in enumerate(thick)
        ]

    def decoder(self, model: Opened, embedded: Encoded, image: Image) -> Decoder:
        return _Decoder(model.sam, embedded, image)


@dataclass(frozen=True, slots=True, eq=False)
class _Decoder:
    """Answers prompts on an encoded image. The picture may have been thickened; masks are of the `image` itself."""

    sam: Any
    encoded: Encoded
    image: Image

    def masks(self, asks: Sequence[Ask]) -> tuple[Tensor, Tensor]:
        import torch

        (seen_high, seen_wide), (high, wide) = self.encoded.seen, self.encoded.size
        scale = np.array([seen_wide / wide, seen_high / high], np.float32)
        points = boxes = None
        if asks[0].kinds:
            places = torch.from_numpy(np.stack([ask.points for ask in asks]) * scale)
            kinds = torch.tensor([ask.kinds for ask in asks])
            points = places.to(self.sam.device), kinds.to(self.sam.device)
        if asks[0].box is not None:
            corners = np.stack([ask.box.reshape(2, 2) * scale for ask in asks if ask.box is not None])
            boxes = torch.from_numpy(corners).reshape(-1, 4).to(self.sam.device)
        sparse, dense = self.sam.prompt_encoder(points=points, boxes=boxes, masks=None)
        logits, fit = self.sam.mask_decoder(
            image_embeddings=self.encoded.features,
            image_pe=self.sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=asks[0].ambiguous,
        )
        return finite(logits, weights.NAME), finite(fit, weights.NAME)

    def enlarged(self, logits: Tensor) -> Tensor:
        large = self.sam.postprocess_masks(logits[:, None], self.encoded.seen, self.encoded.size)
        inside: Tensor = large[:, 0, : self.image.height, : self.image.width]
        return inside
