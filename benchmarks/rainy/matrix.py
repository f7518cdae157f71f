"""What is asked: tasks, and the conditions under which each scene is shown and each question put."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from visionrouter.benchmarks.labelled.condition import CLEAN, ODD, TILTED, condition
from visionrouter.benchmarks.labelled.item import Item, Source
from visionrouter.benchmarks.labelled.opening import open_source
from visionrouter.benchmarks.rainy.document import Condition, Group
from visionrouter.benchmarks.rainy.wording import (
    WORDINGS,
    is_nothing,
    kinds,
    missing,
    misspell,
    paraphrase,
    wordings_of,
)
from visionrouter.schema.errors import MissingExtraError, RequestError
from visionrouter.schema.task import Task

WORLDS = ("street", "room", "table", "landscape")
SEARCHED = 40
"""Scenes looked through for one that is asked about in vain, at most, for each that is wanted."""
GROUPS: tuple[Group, ...] = ("clean", "damage", "odd", "wording")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """An item under a condition. `words`: how it is put, None for the standard wording."""

    item: Item
    condition: Condition
    words: str | None = None

    @property
    def id(self) -> str:
        return self.item.id if self.words is None else f"{self.item.id}/{self.condition.name}"

    @property
    def task(self) -> Task:
        return self.item.instruction.task


@dataclass(frozen=True, slots=True)
class Matrix:
    """`scenes` scenes of every task, each under every condition of `shown`, asked in every wording of `worded`; and as
    many scenes of every foreign world. The same scenes come under all conditions, so that cells are paired.

    `strange`: conditions of a foreign source, each with the source and the source's own name for it.
    """

    source: Source
    tasks: tuple[Task, ...]
    shown: tuple[Condition, ...]
    worded: tuple[Condition, ...]
    strange: tuple[tuple[Condition, Source, str], ...]
    scenes: int
    seed: int = 0
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Conditions, by kind, that are not shown since a library is not installed, and which."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (*self.shown, *(condition for condition, _, _ in self.strange), *self.worded)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not shown, and why."""
        if not self.lacking:
            return ()
        libraries = ", ".join(dict.fromkeys(self.lacking.values()))
        return (
            f"{', '.join(self.lacking)} are left out, {libraries} is not installed: "
            "pip install 'visionrouter[photos]'",
        )

    def count(self, task: Task) -> int:
        """How many cases there are to a task, at most."""
        worded = [c for c in self.worded if c.kind in wordings_of(task)]
        strange = [c for c, source, _ in self.strange if task in source.tasks]
        return self.scenes * (len(self.shown) + len(worded) + len(strange))

    def cases(self, task: Task) -> Iterator[Case]:
        """Every case of a task, in one order always."""
        known = {condition.name: condition for condition in self.shown}
        worded: dict[str, Condition] = {c.kind: c for c in self.worded if c.kind in wordings_of(task)}
        for item in self.source.items(task, self.scenes, seed=self.seed, conditions=tuple(known)):
            condition = known[item.tags["condition"]]
            yield Case(item, condition)
            if condition.name == CLEAN:
                yield from _reworded(item, worded)
        yield from self._in_vain(task, worded)
        for condition, source, name in self.strange:
            if task in source.tasks:
                for item in source.items(task, self.scenes, seed=self.seed, conditions=(name,)):
                    yield Case(item, condition)

    def _in_vain(self, task: Task, worded: dict[str, Condition]) -> Iterator[Case]:
        """Items of clean scenes that ask for what is not there, looked for from the first scene on."""
        wanted = {kind: self.scenes for kind in worded if kind in ("absent", "wrong_colour")}
        if not wanted:
            return
        for item in self.source.items(task, self.scenes * SEARCHED, seed=self.seed):
            kind = missing(item)
            if kind is not None and wanted.get(kind, 0):
                wanted[kind] -= 1
                yield Case(item, worded[kind], item.instruction.text)
            if not any(wanted.values()):
                return


