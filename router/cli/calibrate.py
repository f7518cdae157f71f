"""`visionrouter calibrate`: how sure is sure, measured on labelled data."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from visionrouter.cli.proving import proving
from visionrouter.schema.errors import RequestError
from visionrouter.schema.task import Task

TASKS = [task.value for task in Task if task is not Task.COMPOSITE]


@click.command()
@click.option("--task", required=True, type=click.Choice(TASKS), help="What is asked of every image.")
@click.option(
    "--data", default="town", show_default=True, help="town, scenes, scenes:WORLD, coco:DIR or depth:DIR."
)
@click.option(
    "--ledger",
    metavar="LEDGER",
    help="In place of --data: audited answers that were labelled, under --policy.",
)
@click.option("--metric", default="good", show_default=True, help="The label in the ledger that is the loss.")
@click.option(
    "--scene", metavar="TAG", help="The tag in the ledger that names the scene; each request is one."
)
@click.option(
    "--policy", default="default", show_default=True, help="Whose route is calibrated: preset or YAML."
)
@click.option("--profile", default="nano", show_default=True, help="A profile's name, or a YAML file.")
@click.option("--n", "count", default=400, show_default=True, type=click.IntRange(20), help="How many items.")
@click.option("--conditions", help="Comma-separated, such as clean,fog3; a mix of weathers by default.")
@click.option(
    "--alpha", default=0.1, show_default=True, type=click.FloatRange(0, 1, True, True), help="The risk."
)
@click.option(
    "--delta",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1, True, True),
    help="1 - confidence in it.",
)
@click.option(
    "--method",
    default="ltt-binomial",
    show_default=True,
    type=click.Choice(["ltt-binomial", "ltt-hb", "crc-joint"]),
)
@click.option("--by", metavar="TAG", help="Certify each value of a tag by itself, for example weather.")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Of scenes and of the halves."
)
@click.option(
    "--rows",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep what was measured in this file (JSON Lines), and go on from it where it exists.",
)
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False), help="Write a page a subject here."
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The calibration file."
)
def calibrate(
    task: str,
    data: str,
    ledger: str | None,
    metric: str,
    scene: str | None,
    policy: str,
    profile: str,
    count: int,
    conditions: str | None,
    alpha: float,
    delta: float,
    method: str,
    by: str | None,
    seed: int,
    rows: Path | None,
    report: Path | None,
    out: Path,
) -> None:
    """Calibrate the answers along a policy's route, and certify what can be certified of them.

    The file goes to the router: Router.from_profile(..., calibrations=[FILE]), for policies that accept by
    {confidence: ...} or {risk: ...}. It holds for the route's evidence, second opinion and mending, and for the weights
    that ran; with others it is refused.
    """
    from visionrouter.confidence.report_text import summary

    calibration = proving("calibration.run")
    levels = calibration.Levels(alpha, delta, method, by)
    if ledger is not None:
        if rows is not None:
            raise click.UsageError("--rows keeps what is measured on --data; a ledger keeps its own")
        on_ledger = proving("calibration.audited").calibrate_on_ledger
        done, left_out = on_ledger(
            ledger, profile, policy, Task(task), levels, metric=metric, scene=scene, seed=seed
        )
        calibration.write(done, Task(task), out, report)
        for why, n in left_out.items():
            click.echo(f"left out {n:,}: {why}", err=True)
    else:
        source = proving("labelled.opening").open_source(data)
        if Task(task) not in source.tasks:
            raise RequestError(f"{data} has no labels for {task}; it has {', '.join(sorted(source.tasks))}")
        shown = tuple(c.strip() for c in conditions.split(",")) if conditions else calibration.CONDITIONS
        unknown = [c for c in shown if c not in source.conditions] if conditions else []
        if unknown:
            raise RequestError(
                f"{data} has no condition {', '.join(unknown)}; it has {', '.join(source.conditions)}"
            )
        plan = calibration.Plan(profile, policy, source, Task(task), count, shown, seed)
        with click.progressbar(length=count, label=f"asking {count} items", file=sys.stderr) as bar:
            done = calibration.run(
                plan, levels, out, report, rows, lambda so_far: bar.update(so_far - bar.pos)
            )
    for page in done.reports.values():
        click.echo(summary(page))
    for subject, why in done.skipped.items():
        click.echo(f"{subject}: not calibrated; {why}", err=True)
    click.echo(f"wrote {out}")
