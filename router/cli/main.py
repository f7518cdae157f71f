"""The command line. Answers go to stdout, everything else to stderr.

Exit codes: 0 answered (also when the answer is marked degraded), 2 the user's mistake, 3 abstained, 4 every backend
failed. Over several images the gravest counts, in the order 2, 4, 3.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visionrouter.cli.bench import bench
from visionrouter.cli.calibrate import calibrate
from visionrouter.cli.chaos import chaos
from visionrouter.cli.compare import compare
from visionrouter.cli.experiments import policy_diff, policy_test, replay
from visionrouter.cli.fetch import fetch
from visionrouter.cli.ledger import ledger
from visionrouter.cli.proving_ground import scenes, tune
from visionrouter.schema.errors import VisionRouterError

if TYPE_CHECKING:
    from visionrouter.schema.result import Result

_GRAVEST_FIRST = (2, 4, 3, 0)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Exit codes: 0 answered, 2 your mistake, 3 abstained, 4 every backend failed where a best effort was wanted."
    ),
)
@click.version_option(package_name="visionrouter")
def cli() -> None:
    """Route vision requests between a generative backbone and specialists."""


def _request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option(
                "--profile", default="nano", show_default=True, help="A profile's name, or a YAML file."
            ),
            click.option(
                "--policy", default="default", show_default=True, help="A preset's name, or a YAML file."
            ),
            click.option(
                "--calibration",
                "calibrations",
                multiple=True,
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="A file of `calibrate`, for policies that accept by confidence or risk; repeatable.",
            ),
            click.option(
                "--tag", "tags", multiple=True, metavar="K=V", help="A tag policies can read; repeatable."
            ),
            click.option("--deadline-ms", type=float, help="Budget for the whole request, milliseconds."),
            click.option(
                "--criticality", default="normal", show_default=True, help="low, normal, high or safety."
            ),
            click.option(
                "--box",
                "boxes",
                multiple=True,
                metavar="X1,Y1,X2,Y2",
                help="A box prompt in pixels; repeatable.",
            ),
            click.option(
                "--point",
                "points",
                multiple=True,
                metavar="X,Y",
                help="A point prompt in pixels; repeatable.",
            ),
            click.option("--seed", default=0, show_default=True, help="Seed of every random draw."),
        )
    ):
        command = option(command)
    return command


@cli.command()
@click.argument("images", nargs=-1, required=True)
@click.argument("instruction")
@_request_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document a request on stdout.")
@click.option("--out", type=click.Path(path_type=Path), help="Write overlays and arrays into this folder.")
def run(
    images: tuple[str, ...],
    instruction: str,
    profile: str,
    policy: str,
    calibrations: tuple[Path, ...],
    as_json: bool,
    out: Path | None,
    **given: Any,
) -> None:
    """Answer INSTRUCTION on each of IMAGES."""
    from visionrouter.instruction import parse
    from visionrouter.router import Router

    options = _options(given)
    parse(instruction)
    if out is not None and out.exists() and not out.is_dir():
        raise VisionRouterError(f"--out {out}: is a file; name a folder")
    codes = set()
    with Router.from_profile(profile, policy, calibrations=calibrations) as router:
        for number, image in enumerate(images):
            try:
                result = router.run(image, instruction, **options)
            except VisionRouterError as error:
                codes.add(error.exit_code)
                _report_error(error, image, as_json)
                continue
            codes.add(_exit_code(result))
            folder = None if out is None else _save(result, image, out, number if len(images) > 1 else None)
            _report(result, image, folder, as_json)
    sys.exit(next(code for code in _GRAVEST_FIRST if code in codes))


@cli.command()
@click.argument("image")
@click.argument("instruction")
@_request_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def explain(
    image: str,
    instruction: str,
    profile: str,
    policy: str,
    calibrations: tuple[Path, ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Show how INSTRUCTION on IMAGE would be routed and why, without running a model."""
    from visionrouter.cli.explain import as_document, as_text
    from visionrouter.router import Router

    with Router.from_profile(profile, policy, calibrations=calibrations) as router:
        explanation = router.explain(image, instruction, **_options(given))
    click.echo(json.dumps(as_document(explanation)) if as_json else as_text(explanation))


