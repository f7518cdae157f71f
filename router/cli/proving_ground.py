"""Commands of the proving ground: render scenes, and tune the embedded models on them or on one's own data."""

from __future__ import annotations

from pathlib import Path

import click

from visionrouter.cli.proving import proving


@click.group()
def scenes() -> None:
    """Rendered scenes with exact ground truth."""


@scenes.command()
@click.option("--world", default="mixed", show_default=True, help="street, room, table, landscape or mixed.")
@click.option(
    "--n", "count", default=16, show_default=True, type=click.IntRange(1, 100_000), help="How many scenes."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the first scene.")
@click.option("--size", default=256, show_default=True, type=click.IntRange(8, 4096), help="Side in pixels.")
@click.option("--damage", help="A weather or damage, for example fog.")
@click.option("--severity", default=3, show_default=True, type=click.IntRange(1, 5), help="Of the damage.")
@click.option("--ood", is_flag=True, help="Objects and textures that the embedded models never saw.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to."
)
def render(
    world: str, count: int, seed: int, size: int, damage: str | None, severity: int, ood: bool, out: Path
) -> None:
    """Write images, COCO-style ground truth, depth and a contact sheet."""
    export = proving("scenes.export")
    export.render_to_folder(world, count, seed, out, (size, size), damage=damage, severity=severity, ood=ood)
    click.echo(f"wrote {count} scenes to {out}/; look at {out / 'contact_sheet.png'}")


@click.command()
@click.option(
    "--config", required=True, help="The run: a YAML file, or one in the package (nano, sam, unet, yolo)."
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Length of the run; of this sitting where the file gives steps.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    help="The run's folder: made if missing, gone on with if a checkpoint lies in it.",
)
@click.option("--device", help="cpu, cuda or mps; the GPU where there is one by default.")
@click.option(
    "--check",
    type=click.IntRange(1),
    metavar="N",
    help="Train nothing; check the instructions of N pictures against their labels.",
)
def tune(
    config: str, minutes: float | None, resume: Path | None, device: str | None, check: int | None
) -> None:
    """Instruction-tune a generative model or train a specialist; killed at any moment, it goes on where it was."""
    tuning = proving("tuning.tune")
    if check is not None:
        text, clean = tuning.check_file(config, check)
        click.echo(text)
        raise SystemExit(0 if clean else 2)
    if resume is None:
        raise click.UsageError("Missing option '--resume'.")
    made = tuning.tune_file(config, resume, minutes=minutes, device=device)
    click.echo(f"wrote {made}" if made else f"time is up; run the same command again to go on ({resume})")
