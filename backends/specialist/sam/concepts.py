"""Segment Anything 3: every instance of a concept that words name (Carion et al. 2025, arXiv 2511.16719)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.specialist.asked import narrow
from visionrouter.backends.specialist.checkpoint import Origin
from visionrouter.backends.specialist.detected import distinct, signals_of
from visionrouter.backends.specialist.pretrained import EXTRA, REQUIRES, Pretrained, check_family, finite
from visionrouter.backends.specialist.sam.embeddings import EmbeddingBackend
from visionrouter.backends.specialist.sam.prompts import ANYTHING
from visionrouter.backends.specialist.words import sought
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Detections, Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """Instances of one concept: boxes (N, 4) xyxy in parts of the image, scores (N,), mask logits (N, h, w)."""

    boxes: Tensor
    scores: Tensor
    masks: Tensor


class Sam3(EmbeddingBackend):
    """Boxes or masks of every instance of what words name, by SAM 3.

    Nouns are the concepts, one run of the decoder each; colours, numbers and relations then narrow what was found. An
    image's embedding is kept over words. A query that names nothing, or "things", is answered over `vocabulary`.

    Signals: `score`, the least score given (absent where nothing is found), and `count`. A score is that of the instance
    times that of the concept being in the picture at all.
    """

    def __init__(
        self,
        *,
        source: str = "facebook/sam3",
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        threshold: float = 0.5,
        duplicate_iou: float = 0.9,
        vocabulary: Sequence[str] = (ANYTHING,),
        embeddings_kept: int = 2,
        batch_limit: int = 2,
    ) -> None:
        """`source`: a hub id (gated: accept its licence there) or a folder; least raw score `threshold`;
        `duplicate_iou`, overlap above which the worse of two boxes goes."""
        self._threshold = threshold
        self._duplicate_iou = duplicate_iou
        self._vocabulary = tuple(vocabulary)
        spec = BackendSpec(
            name="sam3",
            kind="specialist",
            tasks=frozenset({Task.DETECT, Task.INSTANCE, Task.REFERRING}),
            licence="unknown",
            batch_limit=batch_limit,
            cost=10.0,
            memory_mb=4500,
            extra=EXTRA,
            requires=REQUIRES,
        )
        super().__init__(spec, Origin(source, revision, device, precision, licence), embeddings_kept)

    def describe(self, folder: Path) -> Mapping[str, Any]:
        check_family(folder, self.spec.name, ("sam3", "sam3_video"))
        return {}

    def open(self, folder: Path, device: Any, dtype: Any) -> Pretrained:
        return Pretrained.open(
            folder, self.spec.name, device, dtype, model="Sam3Model", processor="Sam3Processor"
        )

    def answer(self, model: Pretrained, queries: Sequence[Query]) -> list[Prediction]:
        images = [query.image for query in queries]
        embedded = self._embeddings.of(images, lambda new: [self._encode(model, image) for image in new])
        return [self._answer(model, query, one) for query, one in zip(queries, embedded, strict=True)]

    def _encode(self, model: Pretrained, image: Image) -> Any:
        return model.model.get_vision_features(model.see(image.pixels)["pixel_values"])

    def _answer(self, model: Pretrained, query: Query, embedded: Any) -> Prediction:
        words = sought(query.targets, self._vocabulary)
        each = [self._instances(model, embedded, word) for word in words]
        labels = [word for word, one in zip(words, each, strict=True) for _ in range(len(one.scores))]
        boxes = np.concatenate([one.boxes.cpu().numpy() for one in each]) * (
            *query.image.size,
            *query.image.size,
        )
        scores = np.concatenate([one.scores.cpu().numpy() for one in each])
        found, places = distinct(boxes, scores, labels, query.image.size, self._duplicate_iou)
        chosen, notes = narrow(found, query, self.spec)
        named = tuple(found.labels[i] for i in chosen)
        evidence = Evidence(signals_of(found.scores[chosen]))
        if query.task is Task.DETECT:
            return Prediction(
                Detections(found.boxes[chosen], found.scores[chosen], named), evidence, notes=notes
            )
        masks = [mask for one in each for mask in one.masks]
        large = _masks([masks[places[i]] for i in chosen], query.image)
        mode: Literal["instance", "referring"] = "instance" if query.task is Task.INSTANCE else "referring"
        return Prediction(Segmentation(large, found.scores[chosen], named, mode), evidence, notes=notes)

    def _instances(self, model: Pretrained, embedded: Any, word: str) -> Instances:
        text = model.processor(text=word, return_tensors="pt").to(model.device)
        output = model.model(
            vision_embeds=embedded, input_ids=text["input_ids"], attention_mask=text["attention_mask"]
        )
        scores = output.pred_logits.float().sigmoid()
        if output.presence_logits is not None:
            scores = scores * output.presence_logits.float().sigmoid()
        kept = finite(scores[0], self.spec.name) > self._threshold
        boxes = finite(output.pred_boxes[0].float(), self.spec.name)
        return Instances(boxes[kept], scores[0][kept], output.pred_masks[0].float()[kept])


def _masks(logits: list[Tensor], image: Image) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """bool (N, H, W) at the image's size, one at a time: a photo's masks in float are large."""
    from torch.nn.functional import interpolate

    masks = np.zeros((len(logits), image.height, image.width), np.bool_)
    for i, one in enumerate(logits):
        probability = one.sigmoid()[None, None]
        large = interpolate(probability, size=(image.height, image.width), mode="bilinear")[0, 0]
        masks[i] = (large > 0.5).cpu().numpy()
    return masks
