"""Segment Anything 1 (Kirillov et al. 2023, arXiv 2304.02643) by its own library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visionrouter.backends import hub
from visionrouter.backends.base import BackendSpec, Reuse
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.checkpoint import WEIGHTS, CheckpointBackend, Origin, in_batches
from visionrouter.backends.specialist.pretrained import finite
from visionrouter.backends.specialist.sam import prompts, weights
from visionrouter.backends.specialist.sam.embeddings import Embeddings
from visionrouter.backends.specialist.sam.prompts import ANYTHING, AT_ONCE, Ask, Masked
from visionrouter.backends.specialist.thicken import thicken
from visionrouter.backends.weights import tell_broken
from visionrouter.instruction.vocabulary import GENERIC
from visionrouter.schema.errors import UnsupportedTargetError, WeightsError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

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


class Sam(CheckpointBackend):
    """One mask for each box or for the thing that points mark; without prompts, masks of everything.

    Masks of everything come from a grid of points, the doubtful and the doubled left out; they have no words, so a
    request that names a thing is refused. An image's embedding is kept over prompts.

    Signals of prompted masks, the worst of all: `predicted_iou` and `stability`; of everything: `score`, the least
    predicted IoU, and `count`. Notes: `empty:I`, mask I has no pixel; `points_outside:N`, N positive points lie in no
    box.
    """

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
        self._grid = {
            "points_per_side": points_per_side,
            "pred_iou_thresh": least_iou,
            "stability_score_thresh": least_stability,
        }
        self._embeddings: Embeddings[Encoded] = Embeddings(embeddings_kept)
        self.patterns = ("*.json", *WEIGHTS, *(("*.pth",) if allow_pickle else ()))
        spec = BackendSpec(
            name=weights.NAME,
            kind="specialist",
            tasks=frozenset({Task.PROMPTABLE, Task.INSTANCE}),
            licence="unknown",
            batch_limit=batch_limit,
            cost=6.0,
            memory_mb=1500,
            extra="sam",
            requires=("segment_anything", "torch", "torchvision", "safetensors"),
        )
        super().__init__(spec, Origin(source, revision, device, precision, licence))

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

    @property
    def reuse(self) -> Reuse:
        return self._embeddings.reuse

    def close(self) -> None:
        self._embeddings.clear()
        super().close()

    def answer(self, model: Opened, queries: Sequence[Query]) -> list[Prediction]:
        for query in queries:
            self._check(query)
        images = [query.image for query in queries]
        encoded = self._embeddings.of(images, lambda new: self._encode(model, new))
        return [
            self._prompted(model.sam, query, one)
            if query.task is Task.PROMPTABLE
            else self._all(model.sam, query, one)
            for query, one in zip(queries, encoded, strict=True)
        ]

    def _check(self, query: Query) -> None:
        if query.task is Task.PROMPTABLE:
            prompts.read(query.prompts, self.spec.name)
        elif named := [target.noun for target in query.targets if target.noun not in GENERIC]:
            raise UnsupportedTargetError(
                f"{self.spec.name} knows no words, so it cannot find {named[0]!r}; give boxes, or compose it with a "
                "detector: `use: cutout` with parts detector and segmenter"
            )

    def _encode(self, model: Opened, images: list[Image]) -> list[Encoded]:
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

    def _predictor(self, sam: Any, encoded: Encoded) -> Any:
        predictor = require("segment_anything", self.spec.name, "sam").SamPredictor(sam)
        predictor.features, predictor.is_image_set = encoded.features, True
        predictor.input_size, predictor.original_size = encoded.seen, encoded.size
        return predictor

    def _prompted(self, sam: Any, query: Query, encoded: Encoded) -> Prediction:
        predictor = self._predictor(sam, encoded)
        asked = prompts.read(query.prompts, self.spec.name)
        image = query.image
        masked = in_batches(asked.asks, lambda ask: ask.form, lambda asks: _decode(predictor, asks, image))
        return prompts.as_prediction(query, masked, asked.notes)

    def _all(self, sam: Any, query: Query, encoded: Encoded) -> Prediction:
        image = query.image
        library = require("segment_anything", self.spec.name, "sam")
        generator = library.SamAutomaticMaskGenerator(sam, **self._grid)
        predictor = self._predictor(sam, encoded)
        predictor.set_image = lambda _: None  # the generator would encode the picture again, then forget it
        predictor.reset_image = lambda: None
        generator.predictor = predictor
        found = sorted(generator.generate(thicken(image.pixels)), key=lambda mask: -mask["predicted_iou"])
        masks = np.zeros((len(found), image.height, image.width), np.bool_)
        for i, mask in enumerate(found):
            masks[i] = mask["segmentation"][: image.height, : image.width]
        scores = np.array([mask["predicted_iou"] for mask in found], np.float32).clip(0, 1)
        signals = {"count": float(len(found))}
        if found:
            signals["score"] = float(scores.min())
        payload = Segmentation(masks, scores, (ANYTHING,) * len(found), "instance")
        return Prediction(payload, Evidence(signals))


def _decode(predictor: Any, asks: list[Ask], image: Image) -> list[Masked]:
    """Masks of prompts of one form."""
    import torch

    found: list[Masked] = []
    for first in range(0, len(asks), AT_ONCE):
        part = asks[first : first + AT_ONCE]
        points = boxes = kinds = None
        if part[0].kinds:
            places = predictor.transform.apply_coords(
                np.stack([ask.points for ask in part]), predictor.original_size
            )
            points = torch.as_tensor(places, dtype=torch.float32, device=predictor.device)
            kinds = torch.tensor([ask.kinds for ask in part], device=predictor.device)
        if part[0].box is not None:
            corners = predictor.transform.apply_boxes(
                np.stack([ask.box for ask in part if ask.box is not None]), predictor.original_size
            )
            boxes = torch.as_tensor(corners, dtype=torch.float32, device=predictor.device)
        logits, iou, _ = predictor.predict_torch(
            points, kinds, boxes, multimask_output=part[0].ambiguous, return_logits=True
        )
        best = iou.argmax(1)
        rows = torch.arange(len(part), device=iou.device)
        chosen = logits[rows, best][:, : image.height, : image.width].float().cpu().numpy()
        found += [Masked(mask, score) for mask, score in zip(chosen, iou[rows, best].tolist(), strict=True)]
    return found
