"""All shots of a run, by cell and system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from visionrouter.benchmarks.rainy.document import ORACLE, Condition, Shot
from visionrouter.benchmarks.rainy.shoot import Parts, Taken
from visionrouter.experiment.pairs import size_kind

_OCCLUDED = ((0.05, "none"), (0.35, "some"), (1.01, "most"))
"""Bins of the hidden share, each below its bound."""

Cell = tuple[str, str]
"""Task and condition."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is kept of an answer."""

    shot: Shot
    parts: Parts


@dataclass(slots=True)
class Answers:
    """Answers by cell, by system, in the order of the items, which is the same for all systems that answer a cell.
    `left_out`: how many of a task's items are not among them, since nobody's answer could be judged."""

    cells: dict[Cell, dict[str, list[Held]]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, taken: Sequence[Taken], alone: frozenset[str]) -> None:
        """The answers of all systems to one case; the oracle's is the cheapest of those of the backends alone."""
        shots = [Held(t.shot, t.parts) for t in taken]
        candidates = [held for held in shots if held.shot.system in alone]
        if candidates:
            best = min(candidates, key=lambda held: held.shot.utility)
            shots.append(Held(replace(best.shot, system=ORACLE), best.parts))
        for held in shots:
            cell = self.cells.setdefault((held.shot.task, held.shot.condition), {})
            cell.setdefault(held.shot.system, []).append(held)

    def slices(
        self, conditions: Sequence[Condition]
    ) -> tuple[list[Condition], dict[Cell, dict[str, list[Held]]]]:
        """Cells by the size and the occlusion of what is asked for, over the clean and the damaged items: every scene
        comes under the same conditions, so the mix of damages is one in all of them."""
        mixed = {c.name for c in conditions if c.group in ("clean", "damage")}
        made: dict[Cell, dict[str, list[Held]]] = {}
        found: dict[str, Condition] = {}
        for (task, condition), systems in self.cells.items():
            if condition not in mixed:
                continue
            for system, helds in systems.items():
                for held in helds:
                    for one in _sliced(held.shot):
                        found[one.name] = one
                        made.setdefault((task, one.name), {}).setdefault(system, []).append(held)
        order = [f"size:{kind}" for kind in ("small", "medium", "large")]
        order += [f"occlusion:{kind}" for _, kind in _OCCLUDED]
        return [found[name] for name in order if name in found], made

    def all(self, task: str, conditions: Iterable[str]) -> dict[str, list[Held]]:
        """A task's answers under several conditions, by system."""
        pooled: dict[str, list[Held]] = {}
        for condition in conditions:
            for system, helds in self.cells.get((task, condition), {}).items():
                pooled.setdefault(system, []).extend(helds)
        return pooled


def _sliced(shot: Shot) -> list[Condition]:
    found = []
    if shot.size is not None:
        found.append(Condition(f"size:{size_kind(shot.size)}", "size", size_kind(shot.size)))
    if shot.occluded is not None:
        kind = next(name for bound, name in _OCCLUDED if shot.occluded < bound)
        found.append(Condition(f"occlusion:{kind}", "occlusion", kind))
    return found
