"""YOLOE: boxes and masks of what words name (Wang et al. 2025, arXiv 2503.07465)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from visionrouter.backends.licences import licence_of
from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.yolo import mobileclip
from visionrouter.backends.specialist.yolo.backend import Head
from visionrouter.backends.specialist.yolo.network import Network
from visionrouter.backends.specialist.yolo.words import WordedYolo, Words
from visionrouter.schema.errors import WeightsError

TRAINED_WITH = {
    "mobileclip:blt": "apple/MobileCLIP-B-LT-OpenCLIP",
    "mobileclip2:b": "timm/MobileCLIP2-B-OpenCLIP",
}
"""Hub ids of text encoders, by the library's names for them: the first of YOLOE-11 and v8, the second of YOLOE-26."""


class YoloE(WordedYolo):
    """Boxes or masks of what the query names, by YOLOE with MobileCLIP's text half from open_clip.

    The library's own encoders (`mobileclip_blt.ts`, `mobileclip2_b.ts`) are programs that run as they are read: they are
    not. The same weights as safetensors are on the hub. Checkpoints with words built in ("prompt-free") are refused.
    """

    name = "yoloe"
    takes = "tpe"
    text_patterns = mobileclip.FILES

    def __init__(
        self,
        *,
        source: str = "jameslahm/yoloe",
        file: str | None = None,
        text_source: str = TRAINED_WITH["mobileclip:blt"],
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        head: Head = "segment",
        allow_pickle: bool = False,
        vocabulary: Sequence[str] = coco.CLASSES,
        side: int | None = None,
        threshold: float = 0.25,
        iou: float = 0.7,
        duplicate_iou: float = 0.9,
        batch_limit: int = 8,
    ) -> None:
        """`text_source`: a hub id or folder of MobileCLIP in open_clip's layout; YOLOE-26 takes
        "timm/MobileCLIP2-B-OpenCLIP". `licence`: by default the code's and that of the text encoder, as far as it is
        known. The others are YOLO's."""
        super().__init__(
            source=source,
            file=file,
            text_source=text_source,
            revision=revision,
            device=device,
            precision=precision,
            licence=licence or f"AGPL-3.0 AND {licence_of(text_source)}",
            head=head,
            allow_pickle=allow_pickle,
            vocabulary=vocabulary,
            side=side,
            threshold=threshold,
            iou=iou,
            duplicate_iou=duplicate_iou,
            batch_limit=batch_limit,
        )
        self.spec = replace(self.spec, requires=(*self.spec.requires, "open_clip"))

    def check_text(self, folder: Path) -> None:
        mobileclip.check(folder, self.name)

    def read_text(self, folder: Path, network: Network) -> Words:
        last = network.model.model[-1]
        if hasattr(last, "lrpc") or last.is_fused:
            raise WeightsError(
                f"{self.origin.source}: has its words built in, so it takes no others; name a checkpoint that was "
                "neither made prompt-free nor fused with its words"
            )
        wanted = TRAINED_WITH.get(network.model.text_model)
        if wanted is not None and self._text_source in set(TRAINED_WITH.values()) - {wanted}:
            raise WeightsError(
                f"{self.origin.source}: was trained with the words of {network.model.text_model}; set text_source: "
                f"{wanted}"
            )
        encode: Any = mobileclip.read(folder, self.name, network.device, last.embed)
        return Words(encode)
