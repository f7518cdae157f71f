"""What is said to a model that reads any words (arXiv 2604.20329: each task an instruction, each answer a picture)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from visionrouter.schema.errors import ProfileError
from visionrouter.schema.task import Task

PAPER: Mapping[Task, str] = MappingProxyType(
    {
        Task.DEPTH: (
            "Draw a metric depth map of this image. From near to far the colors are black, red, yellow, green, cyan, "
            "blue, magenta, white."
        ),
        Task.NORMALS: (
            "Draw a surface normal map of this image. Left is pinkish red, up is light green, towards the viewer is "
            "light blue."
        ),
        Task.SEMANTIC: "Draw a semantic segmentation map of this image, using this color mapping: {}",
        Task.REFERRING: "Segment {}: draw it in solid white on a black background.",
        Task.INSTANCE: (
            "Draw an instance segmentation map of this image: each {} in a solid color of its own, everything else "
            "black."
        ),
    }
)
"""`{}` takes a palette as JSON, a target or a class."""

GRAYSCALE_DEPTH = "Draw a depth map of this image in grayscale: the nearer, the brighter."
"""For models that draw relative depth in gray."""


class Wording:
    """One phrase a task. `changed` replaces the paper's for a model that was tuned on other words."""

    def __init__(self, changed: Mapping[str, str] | None = None, *, is_grayscale: bool = False) -> None:
        """Raises `ProfileError` for a task that is not drawn, or a phrase whose `{}` is missing or too many."""
        phrases = {**PAPER, **({Task.DEPTH: GRAYSCALE_DEPTH} if is_grayscale else {})}
        for name, phrase in (changed or {}).items():
            if name not in phrases:
                raise ProfileError(
                    f"wording: no drawn task is called {name!r}; there are {', '.join(phrases)}"
                )
            gaps = PAPER[Task(name)].count("{}")
            if phrase.count("{}") != gaps:
                raise ProfileError(f"wording: {phrase!r} must hold {{}} {gaps} times for {name}")
            phrases[Task(name)] = phrase
        self._phrases: Mapping[Task, str] = phrases

    @property
    def tasks(self) -> frozenset[Task]:
        """The tasks that there are words for."""
        return frozenset(self._phrases)

    def say(self, task: Task, words: str = "") -> str:
        """The prompt of a task."""
        return self._phrases[task].replace("{}", words)

    def say_palette(self, pairs: Sequence[tuple[str, str]], ground: str) -> str:
        """The prompt for (class, colour) pairs; `ground` is what black stands for."""
        mapping = {**dict(pairs), ground: "black"}
        return self.say(Task.SEMANTIC, json.dumps(mapping, ensure_ascii=False))
