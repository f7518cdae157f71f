"""What a calibrator or a certificate speaks of, and the digests of all it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from visionrouter.schema.task import Task


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose answer to which task, bad by which loss.

    `subject` is a backend's name, or how an output was joined ("nano+scene_unet"): a merged output is a subject of its
    own. An item is bad where its loss (`loss`, e.g. "absrel") is over `loss_threshold`; None where the loss itself, in
    [0, 1], is what is bounded.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}

    subject: str
    task: Task
    loss: str
    loss_threshold: float | None = None

    @property
    def bad_is(self) -> str:
        """The loss, and over what an item is bad: "absrel > 0.1"."""
        return self.loss if self.loss_threshold is None else f"{self.loss} > {self.loss_threshold:g}"

    def __str__(self) -> str:
        return f"{self.subject}, {self.task.value}, {self.bad_is}"


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256, hex: what must be the same at run time as it was at calibration.

    `weights` of the subject; `evidence` of the probes and the preprocessing that made the signals; `calibrator` of the
    map from signals to confidence; `data` of the labelled rows that the certificate counts.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}

    weights: str
    evidence: str
    calibrator: str
    data: str

    def differences(self, other: Digests) -> tuple[str, ...]:
        """Names of the fields that differ."""
        return tuple(name for name in self.__slots__ if getattr(self, name) != getattr(other, name))


@dataclass(frozen=True, slots=True)
class MadeWith:
    """What answers of one scope were made with, as SHA-256, hex: the `weights` of the subject (joined by "+" for a joint
    one, "" for none), and the `evidence`: probes, versions, second opinion and mending."""

    weights: str
    evidence: str

    def differences(self, other: MadeWith) -> tuple[str, ...]:
        """Names of the fields that differ."""
        return tuple(name for name in self.__slots__ if getattr(self, name) != getattr(other, name))
