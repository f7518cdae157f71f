"""Detectors that are told in words what to look for: OWLv2 and Grounding DINO.

Minderer et al. 2023 (arXiv 2306.09683), Liu et al. 2023 (arXiv 2303.05499).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin, in_batches
from visionrouter.backends.specialist.detected import as_prediction, distinct
from visionrouter.backends.specialist.pretrained import EXTRA, REQUIRES, Pretrained, check_family, finite
from visionrouter.backends.specialist.thicken import thicken
from visionrouter.backends.specialist.words import sought
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

Rows = tuple[Any, Any, list[str]]
"""Tensors of one image: boxes (N, 4) xyxy in pixels, scores (N,); and their words."""


class OpenVocabularyDetector(CheckpointBackend):
    """Boxes of what the query names, whatever that is.

    Nouns are the prompts; colours, numbers and relations then narrow what was found. A query that names nothing, or
    "things", is answered over `vocabulary`.
    """

    name: ClassVar[str]
    families: ClassVar[tuple[str, ...]]
    usual: ClassVar[str]
    usual_threshold: ClassVar[float]

    def __init__(
        self,
        *,
        source: str | None = None,
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        threshold: float | None = None,
        duplicate_iou: float = 0.7,
        vocabulary: Sequence[str] = coco.CLASSES,
        batch_limit: int = 4,
    ) -> None:
        """`source`: a hub id or a folder (default: the family's usual model). `threshold`: least raw score (default:
        the library's own). `duplicate_iou`: overlap above which the worse of two boxes goes. `vocabulary`: what to
        look for where a query names nothing."""
        self._threshold = self.usual_threshold if threshold is None else threshold
        self._duplicate_iou = duplicate_iou
        self._vocabulary = tuple(vocabulary)
        spec = BackendSpec(
            name=self.name,
            kind="specialist",
            tasks=frozenset({Task.DETECT}),
            licence="unknown",
            batch_limit=batch_limit,
            cost=4.0,
            memory_mb=1500,
            extra=EXTRA,
            requires=REQUIRES,
        )
        super().__init__(spec, Origin(source or self.usual, revision, device, precision, licence))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        check_family(folder, self.name, self.families)
        return {}

    def open(self, folder: Path, device: Any, dtype: Any) -> Pretrained:
        return Pretrained.open(
            folder,
            self.name,
            device,
            dtype,
            model="AutoModelForZeroShotObjectDetection",
            processor="AutoProcessor",
        )

    def answer(self, model: Pretrained, queries: Sequence[Query]) -> list[Prediction]:
        def run(asked: list[tuple[Any, tuple[int, int], tuple[str, ...]]]) -> list[Any]:
            output = model.run([seen for seen, _, _ in asked])
            finite(output.pred_boxes, self.spec.name)
            return self.read(model, output, [size for _, size, _ in asked], asked[0][2])

        asked = []
        for query in queries:
            words = sought(query.targets, self._vocabulary)
            pixels = thicken(query.image.pixels)
            seen = model.see(pixels, text=self.prompt(words), truncation=True)
            self.check(model, seen, words)
            asked.append((seen, pixels.shape[:2], words))
        rows = in_batches(asked, lambda one: (one[2], one[0]["pixel_values"].shape), run)
        return [self._answer(query, row) for query, row in zip(queries, rows, strict=True)]

    def check(self, model: Pretrained, seen: Any, words: tuple[str, ...]) -> None:
        """Raise `UnsupportedTargetError` where the words of one image are more than the network reads."""

    @abstractmethod
    def prompt(self, words: tuple[str, ...]) -> list[list[str]]:
        """The words of one image as its processor takes them."""

    @abstractmethod
    def read(
        self, model: Pretrained, output: Any, sizes: list[tuple[int, int]], words: tuple[str, ...]
    ) -> list[Rows]:
        """The rows of each image, of (height, width) pixels."""

    def _answer(self, query: Query, row: Rows) -> Prediction:
        boxes, scores, words = row
        found, _ = distinct(
            boxes.float().cpu().numpy(),
            scores.float().cpu().numpy(),
            words,
            query.image.size,
            self._duplicate_iou,
        )
        return as_prediction(found, query, self.spec)


class Owlv2(OpenVocabularyDetector):
    """Boxes of what words name, by OWLv2. Signals: `score`, the least score given, and `count`. The scores of common
    things are low, 0.2 to 0.5."""

    name = "owlv2"
    families = ("owlv2",)
    usual = "google/owlv2-base-patch16-ensemble"
    usual_threshold = 0.2

    def prompt(self, words: tuple[str, ...]) -> list[list[str]]:
        return [[f"a photo of a {word}" for word in words]]

    def read(
        self, model: Pretrained, output: Any, sizes: list[tuple[int, int]], words: tuple[str, ...]
    ) -> list[Rows]:
        finite(output.logits, self.spec.name)
        rows = model.processor.post_process_grounded_object_detection(
            output, threshold=self._threshold, target_sizes=sizes
        )
        return [(row["boxes"], row["scores"], [words[i] for i in row["labels"].tolist()]) for row in rows]


class GroundingDino(OpenVocabularyDetector):
    """Boxes of what words name, by Grounding DINO. Signals: `score`, the least score given, and `count`.

    All words are one sentence to the network. A box goes to the word whose tokens it answers most, with that as score.
    """

    name = "grounding_dino"
    families = ("grounding-dino", "mm-grounding-dino")
    usual = "IDEA-Research/grounding-dino-tiny"
    usual_threshold = 0.3

    def prompt(self, words: tuple[str, ...]) -> list[list[str]]:
        return [[word.lower().replace(".", " ") for word in words]]

    def check(self, model: Pretrained, seen: Any, words: tuple[str, ...]) -> None:
        tokens, most = seen["input_ids"][0], model.model.config.max_text_len
        if len(tokens) > most or len(_spans(tokens.tolist(), model.processor.tokenizer)) != len(words):
            raise UnsupportedTargetError(
                f"{self.spec.name} reads {most} tokens at once, these {len(words)} words are more; name fewer things"
            )

    def read(
        self, model: Pretrained, output: Any, sizes: list[tuple[int, int]], words: tuple[str, ...]
    ) -> list[Rows]:
        import torch

        spans = _spans(output.input_ids[0].tolist(), model.processor.tokenizer)
        probability = output.logits.float().sigmoid()
        each = torch.stack([probability[..., first:last].amax(-1) for first, last in spans], -1)
        scores, best = finite(each, self.spec.name).max(-1)
        centre, side = output.pred_boxes.float().split(2, -1)
        corners = torch.cat([centre - side / 2, centre + side / 2], -1)
        rows = []
        for box, score, word, (height, width) in zip(corners, scores, best, sizes, strict=True):
            kept = score > self._threshold
            scale = box.new_tensor([width, height, width, height])
            rows.append((box[kept] * scale, score[kept], [words[i] for i in word[kept].tolist()]))
        return rows


def _spans(tokens: Sequence[int], tokenizer: Any) -> list[tuple[int, int]]:
    """First and last-but-one token of each phrase that a full stop ends."""
    stop = tokenizer.convert_tokens_to_ids(".")
    spans, first = [], 1  # after the token that opens a sentence
    for i, token in enumerate(tokens):
        if token == stop:
            spans.append((first, i))
            first = i + 1
    return spans
