"""`visionrouter calibrate`: collect rows along a policy's route, resumably, then fit, certify, save and report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from visionrouter.benchmarks.calibration.collect import Row, append_rows, collect, load_rows, open_route
from visionrouter.benchmarks.calibration.fit import Calibrated, Levels, calibrate
from visionrouter.benchmarks.labelled.item import Item, Source
from visionrouter.confidence.documents import save_calibration
from visionrouter.confidence.report_html import html
from visionrouter.confidence.report_text import markdown
from visionrouter.confidence.scope import MadeWith
from visionrouter.policies import compile_policy, load_policy
from visionrouter.policies.load import PolicySource
from visionrouter.router import Router
from visionrouter.schema.errors import CalibrationError
from visionrouter.schema.task import Task

CONDITIONS = (
    "clean", "clean", "clean", "fog2", "fog4", "rain3", "snow3", "night3", "glare2", "motion_blur3", "defocus3",
    "noise3", "jpeg3",
)  # fmt: skip
"""What scenes are shown under unless said otherwise: clean ones have a weight of three."""
Progress = Callable[[int], None]
"""Told how many items are done."""


def _silent(_: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Plan:
    """What is collected: `count` items of `source`, dealt over `conditions`, along the route that `policy` gives `task`
    with the backends of `profile`."""

    profile: str
    policy: PolicySource
    source: Source
    task: Task
    count: int
    conditions: Sequence[str] = CONDITIONS
    seed: int = 0

    def items(self) -> Iterator[Item]:
        """Each condition has scenes of its own, so that items are independent; they come by turns."""
        known = [c for c in self.conditions if c in self.source.conditions]
        if not known:
            raise CalibrationError(
                f"{self.source.name} has none of the conditions {', '.join(self.conditions)}; "
                f"it has {', '.join(self.source.conditions)}"
            )
        each = -(-self.count // len(known))
        dealt = [
            self.source.items(self.task, each, seed=self.seed + k, conditions=(condition,))
            for k, condition in enumerate(known)
        ]
        given = 0
        while dealt and given < self.count:
            for items in tuple(dealt):
                item = next(items, None)
                if item is None:
                    dealt.remove(items)
                elif given < self.count:
                    given += 1
                    yield item

    @property
    def words(self) -> str:
        """For the provenance."""
        shown = ", ".join(dict.fromkeys(self.conditions))
        return (
            f"{self.count} items of {self.source.name} ({self.source.digest[:12]}), seed {self.seed}: {shown}"
        )


def rows_of(
    plan: Plan, path: Path | None, progress: Progress = _silent
) -> tuple[list[Row], dict[str, MadeWith]]:
    """The rows of a plan, and what the answers were made with.

    With `path`, rows are appended to it as they are made, and items that it has already are not asked again. Raises
    `CalibrationError` where the rows there were made along another route.
    """
    rows: list[Row] = []
    items = plan.items()
    first = next(items, None)
    if first is None:
        raise CalibrationError(f"{plan.source.name} gave no item for {plan.task}")
    policy = open_route(compile_policy(load_policy(plan.policy)), first.request)
    with Router.from_profile(plan.profile, policy) as router:
        made = dict(router.made_with(first.request))
        mark = _mark(made)
        if path is not None and path.exists():
            rows = _resumed(path, mark)
        done = {row.item for row in rows}
        asked = chain([first], items) if len(done) < plan.count else iter(())
        wanted = (item for item in asked if item.id not in done)
        for item, fresh in collect(router, wanted, plan.seed):
            rows += fresh
            done.add(item.id)
            if path is not None:
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"{mark}\n", encoding="utf-8")
                append_rows(path, fresh)
            progress(len(done))
    return rows, made


def run(
    plan: Plan,
    levels: Levels,
    out: Path,
    report: Path | None = None,
    rows_path: Path | None = None,
    progress: Progress = _silent,
) -> Calibrated:
    """Collect, fit, certify, and write the document to `out` and a page a subject into the folder `report`."""
    rows, made_with = rows_of(plan, rows_path, progress)
    done = calibrate(rows, made_with, levels, data=plan.words, seed=plan.seed)
    write(done, plan.task, out, report)
    return done


def write(done: Calibrated, task: Task, out: Path, report: Path | None = None) -> None:
    """The document to `out`, and a page a subject into the folder `report`."""
    save_calibration(done.document, out)
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
        for subject, page in done.reports.items():
            stem = f"{subject}-{task.value}"
            (report / f"{stem}.html").write_text(html(page), encoding="utf-8")
            (report / f"{stem}.md").write_text(markdown(page), encoding="utf-8")


def _mark(made: dict[str, MadeWith]) -> str:
    """The first line of a rows file: what its answers were made with."""
    text = ";".join(f"{name}:{m.weights}:{m.evidence}" for name, m in sorted(made.items()))
    return f"# {hashlib.sha256(text.encode()).hexdigest()}"


def _resumed(path: Path, mark: str) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        found = file.readline().rstrip("\n")
    if found != mark:
        raise CalibrationError(
            f"{path}: its rows were made along another route or with other weights; name another file"
        )
    return load_rows(path)
