"""`visionrouter bench`: what a router is worth when pictures, words and backends go bad."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from visionrouter.cli.proving import proving
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

TASKS = [task.value for task in Task if task is not Task.COMPOSITE]
_Folder = click.Path(path_type=Path, file_okay=False)


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option(
                "--profile", default="nano", show_default=True, help="A profile's name, or a YAML file."
            ),
            click.option(
                "--data", default="town", show_default=True, help="town, scenes, scenes:WORLD, coco:DIR or depth:DIR."
            ),
            click.option(
                "--scenes", default=4, show_default=True, type=click.IntRange(1), help="Scenes a cell."
            ),
            click.option(
                "--conditions", help="Comma-separated: fog3, fog, 3, damage, odd, wording; all by default."
            ),
            click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of scenes and draws."),
            click.option(
                "--store", type=_Folder, help="Keep what models said here (default: in --out), and go on from it."
            ),
            click.option("--out", required=True, type=_Folder, help="The folder to write to."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


_calibrations = click.option(
    "--calibration",
    "calibrations",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A file of `calibrate`, for policies that accept by confidence or risk; repeatable.",
)


@click.group()
def bench() -> None:
    """Benchmarks of a router on labelled data. Killed at any moment, they go on where they were."""


@bench.command("rainy-day")
@_shared
@click.option(
    "--policies",
    help="Comma-separated presets and YAML files; the presets that route by default.",
)
@click.option("--tasks", help=f"Comma-separated, of {', '.join(TASKS)}; all that can be asked by default.")
@click.option(
    "--plants",
    default=12,
    show_default=True,
    type=click.IntRange(0),
    help="Scenes into whose answers wrong ones are planted.",
)
@click.option(
    "--faults", default="0.01,0.1", show_default=True, help="Comma-separated shares of calls that fail."
)
@_calibrations
@click.option(
    "--draws", default=1000, show_default=True, type=click.IntRange(100), help="Resamples of an interval."
)
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes that ask the models."
)
@click.option(
    "--leaderboard",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Add a line a system to this file (JSON Lines), in place of an older one of the same.",
)
def rainy_day(
    profile: str,
    data: str,
    scenes: int,
    conditions: str | None,
    seed: int,
    store: Path | None,
    out: Path,
    policies: str | None,
    tasks: str | None,
    plants: int,
    faults: str,
    calibrations: tuple[Path, ...],
    draws: int,
    jobs: int,
    leaderboard: Path | None,
) -> None:
    """Tasks x conditions x systems, with planted hallucinations and calls that fail.

    Writes rainy-day.json, rainy-day.md, rainy-day.html and pictures of the worst failures. Every policy, each backend alone, all of them
    merged and the better backend of each image are compared on the same answers.
    """
    rainy = proving("rainy.run")
    plan = rainy.Plan(
        profile=profile,
        data=data,
        policies=_words(policies) or rainy.PRESETS,
        tasks=tuple(_task(word) for word in _words(tasks)),
        conditions=_words(conditions),
        scenes=scenes,
        plants=plants,
        fault_rates=tuple(_rate(word) for word in _words(faults)),
        calibrations=tuple(map(str, calibrations)),
        seed=seed,
        draws=draws,
        command=_command(),
    )
    with Bars() as bars:
        document = rainy.run(plan, out, store, bars, jobs)
    for note in document.notes:
        click.echo(note, err=True)
    for target in document.targets:
        found = "not told" if target.value is None else f"{target.value:.4g}"
        click.echo(
            f"{'met   ' if target.met else 'MISSED'} {target.name}, {target.system}: {found} ({target.wanted})"
        )
    if leaderboard is not None:
        proving("rainy.leaderboard").add(document, leaderboard)
        click.echo(f"wrote {leaderboard}")
    click.echo(f"wrote {out / rainy.JSON}, {rainy.MARKDOWN} and {rainy.HTML}")


@bench.command()
@_shared
@click.option("--tasks", help="Comma-separated; all that two backends do by default.")
@click.option("--first", help="The backend that is always asked; the cheapest by default.")
@click.option("--second", help="The backend that the rest is sent on to; the dearest by default.")
@click.option(
    "--signals", help="Comma-separated: what the gate looks at; every signal of the first by default."
)
@_calibrations
def frontier(
    profile: str,
    data: str,
    scenes: int,
    conditions: str | None,
    seed: int,
    store: Path | None,
    out: Path,
    tasks: str | None,
    first: str | None,
    second: str | None,
    signals: str | None,
    calibrations: tuple[Path, ...],
) -> None:
    """Sweep a gate on one signal: cost and quality against random routing, always one, and the oracle.

    Writes frontier.json, frontier.md and frontier.html with the curves.
    """
    report = proving("rainy.frontier_report")
    plan = report.FrontierPlan(
        profile=profile,
        data=data,
        tasks=tuple(_task(word) for word in _words(tasks)),
        conditions=_words(conditions) or report.DAMAGED,
        first=first,
        second=second,
        signals=_words(signals),
        scenes=scenes,
        calibrations=tuple(map(str, calibrations)),
        seed=seed,
    )
    with Bars() as bars:
        study = report.run(plan, out, store, bars)
    click.echo(report.markdown(study), nl=False)
    click.echo(f"wrote {out / report.STEM}.json, .md and .html")


class Bars:
    """A progress bar a phase, on stderr."""

    def __init__(self) -> None:
        self._bar: ProgressBar[int] | None = None

    def __enter__(self) -> Bars:
        return self

    def __call__(self, phase: str, steps: int) -> Callable[[], None]:
        self._close()
        bar = click.progressbar(length=steps, label=f"{phase:20.20}", file=sys.stderr)
        bar.__enter__()
        self._bar = bar
        return lambda: bar.update(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
        self._bar = None


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _task(word: str) -> Task:
    if word not in TASKS:
        raise click.BadParameter(f"{word!r} is no task; choose among {', '.join(TASKS)}")
    return Task(word)


def _rate(word: str) -> float:
    try:
        rate = float(word)
    except ValueError:
        rate = -1.0
    if not 0 < rate < 1:
        raise click.BadParameter(f"--faults {word}: give shares of calls between 0 and 1")
    return rate


def _command() -> str:
    return f"visionrouter {shlex.join(sys.argv[1:])}"
