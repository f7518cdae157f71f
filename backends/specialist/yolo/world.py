"""YOLO-World: boxes of what words name (Cheng et al. 2024, arXiv 2401.17270)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visionrouter.backends.libraries import require
from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.pretrained import EXTRA, check_family, load_model
from visionrouter.backends.specialist.yolo.network import Network
from visionrouter.backends.specialist.yolo.words import WordedYolo, Words


class YoloWorld(WordedYolo):
    """Boxes of what the query names, by YOLO-World with CLIP's text half from transformers."""

    name = "yolo_world"
    takes = "txt_feats"

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
        super().__init__(
            source=source,
            file=file,
            text_source=text_source,
            revision=revision,
            device=device,
            precision=precision,
            licence=licence,
            allow_pickle=allow_pickle,
            vocabulary=vocabulary,
            side=side,
            threshold=threshold,
            iou=iou,
            duplicate_iou=duplicate_iou,
            batch_limit=batch_limit,
        )

    def check_text(self, folder: Path) -> None:
        check_family(folder, self.name, ("clip", "clip_text_model"))

    def read_text(self, folder: Path, network: Network) -> Words:
        transformers = require("transformers", self.name, EXTRA)
        model = load_model(transformers.CLIPTextModelWithProjection, folder, self.name, None)
        model.to(network.device)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)

        def encode(words: list[str]) -> Any:
            tokens = tokenizer(words, padding=True, truncation=True, return_tensors="pt").to(network.device)
            vectors = model(**tokens).text_embeds.float()
            return vectors / vectors.norm(dim=-1, keepdim=True)

        return Words(encode)
