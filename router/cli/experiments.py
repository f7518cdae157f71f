"""Commands that hold one policy against another: by the files alone, by cases, over a ledger."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from visionrouter.experiment.replay import Replay, Replayed

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.command("test")
@click.argument("file", type=click.Path(path_type=Path))
@_JSON
def policy_test(file: Path, as_json: bool) -> None:
    """Run the cases in FILE on the policy it names. Exit code 1 where one fails."""
    from visionrouter.experiment.policy_cases import run_cases

    results = run_cases(file)
    failed = [result for result in results if result.wrong]
    if as_json:
        click.echo(json.dumps({"cases": [asdict(result) for result in results], "failed": len(failed)}))
    else:
        for result in results:
            click.echo(f"{'FAIL' if result.wrong else 'ok  '}  {result.name}")
            for wrong in result.wrong:
                click.echo(f"      {file}:{result.line}: {wrong}")
        click.echo(f"{len(results) - len(failed)} of {len(results)} cases pass")
    if failed:
        sys.exit(1)


@click.command("diff")
@click.argument("old")
@click.argument("new")
@_JSON
def policy_diff(old: str, new: str, as_json: bool) -> None:
    """Name what changes for requests when the policy NEW takes the place of OLD. Exit code 1 where anything does."""
    from visionrouter.policies import load_policy
    from visionrouter.policies.diff import diff

    changes = diff(load_policy(old), load_policy(new))
    if as_json:
        click.echo(json.dumps({"changes": [asdict(change) for change in changes]}))
    else:
        for change in changes:
            click.echo(change)
        if not changes:
            click.echo("both mean the same")
    if changes:
        sys.exit(1)


@click.command()
@click.argument("where", metavar="LEDGER")
@click.option("--policy", required=True, help="The policy to replay under: a preset's name, or a YAML file.")
@click.option(
    "--profile", default="nano", show_default=True, help="The profile whose backends and limits count."
)
@click.option("--task", help="Only decisions of this task.")
@click.option("--examples", default=10, show_default=True, type=click.IntRange(0), help="Requests to list.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write one HTML page here.")
@_JSON
def replay(
    where: str,
    policy: str,
    profile: str,
    task: str | None,
    examples: int,
    report: Path | None,
    as_json: bool,
) -> None:
    """Say how the recorded requests would fare under another policy; what is not known is never guessed."""
    from visionrouter.backends.profile import load_profile
    from visionrouter.experiment.replay import replay as run_replay
    from visionrouter.experiment.simulate import Backends
    from visionrouter.ledger import Filter, LedgerReader
    from visionrouter.policies import compile_policy, load_policy

    compiled = compile_policy(load_policy(policy))
    made = load_profile(profile)
    backends = Backends({name: backend.spec for name, backend in made.backends.items()}, made.limits)
    with LedgerReader(where) as reader:
        found = run_replay((r.decision for r in reader.records(Filter(task=task))), compiled, backends)
    if report is not None:
        from visionrouter.experiment.page import write_page
        from visionrouter.experiment.replay_report import replay_page

        write_page(report, replay_page(found, compiled.name))
    if as_json:
        click.echo(json.dumps(_replay_document(found)))
    else:
        click.echo("\n".join(_replay_lines(found, compiled.name, examples)))


def _replay_document(found: Replay) -> dict[str, Any]:
    return {
        "requests": found.requests,
        "same": found.same,
        "otherwise_known": found.otherwise_known,
        "otherwise_unknown": found.otherwise_unknown,
        "undecided": found.undecided,
        "outcomes": [{"old": old, "new": new, "requests": n} for (old, new), n in found.outcomes.items()],
        "unknown": found.unknown,
        "routes": [{"old": old, "new": new, "requests": n} for (old, new), n in found.routes.items()],
        "latency_ms": {"old": found.latency_old_ms, "new": _range(found.latency_new_ms)},
        "cost": {"old": found.cost_old, "new": _range(found.cost_new)},
        "changed": [
            {"request_id": r.old.request_id, "old": r.old.outcome, "new": r.new.outcome, "why": r.new.why}
            for r in found.changed
        ],
    }


def _range(found: Any) -> dict[str, Any]:
    return asdict(found) if found.over else {"low": None, "high": None, "over": 0}


def _replay_lines(found: Replay, policy: str, examples: int) -> list[str]:
    n = found.requests
    lines = [
        f"{n:,} requests under policy {policy}",
        f"  {found.same:>7,}  as before",
        f"  {found.otherwise_known:>7,}  otherwise, and how they end is known",
        f"  {found.otherwise_unknown:>7,}  otherwise, and how they end is unknown",
        f"  {found.undecided:>7,}  cannot be told",
        "",
        f"latency in backends  {found.latency_old_ms:.1f} ms before; {_range_words(found.latency_new_ms, n, ' ms')}",
        f"cost                 {found.cost_old:.2f} before; {_range_words(found.cost_new, n, '')}",
    ]
    moved = [(pair, k) for pair, k in found.outcomes.items() if pair[1] is not None and pair[0] != pair[1]]
    if moved:
        lines += ["", "outcomes that change"]
        lines += [f"  {k:>7,}  {old} -> {new}" for (old, new), k in sorted(moved, key=lambda m: -m[1])]
    if found.unknown:
        lines += ["", "why outcomes are unknown"]
        lines += [f"  {k:>7,}  {why}" for why, k in sorted(found.unknown.items(), key=lambda m: -m[1])[:10]]
    if found.routes:
        lines += ["", "routes that change"]
        lines += [f"  {k:>7,}  {old}  ->  {new}" for (old, new), k in [*found.routes.items()][:10]]
    if examples and found.changed:
        lines += ["", "for example"]
        lines += [f"  {_example(replayed)}" for replayed in found.changed[:examples]]
    return lines


def _range_words(found: Any, requests: int, unit: str) -> str:
    if not found.over:
        return "unknown after"
    over = "" if found.over == requests else f" (over {found.over:,} requests)"
    if found.high - found.low < 0.05:
        return f"{found.low:.2f}{unit} after{over}"
    return f"{found.low:.2f} to {found.high:.2f}{unit} after{over}"


def _example(replayed: Replayed) -> str:
    old, new = replayed.old, replayed.new
    end = f"{new.outcome} by {new.by}" if new.by else new.outcome or f"unknown, {new.why}"
    return f"{old.request_id}  {old.instruction!r}: {old.outcome} -> {end}"
