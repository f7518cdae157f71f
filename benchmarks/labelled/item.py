"""A labelled item, and where items come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from visionrouter.schema.image import Image
from visionrouter.schema.payload import Payload
from visionrouter.schema.request import NO_PROMPTS, Prompts, Request
from visionrouter.schema.task import Instruction, Task

Split = Literal["calibration", "test"]
"""Which scenes a source gives. No scene is in both."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One question about one image, with its true answer.

    `id`: unique and stable across runs, "town/1000000017/fog3/depth". `scene`: the unit of exchangeability; items of
    one scene (its tasks, its damages) are not independent. `truth`: in the image's own pixels; scores in it are 1 but
    for joints (1 visible, 0.5 hidden, 0 not labelled). A target that is not in the image has an empty mask, or no box.
    `tags`: at least `source`, `world`, `condition`, `damage`, `weather` and `severity`; a request may carry them.
    """

    id: str
    scene: str
    image: Image
    instruction: Instruction
    truth: Payload
    prompts: Prompts = NO_PROMPTS
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def request(self) -> Request:
        """The question as a router takes it."""
        return Request(self.image, self.instruction, self.prompts, dict(self.tags))


class Source(Protocol):
    """Labelled items by task. An item depends on (source, seed, place, condition) alone, not on what else is asked."""

    @property
    def name(self) -> str:
        """Short, as in ids."""

    @property
    def digest(self) -> str:
        """sha256 of what the data are, stable across runs and machines."""

    @property
    def tasks(self) -> frozenset[Task]:
        """What its labels can answer."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """What its scenes can be shown under; the first is "clean"."""

    def items(
        self, task: Task, count: int, *, seed: int = 0, conditions: Sequence[str] = ("clean",)
    ) -> Iterator[Item]:
        """`count` scenes, each under every condition in turn, made as they are asked for.

        Scenes of which the task cannot be asked are passed over, under all conditions alike. Another `seed` gives other
        scenes or, where there are no others, another order. A source of finite size ends where its scenes do. Raises
        `RequestError`, before the first item, for a task or a condition that the source has not.
        """
