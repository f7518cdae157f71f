"""One table: how well backends answer on scenes that none was trained on, clean and under each damage.

    python -m visionrouter.benchmarks.tuning.evaluate --world town --backend nano --backend scene_unet --json town.json

Rows are conditions, columns scores of each backend: depth d1 and AbsRel (to 80 m), mean angle of normals in degrees,
semantic mIoU with each class in its fixed colour (a specialist paints in none: one column) and in colours drawn at
random, cIoU of things referred to, share of absent ones for which something is found all the same, AP of instances
and of boxes (COCO's, things over 1/700 of the picture), IoU of masks prompted by a box, PCK of poses at a tenth of a
person. A question that a backend has no word for is left out, and counted.

The backends are asked as a router asks them, and judged by their answers. The town holds what the embedded nano
backbone knows (eight kinds of things, three of stuff); the other worlds hold what the specialists learnt. With
`--json`, what was measured before is kept: the command goes on where it was killed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionrouter.benchmarks.tuning import scores
from visionrouter.schema.errors import RequestError, UnsupportedTargetError, VisionRouterError
from visionrouter.schema.palette import NAMED_COLOURS
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Task

if TYPE_CHECKING:
    from visionrouter.backends.base import Backend
    from visionrouter.benchmarks.labelled import Item
    from visionrouter.benchmarks.labelled.rendered import RenderedSource

HELD_OUT_SEED = 1_000_000_000
"""First seed of the scenes judged; tuning never comes near it."""
COLUMNS = {
    Task.DEPTH: ("depth d1", "AbsRel"),
    Task.NORMALS: ("normals deg",),
    Task.SEMANTIC: ("mIoU", "mIoU fixed"),
    Task.REFERRING: ("ref cIoU", "absent FP"),
    Task.INSTANCE: ("instance AP",),
    Task.POSE: ("pose PCK",),
    Task.PROMPTABLE: ("prompt IoU",),
    Task.DETECT: ("box AP",),
}
PAINTS = tuple(name for name in NAMED_COLOURS if name != "black")
LEFT_OUT = "left out"
ABSENT_RARITY = 3
"""How many times as many things are referred to: one in seven is absent, and some are wanted in every row."""
Results = dict[str, dict[str, dict[str, float]]]
"""Backend -> condition -> column -> value."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query, its truth, and the suffix of its columns."""

    query: Query
    item: Item
    suffix: str = ""


def questions(source: RenderedSource, task: Task, count: int, condition: str) -> Iterator[Question]:
    """A question of a task for each of `count` scenes, or of `ABSENT_RARITY` times as many for referring; semantic
    ones twice, in drawn and in fixed colours."""
    more = ABSENT_RARITY if task is Task.REFERRING else 1
    for item in source.items(task, more * count, conditions=(condition,)):
        asked = item.instruction
        query = Query(task, item.image, asked.targets, asked.palette, item.prompts, text=asked.text)
        yield Question(query, item)
        if task is Task.SEMANTIC:
            names = (*source.world.words.stuff, *source.world.words.things)
            yield Question(replace(query, palette=fixed(query, names)), item, " fixed")


def fixed(query: Query, names: Sequence[str]) -> tuple[PaletteEntry, ...]:
    """The palette with each class in its own colour, or the next free one."""
    taken: dict[str, str] = {}
    for entry in query.palette:
        start = names.index(entry.label) % len(PAINTS) if entry.label in names else 0
        free = (paint for paint in (*PAINTS[start:], *PAINTS[:start]) if paint not in taken.values())
        taken[entry.label] = next(free)
    return tuple(replace(e, rgb=NAMED_COLOURS[taken[e.label]], colour=taken[e.label]) for e in query.palette)


def judge(backend: Backend, asked: Sequence[Question]) -> dict[str, float]:
    """Scores of a backend's answers to questions of one condition."""
    parts: list[scores.Tally | scores.Found] = []
    left_out = 0
    for question in asked:
        query, truth = question.query, question.item.truth
        try:
            (prediction,) = backend.predict([query])
        except UnsupportedTargetError:
            left_out += 1
            continue
        for part in scores.score(query.task, prediction.payload, truth, query.image.size[1]):
            stem, slash, label = part.name.partition("/")
            parts.append(replace(part, name=f"{stem}{question.suffix}{slash}{label}"))
    return scores.summarise(parts) | {LEFT_OUT: left_out}