@cli.command()
@click.option("--profile", default="nano", show_default=True, help="A profile's name, or a YAML file.")
@click.option("--check", is_flag=True, help="Load each one for real.")
@click.option("--live", metavar="URL|FILE", help="Of a running router instead, as its metrics there tell.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def backends(profile: str, check: bool, live: str | None, as_json: bool) -> None:
    """List a profile's backends: tasks, kind, licence, size, and whether each loads here.

    With --live, those of a running router: breakers, queues, restarts, embeddings reused.
    """
    from visionrouter.cli.backends import as_live_table, as_table, rows
    from visionrouter.cli.live import live as told_by

    if live is not None:
        told = told_by(live)
        click.echo(json.dumps([one.plain() for one in told]) if as_json else as_live_table(told))
        return
    found = rows(profile, check)
    click.echo(json.dumps(found) if as_json else as_table(found))


@cli.group()
def policy() -> None:
    """Look after policy files."""


@policy.command()
@click.argument("file")
@click.option("--profile", default="nano", show_default=True, help="The profile the policy is to run with.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def validate(file: str, profile: str, as_json: bool) -> None:
    """Check the policy in FILE by itself and against a profile's backends."""
    from visionrouter.backends.profile import load_profile
    from visionrouter.policies import check_against, load_policy

    checked = load_policy(file)
    findings = check_against(checked, {n: b.spec for n, b in load_profile(profile).backends.items()})
    errors = [f for f in findings if f.severity == "error"]
    if as_json:
        rows = [{"severity": f.severity, "path": f.path, "message": f.message} for f in findings]
        click.echo(
            json.dumps(
                {"policy": checked.name, "hash": checked.digest, "valid": not errors, "findings": rows}
            )
        )
    else:
        for finding in findings:
            click.echo(finding, err=True)
        click.echo(f"{checked.name}: {'not valid' if errors else 'valid'} (hash {checked.digest[:12]})")
    if errors:
        sys.exit(2)


@cli.command()
@click.argument("what", type=click.Choice(["result", "policy"]), required=False)
def schema(what: str | None) -> None:
    """Print the JSON Schema of results, of policies, or of both."""
    from visionrouter.policies import policy_json_schema
    from visionrouter.schema.wire import result_json_schema

    made: dict[str, Callable[[], dict[str, Any]]] = {
        "result": result_json_schema,
        "policy": policy_json_schema,
    }
    chosen = made[what]() if what else {name: make() for name, make in made.items()}
    click.echo(json.dumps(chosen, indent=2))


policy.add_command(policy_diff)
policy.add_command(policy_test)
cli.add_command(bench)
cli.add_command(calibrate)
cli.add_command(chaos)
cli.add_command(compare)
cli.add_command(ledger)
cli.add_command(replay)
cli.add_command(fetch)
cli.add_command(scenes)
cli.add_command(tune)


def main() -> None:
    """Entry point: a user's mistake ends in one line on stderr and exit code 2, never in a traceback."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except VisionRouterError as error:
        click.echo(f"visionrouter: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "tags": dict(_pair(tag) for tag in given["tags"]),
        "deadline_ms": given["deadline_ms"],
        "criticality": given["criticality"],
        "seed": given["seed"],
        "boxes": [_numbers(box, 4) for box in given["boxes"]] or None,
        "points": [_numbers(point, 2) for point in given["points"]] or None,
    }


def _pair(tag: str) -> tuple[str, str]:
    key, equals, value = tag.partition("=")
    if not (key and equals):
        raise click.BadParameter(f"{tag!r} is not K=V, for example --tag weather=rain")
    return key, value


def _numbers(text: str, count: int) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count:
        raise click.BadParameter(f"{text!r} is not {count} numbers with commas between")
    return values


def _exit_code(result: Result) -> int:
    from visionrouter.schema.decision import Outcome

    return {Outcome.ABSTAINED: 3, Outcome.FAILED: 4}.get(result.outcome, 0)


def _save(result: Result, image: str, out: Path, number: int | None) -> Path:
    from PIL import Image

    from visionrouter.render import side_by_side

    stem = Path(image).stem or "image"
    folder = result.save(out / (stem if number is None else f"{number:03d}_{stem}"))
    Image.fromarray(result.overlay(image)).save(folder / "overlay.png")
    Image.fromarray(side_by_side(image, result)).save(folder / "side_by_side.png")
    return folder


def _report(result: Result, image: str, folder: Path | None, as_json: bool) -> None:
    from visionrouter.describe import describe, verdict_line, why_not

    if as_json:
        click.echo(result.to_json())
        if folder is not None:
            click.echo(f"{image}: wrote {folder}", err=True)
        return
    click.echo(f"{image}: {describe(result.payload)}")
    click.echo(f"  {verdict_line(result.decision)}")
    if why := why_not(result):
        click.echo(f"  not vouched for: {why}" if result.answered else f"  why: {why}")
    if folder is not None:
        click.echo(f"  wrote {folder}")


def _report_error(error: VisionRouterError, image: str, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"image": image, "error": {"type": type(error).__name__, "message": str(error)}})
        )
    click.echo(f"visionrouter: {error}", err=True)


if __name__ == "__main__":
    main()
