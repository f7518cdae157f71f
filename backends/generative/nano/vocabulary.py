"""What a set of weights was tuned to say and draw: its classes, colour words, phrases and joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from visionrouter.backends.generative.codecs.codes import Codes
from visionrouter.backends.generative.codecs.keypoints import KeypointCode
from visionrouter.backends.generative.nano import codes, prompts
from visionrouter.backends.generative.nano.folder import WeightsFolder
from visionrouter.schema.errors import SchemaError, WeightsError
from visionrouter.schema.task import Task

_PHRASES: Mapping[Task, str] = {task: phrases[0] for task, phrases in prompts.PHRASES.items()}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words behind one set of weights.

    `stuff`, `things`: its classes. `colours`: the colour words that it knows things by. `phrases`: what is said for
    each task; `{}` takes a palette, a target or a class. `pair` and `joiner` write a palette. `max_classes`: most
    classes of one palette. `pose`: the joints it draws and their colours.
    """

    stuff: tuple[str, ...]
    things: tuple[str, ...]
    colours: tuple[str, ...]
    phrases: Mapping[Task, str]
    pair: str
    joiner: str
    max_classes: int
    pose: KeypointCode

    @property
    def classes(self) -> tuple[str, ...]:
        """Stuff, then things."""
        return (*self.stuff, *self.things)

    @property
    def code_set(self) -> Codes:
        """The codes it draws in."""
        return Codes(codes.DEPTH, codes.NORMALS, codes.INSTANCES, self.pose)

    @classmethod
    def read(cls, folder: WeightsFolder) -> Self:
        """Read `vocabulary.json`.

        `stuff`, `things` and `colours` must be there. The rest is there for weights that were tuned on other words
        or joints than `prompts` and `codes` hold. Raises `WeightsError`.
        """
        raw = folder.read_json("vocabulary.json")
        try:
            words = raw.get("wording", {})
            return cls(
                stuff=tuple(raw["stuff"]),
                things=tuple(raw["things"]),
                colours=tuple(raw["colours"]),
                phrases={task: words.get(task.value, phrase) for task, phrase in _PHRASES.items()},
                pair=words.get("pair", "{} = {}"),
                joiner=words.get("joiner", ", "),
                max_classes=raw.get("max_classes", prompts.MAX_CLASSES),
                pose=_pose(raw["pose"]) if "pose" in raw else codes.POSE,
            )
        except (KeyError, TypeError, ValueError, SchemaError) as error:
            raise WeightsError(
                f"{folder.path / 'vocabulary.json'}: {error!r}; it lists stuff, things and colours, reinstall it"
            ) from error

    def say(self, task: Task, words: str = "") -> str:
        """The prompt of a task; `words` fills the gap of its phrase."""
        return self.phrases[task].format(words)

    def say_palette(self, pairs: Sequence[tuple[str, str]]) -> str:
        """The prompt for (class, colour) pairs; other classes are drawn black."""
        return self.say(Task.SEMANTIC, self.joiner.join(self.pair.format(*pair) for pair in pairs))


def _pose(raw: Mapping[str, Any]) -> KeypointCode:
    colours = tuple((int(r), int(g), int(b)) for r, g, b in raw["colours"])
    return KeypointCode(tuple(raw["joints"]), colours, tuple((int(a), int(b)) for a, b in raw["edges"]))