def evaluate(
    backends: Mapping[str, Backend],
    source: RenderedSource,
    conditions: Sequence[str],
    count: int,
    kept: Path | None = None,
) -> Results:
    """Every backend on `count` scenes a task and condition. With `kept`, results so far are read from there and every
    new one is written at once. Raises `RequestError` where that file is of another measurement, or has no folder."""
    settings = {"source": source.name, "split": source.split, "size": source.size, "count": count}
    results: Results = _read(kept, settings)
    for condition in conditions:
        asked: dict[Task, list[Question]] = {}
        for name, backend in backends.items():
            have = results.setdefault(name, {}).setdefault(condition, {LEFT_OUT: 0})
            once = backend.spec.kind == "specialist"
            for task, columns in COLUMNS.items():
                if task not in backend.spec.tasks or any(column in have for column in columns):
                    continue
                if task not in asked:
                    asked[task] = list(questions(source, task, count, condition))
                found = judge(backend, [q for q in asked[task] if not (once and q.suffix)])
                have |= found | {LEFT_OUT: have[LEFT_OUT] + found[LEFT_OUT]}
                _write(kept, settings, results)
            sys.stderr.write(f"{condition} {name}\n")
    return results


def _write(kept: Path | None, settings: Mapping[str, Any], results: Results) -> None:
    if kept is not None:
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps({"settings": settings, "results": results}, indent=1) + "\n")
        partial.replace(kept)


def _read(kept: Path | None, settings: Mapping[str, Any]) -> Results:
    if kept is not None and not kept.parent.is_dir():
        raise RequestError(f"{kept}: there is no folder {kept.parent}; make it, or give another file")
    if kept is None or not kept.is_file():
        return {}
    held = json.loads(kept.read_text(encoding="utf-8"))
    if held.get("settings") != settings:
        raise RequestError(
            f"{kept}: holds another measurement ({held.get('settings')}); give the same options or another file"
        )
    results: Results = held["results"]
    return results


def table(results: Results, backends: Sequence[str], conditions: Sequence[str]) -> str:
    """Conditions as rows, the scores of each backend as columns, in Markdown; and how much was left out."""
    columns = [
        (name, column)
        for name in backends
        for column in (c for some in COLUMNS.values() for c in some)
        if any(column in results[name][condition] for condition in conditions)
    ]
    lines = [
        "| | " + " | ".join(f"{name} {column}" for name, column in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for condition in conditions:
        cells = [results[name][condition].get(column) for name, column in columns]
        shown = ("-" if v is None else f"{v:.1f}" if v >= 2 else f"{v:.3f}".lstrip("0") for v in cells)
        lines.append(f"| {condition} | " + " | ".join(shown) + " |")
    for name in backends:
        left = int(sum(results[name][condition][LEFT_OUT] for condition in conditions))
        if left:
            lines.append(f"\n{name} has no word for {left} of the questions; they are left out.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    from visionrouter.benchmarks.scenes import DAMAGES

    parser = argparse.ArgumentParser(
        description="Judge backends on rendered scenes that none was trained on."
    )
    parser.add_argument("--world", default="mixed", help="town, street, room, table, landscape or mixed")
    parser.add_argument("--profile", default="nano")
    parser.add_argument(
        "--backend", action="append", help="of the profile; again for another, all by default"
    )
    parser.add_argument("--count", type=int, default=24, help="scenes for each task and condition")
    parser.add_argument("--severity", type=int, default=3, choices=range(1, 6))
    parser.add_argument(
        "--damage", action="append", choices=DAMAGES, help="again for another; all by default"
    )
    parser.add_argument("--split", default="test", choices=("calibration", "test"))
    parser.add_argument("--json", type=Path, help="keep the results here, and go on from them")
    given = parser.parse_args(arguments)
    conditions = ("clean", *(f"{kind}{given.severity}" for kind in given.damage or DAMAGES))
    try:
        shown = _evaluated(given, conditions)
    except VisionRouterError as error:
        sys.exit(str(error))
    sys.stdout.write(shown + "\n")


def _evaluated(given: argparse.Namespace, conditions: Sequence[str]) -> str:
    from visionrouter.backends.profile import load_profile
    from visionrouter.benchmarks.labelled.rendered import RenderedSource, proving_ground, town_world

    backends = load_profile(given.profile).backends
    missing = [name for name in given.backend or () if name not in backends]
    if missing:
        raise RequestError(
            f"profile {given.profile} has no {', '.join(missing)}; it has {', '.join(backends)}"
        )
    chosen = {name: backends[name] for name in given.backend or backends}
    world = town_world() if given.world == "town" else proving_ground(given.world)
    source = RenderedSource(given.world, world, given.split)
    results = evaluate(chosen, source, conditions, given.count, given.json)
    return table(results, list(chosen), conditions)


if __name__ == "__main__":
    main()
