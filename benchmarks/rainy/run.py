"""`visionrouter bench rainy-day`: the matrix through every system, the trials, and the document.

What models said is kept in the store as it is said, so a run that was killed, or another with new policies, asks no
model what it was asked before.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

from visionrouter.backends.profile import load_profile
from visionrouter.benchmarks.rainy.ahead import Ahead, record_ahead
from visionrouter.benchmarks.rainy.answers import Answers
from visionrouter.benchmarks.rainy.document import (
    ORACLE,
    Condition,
    Document,
    Faulted,
    Machine,
    Options,
    Planted,
    Score,
    System,
)
from visionrouter.benchmarks.rainy.failures import Gallery
from visionrouter.benchmarks.rainy.intervals import Bootstrap
from visionrouter.benchmarks.rainy.markdown import markdown
from visionrouter.benchmarks.rainy.matrix import Matrix, narrowed, open_matrix
from visionrouter.benchmarks.rainy.recorded import recording
from visionrouter.benchmarks.rainy.report import html
from visionrouter.benchmarks.rainy.score import score_cell, summarise_task
from visionrouter.benchmarks.rainy.systems import PRESETS, Contender, contenders
from visionrouter.benchmarks.rainy.targets import targets
from visionrouter.benchmarks.rainy.trials import Bench, fault, plant
from visionrouter.router import Router
from visionrouter.schema.task import Task

JSON, MARKDOWN, HTML = "rainy-day.json", "rainy-day.md", "rainy-day.html"
Progress = Callable[[str, int], Callable[[], None]]
"""Told of a phase and how many steps it has; gives what is called after each."""
_SEVERITY = 3
"""Of the damages under which faults are crossed in."""
_FEW = 8
"""Scenes below which a percentile interval is not to be relied on."""
_LIBRARIES = ("numpy", "torch", "diffusers", "onnxruntime", "kornia")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run. `scenes` a cell; `plants`: scenes of the planted trials, a task; `fault_rates`: shares of calls."""

    profile: str = "nano"
    data: str = "town"
    policies: tuple[str, ...] = PRESETS
    tasks: tuple[Task, ...] = ()
    conditions: tuple[str, ...] = ()
    scenes: int = 4
    plants: int = 12
    fault_rates: tuple[float, ...] = (0.01, 0.1)
    calibrations: tuple[str, ...] = ()
    seed: int = 0
    draws: int = 1000
    command: str = ""


def silent(_: str, __: int) -> Callable[[], None]:
    return lambda: None


def run(
    plan: Plan, out: Path, store: Path | None = None, progress: Progress = silent, jobs: int = 1
) -> Document:
    """Everything, written to `out` as JSON and Markdown. `store`: the folder of recorded predictions, in `out` where
    none is named. With several `jobs`, models are asked in as many processes first. Raises `RequestError`,
    `PolicyError` or `ProfileError` before anything is run."""
    profile = load_profile(plan.profile)
    folder = store or out / "predictions"
    with recording(profile, folder) as (backends, notes):
        able = frozenset(task for backend in backends.values() for task in backend.spec.tasks)
        matrix = open_matrix(
            plan.data, able, tasks=plan.tasks, conditions=plan.conditions, scenes=plan.scenes, seed=plan.seed
        )
        bench = Bench.of(profile, backends, Bootstrap(plan.draws, plan.seed), plan.calibrations, plan.seed)
        contenders(backends, plan.policies)  # a policy that does not fit is told before an hour of recording
        if jobs > 1:
            what = Ahead(plan.profile, plan.data, matrix.tasks, plan.conditions, plan.scenes, plan.seed)
            record_ahead(what, folder, jobs, progress)
        document = conduct(plan, matrix, bench, out, notes, progress)
    write(document, out)
    return document


def conduct(
    plan: Plan,
    matrix: Matrix,
    bench: Bench,
    out: Path,
    notes: Sequence[str] = (),
    progress: Progress = silent,
) -> Document:
    """The matrix through every system, then the trials. Pictures of the worst failures go to `out`."""
    begun_s = perf_counter()
    entered = contenders(bench.backends, plan.policies)
    gallery = Gallery()
    answers = _answered(matrix, entered, bench, gallery, progress)
    conditions, scores = _scored(matrix, answers, entered, bench.boot, progress)
    alone = [c.name for c in entered if c.kind == "alone"]
    summaries = [
        summary
        for task in matrix.tasks
        for summary in summarise_task(task.value, answers, matrix.conditions, alone, bench.boot)
    ]
    planted, faulted = _tried(plan, matrix, [c for c in entered if c.kind != "alone"], bench, progress)
    named = [c.name for c in entered if c.kind == "policy"]
    return Document(
        made_by=f"visionrouter {version('visionrouter')}",
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=plan.command,
        options=_options(plan, matrix),
        machine=machine(),
        systems=(*(c.described(bench.backends) for c in entered), System(ORACLE, "oracle")),
        conditions=conditions,
        scores=tuple(scores),
        summaries=tuple(summaries),
        targets=tuple(targets(named, scores, summaries, planted, faulted)),
        planted=tuple(planted),
        faulted=tuple(faulted),
        failures=gallery.save(out),
        shots=tuple(held.shot for cell in answers.cells.values() for some in cell.values() for held in some),
        notes=(*notes, *_remarks(plan, matrix, answers)),
        seconds=round(perf_counter() - begun_s, 1),
    )