def _reworded(item: Item, worded: dict[str, Condition]) -> Iterator[Case]:
    if is_nothing(item.truth):
        return
    for kind, reword in (("paraphrase", paraphrase), ("misspelling", misspell)):
        words = reword(item) if kind in worded else None
        if words is not None:
            yield Case(item, worded[kind], words)


def open_matrix(
    data: str,
    able: frozenset[Task],
    *,
    tasks: Sequence[Task] = (),
    conditions: Sequence[str] = (),
    scenes: int,
    seed: int = 0,
) -> Matrix:
    """The matrix over a source that `open_source` knows, its test split.

    `able`: what the backends can do between them. `tasks`: all of those that the source has labels for, unless given.
    `conditions`: names, damages ("fog": all its severities), severities ("3": of every damage) and groups ("damage",
    "odd", "wording"); all unless given, "clean" always. Those that lack their library are left out, unless they are
    named. Raises `RequestError` for what is not there, `MissingExtraError` for what is named and lacks its library.
    """
    source = open_source(data, "test")
    asked = tuple(tasks) or tuple(task for task in Task if task in able & source.tasks)
    for task in asked:
        if task not in source.tasks or task not in able:
            lacking = f"{data} has no labels for it" if task not in source.tasks else "no backend does it"
            raise RequestError(f"task {task.value}: {lacking}")
    if not asked:
        raise RequestError(f"no backend of the profile does any task that {data} has labels for")
    shown = tuple(_condition(name) for name in source.conditions if name != TILTED)
    strange = tuple(_strange(data, source))
    worded = tuple(Condition(kind, "wording", kind) for kind in kinds(asked))
    every = (*shown, *(c for c, _, _ in strange), *worded)
    unknown = [name for name in conditions if not any(_meant(c, [name]) for c in every)]
    if unknown:
        names = dict.fromkeys((*GROUPS, *(c.kind for c in every)))
        raise RequestError(f"{data} has no condition {', '.join(unknown)}; it has {', '.join(names)}")
    meant = tuple(c for c in shown if c.name == CLEAN or _meant(c, conditions))
    without = {c.kind: library for c in meant if (library := condition(c.name).lacks) is not None}
    for named in conditions:
        kind = _condition(named).kind
        if kind in without:
            raise MissingExtraError(
                f"condition {named} needs {without[kind]}; pip install 'visionrouter[photos]'"
            )
    return Matrix(
        source,
        asked,
        tuple(c for c in meant if c.kind not in without),
        tuple(c for c in worded if _meant(c, conditions)),
        tuple(s for s in strange if _meant(s[0], conditions)),
        scenes,
        seed,
        without,
    )


def narrowed(matrix: Matrix, scenes: int, severity: int | None = None) -> Matrix:
    """The same scenes and tasks, clean, and under damages of one severity or none."""
    kept = tuple(
        c for c in matrix.shown if c.name == CLEAN or (c.group == "damage" and c.severity == severity)
    )
    return replace(matrix, shown=kept, worded=(), strange=(), scenes=scenes)


def _meant(condition: Condition, names: Sequence[str]) -> bool:
    return not names or any(
        name in (condition.name, condition.kind, condition.group)
        or (name.isdigit() and condition.severity == int(name))
        for name in names
    )


def _condition(name: str) -> Condition:
    damaged = re.fullmatch(r"(?P<kind>.+?)(?P<severity>[1-5])", name)
    if damaged is not None:
        return Condition(name, "damage", damaged["kind"], int(damaged["severity"]))
    return Condition(name, "odd" if name == ODD else "clean", name)


def _strange(data: str, source: Source) -> Iterator[tuple[Condition, Source, str]]:
    """What is seen from an odd camera; and scenes unlike the town: the four worlds, and things, textures and scales that
    nobody was tuned on."""
    if TILTED in source.conditions:
        yield Condition(TILTED, "odd", TILTED), source, TILTED
    if data != "town":
        return
    for world in WORLDS:
        yield Condition(world, "odd", world), open_source(f"scenes:{world}", "test"), CLEAN
    yield Condition(ODD, "odd", ODD), open_source("scenes", "test"), ODD


__all__ = ["GROUPS", "WORDINGS", "Case", "Matrix", "narrowed", "open_matrix"]
