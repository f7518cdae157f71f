"""YOLO-World: boxes of what words name (Cheng et al. 2024, arXiv 2401.17270)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from visionrouter.backends import hub
from visionrouter.backends.base import Weights
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.checkpoint import in_batches
from visionrouter.backends.specialist.pretrained import EXTRA as PRETRAINED_EXTRA
from visionrouter.backends.specialist.pretrained import check_family, load_model
from visionrouter.backends.specialist.words import sought
from visionrouter.backends.specialist.yolo.backend import Yolo
from visionrouter.backends.specialist.yolo.network import Network
from visionrouter.backends.weights import combined_digest
from visionrouter.schema.errors import WeightsError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

_TEXT_PATTERNS = ("*.json", "*.txt", "*.safetensors")
_KEPT = 4096
"""Words whose embeddings are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """CLIP's text half, and the embeddings of the words it was given."""

    model: Any
    tokenizer: Any
    device: Any
    known: dict[str, Any]

    def embedded(self, words: Sequence[str]) -> Any:
        """float32 (1, N, D): a vector of unit length for each word."""
        import torch

        new = [word for word in dict.fromkeys(words) if word not in self.known]
        if new:
            if len(self.known) + len(new) > _KEPT:
                self.known.clear()
                new = list(dict.fromkeys(words))
            tokens = self.tokenizer(new, padding=True, truncation=True, return_tensors="pt").to(self.device)
            vectors = self.model(**tokens).text_embeds.float()
            self.known.update(zip(new, vectors / vectors.norm(dim=-1, keepdim=True), strict=True))
        return torch.stack([self.known[word] for word in words])[None]


class YoloWorld(Yolo):
    """Boxes of what the query names, by YOLO-World with CLIP's text half from transformers.

    Nouns are the prompts; colours, numbers and relations then narrow what was found. A query that names nothing, or
    "things", is answered over `vocabulary`. Signals: `score`, the least score given, and `count`.
    """

    def __init__(
        self,
        *,
        source: str = "Ultralytics/YOLO-World",
        file: str | None = None,
        text_source: str = "openai/clip-vit-base-patch32",
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str = "AGPL-3.0",
        allow_pickle: bool = False,
        vocabulary: Sequence[str] = coco.CLASSES,
        side: int | None = None,
        threshold: float = 0.25,
        iou: float = 0.7,
        duplicate_iou: float = 0.9,
        batch_limit: int = 8,
    ) -> None:
        """`text_source`: a hub id or folder of CLIP ViT-B/32. The others are YOLO's."""
        self._text_source = text_source
        self._vocabulary = tuple(vocabulary)
        self._words: Words | None = None
        super().__init__(
            source=source,
            file=file,
            revision=revision,
            device=device,
            precision=precision,
            licence=licence,
            allow_pickle=allow_pickle,
            side=side,
            threshold=threshold,
            iou=iou,
            duplicate_iou=duplicate_iou,
            batch_limit=batch_limit,
        )

        self.spec = replace(self.spec, name="yolo_world")

    def sources(self) -> tuple[Weights, ...]:
        return (*super().sources(), Weights(self._text_source, patterns=_TEXT_PATTERNS))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        fields = super().describe(folder)
        text = self._text_folder()
        digests = {"boxes": hub.digest(folder) or "", "text": hub.digest(text) or ""}
        size = hub.size(folder) + hub.size(text)
        return {**fields, "labels": None, "weights_digest": combined_digest(digests), "weights_bytes": size}

    def _text_folder(self) -> Path:
        found = hub.resolve(self._text_source, patterns=_TEXT_PATTERNS, extra=PRETRAINED_EXTRA)
        check_family(found, "yolo_world", ("clip", "clip_text_model"))
        return found

    def open(self, folder: Path, device: Any, dtype: Any) -> Network:
        network = super().open(folder, device, dtype)
        if type(network.model).__name__ != "WorldModel":
            raise WeightsError(
                f"{folder}: is a {type(network.model).__name__}, not YOLO-World; use the backend yolo for it"
            )
        transformers = require("transformers", "yolo_world", PRETRAINED_EXTRA)
        text = self._text_folder()
        model = load_model(transformers.CLIPTextModelWithProjection, text, "yolo_world", None)
        tokenizer = transformers.AutoTokenizer.from_pretrained(text, local_files_only=True)
        self._words = Words(model.to(device), tokenizer, device, {})
        self.spec = replace(self.spec, labels=None)
        return network

    def close(self) -> None:
        self._words = None
        super().close()

    def answer(self, model: Network, queries: Sequence[Query]) -> list[Prediction]:
        def run(alike: list[tuple[Query, tuple[str, ...]]]) -> list[Prediction]:
            words = alike[0][1]
            assert self._words is not None
            vectors = self._words.embedded(words).to(model.dtype)
            asked = replace(model, names=words)
            asked.model.model[-1].nc = len(words)
            found = self._seen(asked, [query for query, _ in alike], txt_feats=vectors)
            return [self._read(query, rows, words) for (query, _), rows in zip(alike, found, strict=True)]

        named = [(query, sought(query.targets, self._vocabulary)) for query in queries]
        return in_batches(named, lambda one: one[1], run)