def _tried(
    plan: Plan, matrix: Matrix, policies: Sequence[Contender], bench: Bench, progress: Progress
) -> tuple[list[Planted], list[Faulted]]:
    planted: list[Planted] = []
    faulted: list[Faulted] = []
    if plan.plants:
        tick = progress(
            "planting", sum(t in b.spec.tasks for t in matrix.tasks for b in bench.backends.values())
        )
        planted = list(plant(bench, policies, narrowed(matrix, plan.plants), tick))
    for rate in plan.fault_rates:
        rough = narrowed(matrix, plan.scenes, _SEVERITY)
        tick = progress(f"faults at {rate:.0%}", sum(rough.count(task) for task in rough.tasks))
        faulted += fault(bench, policies, rough, rate, tick)
    return planted, faulted


def write(document: Document, out: Path) -> None:
    """The document, the table and the page, with the pictures that lie in `out` already."""
    out.mkdir(parents=True, exist_ok=True)
    (out / JSON).write_text(document.to_json(), encoding="utf-8")
    (out / MARKDOWN).write_text(markdown(document), encoding="utf-8")
    (out / HTML).write_text(html(document, out), encoding="utf-8")


def _answered(
    matrix: Matrix, entered: Sequence[Contender], bench: Bench, gallery: Gallery, progress: Progress
) -> Answers:
    """Every case put to every contender."""
    answers = Answers()
    alone = frozenset(c.name for c in entered if c.kind == "alone")
    policies = {c.name for c in entered if c.kind == "policy"}
    with ExitStack() as stack:
        routers: dict[str, Router] = {
            c.name: stack.enter_context(bench.router(c, bench.backends)) for c in entered
        }
        for task in matrix.tasks:
            tick = progress(task.value, matrix.count(task))
            for case in matrix.cases(task):
                marksman = bench.marksman(case)
                taken = []
                for contender in entered:
                    if contender.fits(task, bench.backends, bool(case.item.prompts)):
                        one = marksman.shoot(contender.name, routers[contender.name])
                        taken.append(one)
                if marksman.foreign:
                    answers.left_out[task.value] += 1
                else:
                    answers.add(taken, alone)
                    for one in taken:
                        if one.shot.system in policies:
                            gallery.offer(case, one)
                tick()
    return answers


def _scored(
    matrix: Matrix, answers: Answers, entered: Sequence[Contender], boot: Bootstrap, progress: Progress
) -> tuple[tuple[Condition, ...], list[Score]]:
    """Every cell, and every slice by size and occlusion."""
    alone = [c.name for c in entered if c.kind == "alone"]
    slices, sliced = answers.slices(matrix.conditions)
    cells = {**answers.cells, **sliced}
    tick = progress("scoring", len(cells))
    scores: list[Score] = []
    for (task, condition), systems in cells.items():
        scores += score_cell(task, condition, systems, alone, boot)
        tick()
    return (*matrix.conditions, *slices), scores


def _options(plan: Plan, matrix: Matrix) -> Options:
    return Options(
        plan.profile,
        plan.data,
        matrix.source.digest,
        tuple(task.value for task in matrix.tasks),
        plan.scenes,
        plan.seed,
        plan.draws,
        plan.policies,
        plan.calibrations,
    )


def _remarks(plan: Plan, matrix: Matrix, answers: Answers) -> Iterator[str]:
    yield from matrix.notes
    for task, n in answers.left_out.items():
        yield f"{task}: {n} items are left out, where no answer has a joint that the truth names"
    if plan.scenes < _FEW:
        yield (
            f"intervals over {plan.scenes} scenes are narrower than they should be: "
            "a bootstrap of few scenes knows little of the others"
        )
    if not matrix.strange and not any(c.group == "odd" for c in matrix.shown) and not plan.conditions:
        yield f"{plan.data} has no scenes of another domain, so there is no `odd`"
    if not any(c.group == "damage" for c in matrix.shown):
        yield "no damage was asked for, so there is no mPC"


def machine() -> Machine:
    libraries = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(
        platform.platform(terse=True),
        platform.processor() or platform.machine(),
        os.cpu_count() or 1,
        platform.python_version(),
        libraries,
    )
