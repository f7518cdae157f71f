"""`visionrouter chaos`: what a policy does when its backends let it down."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from visionrouter.cli.proving import proving
from visionrouter.schema.errors import RequestError
from visionrouter.schema.task import Task

_TASKS = [task.value for task in Task if task is not Task.COMPOSITE]


@click.command()
@click.option("--policy", required=True, help="A preset's name, or a YAML file.")
@click.option(
    "--profile",
    help="Strike the backends of this profile (a name or a YAML file), with their weights, instead of fakes.",
)
@click.option(
    "--faults",
    default="all",
    show_default=True,
    metavar="NAME,NAME",
    help="Which faults: slow, timeout, exception, out_of_memory, hang_in_thread, hang, seize, crash, nan, wrong_shape, "
    "wrong_kind, constant, stale_digest, corrupted_weights, full_queue, clock_jump, disk_full.",
)
@click.option("--task", default="depth", show_default=True, type=click.Choice(_TASKS), help="What is asked.")
@click.option("--image", help="The picture it is asked of; noise by default, needed with --profile.")
@click.option(
    "--calibration",
    "calibrations",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file of `calibrate`, for a --profile; the fakes bring their own. Repeatable.",
)
@click.option(
    "--deadline-ms",
    default=500.0,
    show_default=True,
    type=click.FloatRange(20, 600_000),
    help="Of each request. What hangs in a process is killed after 0.2 of it.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table as JSON here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout instead of the table.")
def chaos(
    policy: str,
    profile: str | None,
    faults: str,
    task: str,
    image: str | None,
    calibrations: tuple[Path, ...],
    deadline_ms: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Strike a policy's backends with faults, and see what becomes of a request.

    Each fault strikes each backend of the route alone, then all of them at once. A cell is LOST where there was no
    outcome in time, and SILENTLY WRONG where the router vouched for an answer that is not the right one.

    Exit code 1 where a cell is either.
    """
    named = proving("chaos.faults").faults_named(faults)
    if out is not None and not out.absolute().parent.is_dir():
        raise RequestError(f"--out {out}: its folder does not exist; make it first")
    run, table = proving("chaos.run"), proving("chaos.table")
    rows = []
    for row in run.run(
        policy,
        named,
        Task(task),
        profile=profile,
        image=image,
        deadline_ms=deadline_ms,
        calibrations=calibrations,
    ):
        rows.append(row)
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{row.fault} {row.where}", nl=False, err=True)
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    document = table.as_document(rows, policy=policy, profile=profile, task=task, deadline_ms=deadline_ms)
    if out is not None:
        out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(document) if as_json else table.as_text(rows))
    if any(row.lost or row.wrong for row in rows):
        sys.exit(1)
