"""What the gate is worth on scenes that nothing was fitted on.

    python -m visionrouter.benchmarks.confidence --task depth --out runs/confidence

Calibrates the generative backbone, the specialist and what is mended of both on one split of rendered scenes, clean and
damaged, then scores systems on another. Rows are kept in the folder, so that a second run asks no model again. Writes
`<data>-<task>.md` with three tables: how well each signal tells bad from good, systems over all conditions, and risk and
coverage by condition.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from visionrouter.benchmarks.calibration.collect import Row
from visionrouter.benchmarks.calibration.fit import Calibrated, Levels, calibrate
from visionrouter.benchmarks.calibration.run import Plan, rows_of, write
from visionrouter.benchmarks.confidence.systems import Item, System, alone, by_item, gated, score
from visionrouter.benchmarks.labelled.item import Split
from visionrouter.benchmarks.labelled.opening import open_source
from visionrouter.confidence.report_text import summary
from visionrouter.confidence.scope import MadeWith
from visionrouter.schema.task import Task

POLICY = Path(__file__).parent / "policy.yaml"
TASKS = ["depth", "normals", "segment.semantic", "segment.referring", "segment.instance"]
BEST = 8
"""Signals shown."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--task", default="depth", choices=TASKS)
    parser.add_argument("--profile", default="proving-ground")
    parser.add_argument("--policy", default=str(POLICY))
    parser.add_argument("--data", default="town", help="a source of labelled scenes, such as scenes:street")
    parser.add_argument("--n", type=int, default=480, help="items to calibrate on")
    parser.add_argument("--test", type=int, default=200, help="items to score on")
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--delta", type=float, default=0.1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    task = Task(given.task)
    given.out.mkdir(parents=True, exist_ok=True)
    stem = f"{given.data.replace(':', '-')}-{task.value}"

    def collected(split: Split, count: int) -> tuple[Plan, list[Row], dict[str, MadeWith]]:
        plan = Plan(given.profile, given.policy, open_source(given.data, split), task, count)
        rows, made = rows_of(
            plan, given.out / f"{stem}-{split}.jsonl", lambda done: _tell(split, done, count)
        )
        return plan, rows, made

    plan, rows, made_with = collected("calibration", given.n)
    done = calibrate(rows, made_with, Levels(given.alpha, given.delta), data=plan.words)
    write(done, task, given.out / f"{stem}.json", given.out / stem)
    _, held_out, _ = collected("test", given.test)
    text = page(task, given.data, done, by_item(held_out))
    (given.out / f"{stem}.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def page(task: Task, data: str, done: Calibrated, items: Sequence[Item]) -> str:
    """The three tables, in Markdown. Items are of scenes that nothing was fitted on."""
    parts = [f"## {task.value} on {data}\n"]
    for subject, report in done.reports.items():
        parts.append(f"**{subject}**: {summary(report)}\n")
    main_subject = next(iter(done.reports))
    parts.append(_signals(done, main_subject))
    systems = _systems(done, items)
    parts.append(_overall(task, items, systems))
    parts.append(_by_condition(task, items, systems))
    skipped = [f"- {name}: not calibrated; {why}" for name, why in done.skipped.items()]
    return "\n".join([*parts, *skipped]) + "\n"


def _signals(done: Calibrated, subject: str) -> str:
    rows = done.reports[subject].signals[: BEST + 1]
    lines = [f"| signal of {subject} | AUROC of bad (95 %) |", "|---|---|"]
    return "\n".join([*lines, *(f"| {row.name} | {row.auroc} |" for row in rows)]) + "\n"


def _systems(done: Calibrated, items: Sequence[Item]) -> dict[str, System]:
    """The backends alone, and routed by certificate: the first alone, whole fallback, mended and then whole."""
    made = list(dict.fromkeys(subject for item in items for subject in item))
    plain = [subject for subject in made if "+" not in subject]
    mended = [subject for subject in made if "+" in subject]
    systems: dict[str, System] = {f"{subject} alone, no gate": alone(subject) for subject in plain}
    systems[f"{plain[0]}, gate"] = gated(plain[:1], done.document)
    systems["routed, whole fallback"] = gated(plain, done.document)
    if mended:
        systems["routed, by region"] = gated([plain[0], *mended, *plain[1:]], done.document)
        systems[f"{mended[0]} always, no gate"] = alone(mended[0])
    return systems


def _overall(task: Task, items: Sequence[Item], systems: dict[str, System]) -> str:
    lines = [
        "| system | answered | bad among the answered | mean loss | seconds an item |",
        "|---|---|---|---|---|",
    ]
    for name, system in systems.items():
        s = score(items, system, task)
        risk, loss = (f"{s.risk:.1%}", f"{s.loss:.4f}") if s.coverage else ("-", "-")
        lines.append(f"| {name} | {s.coverage:.0%} | {risk} | {loss} | {s.seconds:.2f} |")
    return "\n".join(lines) + "\n"


def _by_condition(task: Task, items: Sequence[Item], systems: dict[str, System]) -> str:
    conditions = list(dict.fromkeys(_condition(item) for item in items))
    lines = [
        "| condition | " + " | ".join(systems) + " |",
        "|---|" + "---|" * len(systems),
    ]
    for condition in conditions:
        some = [item for item in items if _condition(item) == condition]
        cells = (score(some, system, task) for system in systems.values())
        shown = (f"{c.risk:.0%} of {c.coverage:.0%}" if c.coverage else "none" for c in cells)
        lines.append(f"| {condition} ({len(some)}) | " + " | ".join(shown) + " |")
    return "Bad among the answered, of the share answered:\n\n" + "\n".join(lines) + "\n"


def _condition(item: Item) -> str:
    return next(iter(item.values())).tags.get("condition", "")


def _tell(split: str, done: int, count: int) -> None:
    if done % 20 == 0 or done == count:
        sys.stderr.write(f"{split}: {done} of {count}\n")


if __name__ == "__main__":
    main()
