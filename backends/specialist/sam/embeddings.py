"""Embeddings of the last few images, so that many prompts on one image cost one run of the encoder."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from visionrouter.backends.base import BackendSpec, Reuse
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin
from visionrouter.schema.image import Image

T = TypeVar("T")


class Embeddings(Generic[T]):
    """At most `capacity` embeddings by the digest of their image, the one unused longest leaves first.

    They stand on the weights of the one backend that holds them, and go when it lets go of those. `reuse` counts an
    image met twice in one call as once made and once kept.
    """

    def __init__(self, capacity: int) -> None:
        self.reuse = Reuse()
        self._capacity = capacity
        self._kept: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        self._kept.clear()

    def of(self, images: Sequence[Image], encode: Callable[[list[Image]], Sequence[T]]) -> list[T]:
        """One embedding an image; `encode` is called once, with the images that are not kept, each once."""
        keys = [image.digest() for image in images]
        new = {key: image for key, image in zip(keys, images, strict=True) if key not in self._kept}
        here = {key: self._kept[key] for key in keys if key in self._kept}
        if new:
            here.update(zip(new, encode(list(new.values())), strict=True))
        for key in keys:
            self._kept[key] = here[key]
            self._kept.move_to_end(key)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        self.reuse = Reuse(self.reuse.hits + len(keys) - len(new), self.reuse.misses + len(new))
        return [here[key] for key in keys]


class EmbeddingBackend(CheckpointBackend):
    """A checkpoint whose embeddings of images are kept over questions, `embeddings_kept` at most."""

    def __init__(self, spec: BackendSpec, origin: Origin, embeddings_kept: int) -> None:
        self._embeddings: Embeddings[Any] = Embeddings(embeddings_kept)
        super().__init__(spec, origin)

    @property
    def reuse(self) -> Reuse:
        return self._embeddings.reuse

    def close(self) -> None:
        self._embeddings.clear()
        super().close()
