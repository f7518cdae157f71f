"""YOLOs that are told in words what to look for: a text encoder's vectors stand in the place of classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from visionrouter.backends import hub
from visionrouter.backends.base import Weights
from visionrouter.backends.specialist.checkpoint import in_batches
from visionrouter.backends.specialist.words import sought
from visionrouter.backends.specialist.yolo.backend import Yolo
from visionrouter.backends.specialist.yolo.network import Network
from visionrouter.backends.weights import combined_digest
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

_KEPT = 4096
"""Words whose embeddings are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A text encoder, which gives vectors (N, D) of unit length, and the vectors of the words it was given."""

    encode: Callable[[list[str]], Any]
    known: dict[str, Any] = field(default_factory=dict)

    def embedded(self, words: Sequence[str]) -> Any:
        """float32 (1, N, D): a vector of unit length for each word."""
        import torch

        new = [word for word in dict.fromkeys(words) if word not in self.known]
        if new:
            if len(self.known) + len(new) > _KEPT:
                self.known.clear()
                new = list(dict.fromkeys(words))
            self.known.update(zip(new, self.encode(new).float(), strict=True))
        return torch.stack([self.known[word] for word in words])[None]


class WordedYolo(Yolo):
    """What the query names, by a network that takes the vectors of words.

    Nouns are the prompts; colours, numbers and relations then narrow what was found. A query that names nothing, or
    "things", is answered over `vocabulary`. Signals: `score`, the least score given, and `count`.
    """

    takes: ClassVar[str]
    """By what name the network takes the vectors."""
    text_patterns: ClassVar[tuple[str, ...]] = ("*.json", "*.txt", "*.safetensors")

    def __init__(self, *, text_source: str, vocabulary: Sequence[str], **others: Any) -> None:
        """`text_source`: a hub id or folder of the text encoder that the network was trained with. The others are
        YOLO's."""
        self._text_source = text_source
        self._vocabulary = tuple(vocabulary)
        self._words: Words | None = None
        super().__init__(**others)

    @abstractmethod
    def check_text(self, folder: Path) -> None:
        """Raises `WeightsError` where the folder holds no encoder of words for this network."""

    @abstractmethod
    def read_text(self, folder: Path, network: Network) -> Words:
        """The encoder of words. Raises `WeightsError` where it is not the network's."""

    def sources(self) -> tuple[Weights, ...]:
        return (*super().sources(), Weights(self._text_source, patterns=self.text_patterns))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        fields = super().describe(folder)
        text = self._text_folder()
        digests = {"boxes": hub.digest(folder) or "", "text": hub.digest(text) or ""}
        size = hub.size(folder) + hub.size(text)
        return {**fields, "labels": None, "weights_digest": combined_digest(digests), "weights_bytes": size}

    def _text_folder(self) -> Path:
        found = hub.resolve(self._text_source, patterns=self.text_patterns, extra=self.spec.extra)
        self.check_text(found)
        return found

    def open(self, folder: Path, device: Any, dtype: Any) -> Network:
        network = super().open(folder, device, dtype)
        self._words = self.read_text(self._text_folder(), network)
        self.spec = replace(self.spec, labels=None)
        return network

    def close(self) -> None:
        self._words = None
        super().close()

    def answer(self, model: Network, queries: Sequence[Query]) -> list[Prediction]:
        def run(alike: list[tuple[Query, tuple[str, ...]]]) -> list[Prediction]:
            words = alike[0][1]
            assert self._words is not None
            vectors = self._words.embedded(words).to(model.device, model.dtype)
            asked = replace(model, names=words)
            asked.model.model[-1].nc = len(words)
            found = self._seen(asked, [query for query, _ in alike], **{self.takes: vectors})
            return [self._read(query, rows, words) for (query, _), rows in zip(alike, found, strict=True)]

        named = [(query, sought(query.targets, self._vocabulary)) for query in queries]
        return in_batches(named, lambda one: one[1], run)
