"""The backend protocol: one class, one `spec`, one `predict`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Literal, Self

from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

Kind = Literal["generative", "specialist"]
NormalAxes = Literal["right-up-viewer"]
"""The frame results use. A backend that draws in another converts before it answers."""


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """What a backend is, known before any weight is read.

    `licence`: SPDX id of the code and weights together, the strictest ("Apache-2.0", "AGPL-3.0", "non-commercial").
    `labels`: its closed vocabulary, None where it takes any words. `weights_digest`: sha256 over its weight files,
    None where it has none. `input_size`: (width, height) pixels it works at, None for any. `batch_limit`: most queries
    a call. `cost`: relative, 1.0 for a small detector. `memory_mb`: resident, roughly. `needs_prompts`: it answers
    only with boxes or points given. `crops`: a part of an image, with some surroundings, is answered as well as the
    whole. `extra`: the pip extra that installs the modules it `requires`. `inline`: cheap enough to run on the caller's
    thread. `isolation`: where it lives otherwise.
    """

    name: str
    kind: Kind
    tasks: frozenset[Task]
    licence: str
    labels: tuple[str, ...] | None = None
    weights_digest: str | None = None
    weights_bytes: int = 0
    input_size: tuple[int, int] | None = None
    batch_limit: int = 1
    depth_unit: Literal["m", "relative", "disparity"] | None = None
    cost: float = 1.0
    memory_mb: int = 0
    needs_prompts: bool = False
    crops: bool = False
    extra: str | None = None
    requires: tuple[str, ...] = ()
    inline: bool = False
    isolation: Literal["thread", "process"] = "thread"
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Weights:
    """Where weights come from: a hub id or a path, the hub's revision, and which of the files, all where None."""

    source: str
    revision: str | None = None
    patterns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Reuse:
    """How often what a backend had made of an image served a later question on it, and how often it had to be made.

    Counted by image asked after, since the backend was made.
    """

    hits: int = 0
    misses: int = 0

    @property
    def hit_rate(self) -> float:
        """Share that was there already; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)


class Backend(ABC):
    """A model that answers queries, synchronously and batch-first.

    A backend is called by one thread at a time. `predict` never sees more than `spec.batch_limit` queries, each of a
    task in `spec.tasks`, and returns one prediction a query, in order. It raises a `BackendError` (or any exception)
    when it cannot answer; it never answers with something it did not compute.
    """

    spec: BackendSpec

    @property
    def restarts(self) -> int:
        """Times it was made anew after it was lost."""
        return 0

    @property
    def reuse(self) -> Reuse | None:
        """What its embeddings of images saved so far; None where it keeps none. Asked from any thread."""
        return None

    def load(self) -> None:
        """Read weights. Idempotent. Raises `MissingExtraError` or `WeightsError` naming the mend."""

    def unavailable(self) -> str | None:
        """Why this backend cannot load here, without loading it; None where nothing speaks against it."""
        return self.uninstalled()

    def uninstalled(self) -> str | None:
        """Which of the modules it requires are not installed, and how to install them; None where all are."""
        missing = [module for module in self.spec.requires if not _is_installed(module)]
        if not missing:
            return None
        return f"{', '.join(missing)} not installed; pip install 'visionrouter[{self.spec.extra}]'"

    def after_fork(self) -> bool:
        """Told, in a process forked off after it was loaded, that it is there. Whether it can be used there."""
        return False

    def sources(self) -> tuple[Weights, ...]:
        """What `visionrouter fetch` brings for it; nothing where all is in the package."""
        return ()

    @abstractmethod
    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]: ...

    def abort(self) -> bool:
        """Cut short the call under way, from another thread. False where that cannot be done; the call then goes on."""
        return False

    def close(self) -> None:
        """Let go of memory and threads. Idempotent."""

    def __enter__(self) -> Self:
        self.load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_installed(module: str) -> bool:
    """Whether a module can be imported; of a dotted name its parents are."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
