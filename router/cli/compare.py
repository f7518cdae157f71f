"""`visionrouter compare`: is B better than A?"""

from __future__ import annotations

import dataclasses
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from visionrouter.experiment.bootstrap import Metric
    from visionrouter.experiment.compare import Comparison
    from visionrouter.experiment.compare_report import Witness
    from visionrouter.experiment.evidence import Estimate
    from visionrouter.experiment.pairs import Pairs
    from visionrouter.experiment.plan import Plan


@click.command()
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--rows", type=click.Path(path_type=Path), help="Paired results, JSON lines.")
@click.option(
    "--data",
    "where",
    help="Labelled images to run the policies A and B on (town, scenes, scenes:WORLD, coco:DIR, depth:DIR), or a ledger: "
    "A and B are then arms of --experiment.",
)
@click.option("--experiment", help="The experiment in the ledger.")
@click.option(
    "--profile", default="nano", show_default=True, help="Whose backends run, and whose costs count."
)
@click.option("--task", help="What is asked of labelled images; of a ledger, only this task.")
@click.option(
    "--n", "count", default=100, show_default=True, type=click.IntRange(10), help="Labelled scenes."
)
@click.option(
    "--conditions", default="clean", show_default=True, help="Weathers and damages of each, commas between."
)
@click.option("--cluster", metavar="TAG", help="The tag that names the scene or unit in a ledger.")
@click.option("--metric", default="loss", show_default=True, help="The primary metric.")
@click.option("--higher-is-better", is_flag=True, help="More of it is better.")
@click.option("--margin", default=0.0, show_default=True, help="Differences smaller than this do not matter.")
@click.option("--bad", type=float, help="A value beyond this is a failure, for McNemar's test.")
@click.option(
    "--guard",
    "guards",
    multiple=True,
    metavar="METRIC=MARGIN[/BOUND]",
    help="B may worsen METRIC by MARGIN at most; repeatable. METRIC may end in _p95.",
)
@click.option("--alpha", default=0.05, show_default=True, help="Of all wrong verdicts, the share allowed.")
@click.option("--live", is_flag=True, help="The experiment goes on and is looked at meanwhile.")
@click.option("--bound", default=1.0, show_default=True, help="Live: the primary metric lies from 0 to this.")
@click.option("--unpaired", is_flag=True, help="Compare clusters of A with other clusters of B.")
@click.option("--seed", default=0, show_default=True, help="Of the resampling.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write one HTML page here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def compare(
    a: str | None, b: str | None, as_json: bool, unpaired: bool, report: Path | None, **given: Any
) -> None:
    """Compare B with A on the same images: better, worse, equivalent, or not yet known."""
    from visionrouter.experiment.compare import compare as run_compare

    seen: dict[str, Witness] = {}
    pairs = _pairs(a, b, given, None if report is None else seen)
    found = run_compare(pairs, _plan(given), unpaired=unpaired)
    names = _names(a or "A", b or "B")
    if report is not None:
        _write_report(report, found, pairs, names, given["where"] if given["experiment"] else None, seen)
    click.echo(json.dumps(document(found, names)) if as_json else "\n".join(lines(found, names)))


def _write_report(
    report: Path,
    found: Comparison,
    pairs: Pairs,
    names: tuple[str, str],
    where: str | None,
    seen: dict[str, Witness],
) -> None:
    from visionrouter.experiment.compare_report import Witness, compare_page
    from visionrouter.experiment.from_ledger import witness_of
    from visionrouter.experiment.page import write_page
    from visionrouter.ledger import LedgerReader

    if where is None:
        write_page(report, compare_page(found, pairs, names, lambda key: seen.get(key, Witness())))
        return
    with LedgerReader(where) as reader:
        write_page(report, compare_page(found, pairs, names, lambda key: witness_of(reader, key, names)))


def _names(a: str, b: str) -> tuple[str, str]:
    """What the arms are called: policies that are files by the file's stem, where that tells them apart."""
    stems = tuple(Path(name).stem if name.endswith((".yaml", ".yml")) else name for name in (a, b))
    return (stems[0], stems[1]) if stems[0] != stems[1] else (a, b)


def _pairs(a: str | None, b: str | None, given: dict[str, Any], seen: dict[str, Witness] | None) -> Pairs:
    from visionrouter.experiment.pairs import as_pairs, read_rows

    rows, where = given["rows"], given["where"]
    if (rows is None) == (where is None):
        raise click.UsageError("give the results as --rows FILE, or name their source with --data")
    if rows is not None:
        return as_pairs(read_rows(rows))
    if a is None or b is None:
        raise click.UsageError("name A and B: two policies for labelled images, two arms for a ledger")
    if given["experiment"] is None:
        return _labelled(a, b, given, seen)
    from visionrouter.backends.profile import load_profile
    from visionrouter.experiment.from_ledger import rows_of
    from visionrouter.ledger import LedgerReader

    costs = {name: backend.spec.cost for name, backend in load_profile(given["profile"]).backends.items()}
    with LedgerReader(where) as reader:
        return as_pairs(
            rows_of(
                reader,
                given["experiment"],
                (a, b),
                task=given["task"],
                cluster=given["cluster"],
                costs=costs,
            )
        )


def _labelled(a: str, b: str, given: dict[str, Any], seen: dict[str, Witness] | None) -> Pairs:
    from visionrouter.experiment.pairs import as_pairs
    from visionrouter.policies import compile_policy, load_policy
    from visionrouter.schema.task import Task

    try:
        task = Task(given["task"])
    except ValueError as error:
        raise click.UsageError(
            f"labelled images are asked one --task, one of {', '.join(Task)}; a ledger needs --experiment"
        ) from error
    policies = compile_policy(load_policy(a)), compile_policy(load_policy(b))
    # Imported by name, so that the command line itself stays without the libraries that rendering needs.
    open_source = import_module("visionrouter.benchmarks.labelled").open_source
    run_both = import_module("visionrouter.benchmarks.experiments.labelled").run_both
    conditions = [word.strip() for word in given["conditions"].split(",")]
    items = open_source(given["where"], "test").items(
        task, given["count"], seed=given["seed"], conditions=conditions
    )
    total = given["count"] * len(conditions)
    rows = run_both(policies, given["profile"], items, None if seen is None else seen.__setitem__)
    with click.progressbar(rows, total, f"asking {total} items twice", file=sys.stderr) as shown:
        return as_pairs(shown)


def _plan(given: dict[str, Any]) -> Plan:
    from visionrouter.experiment.plan import Guardrail, Plan

    guards = []
    for text in given["guards"]:
        name, equals, numbers = text.partition("=")
        margin, slash, bound = numbers.partition("/")
        try:
            guards.append(Guardrail(_metric(name), float(margin), float(bound) if slash else 1.0))
        except ValueError as error:
            raise click.BadParameter(
                f"{text!r} is not METRIC=MARGIN or METRIC=MARGIN/BOUND, for example latency_ms=20/500"
            ) from error
        if not (name and equals):
            raise click.BadParameter(f"{text!r} names no metric")
    return Plan(
        dataclasses.replace(_metric(given["metric"]), higher_is_better=given["higher_is_better"]),
        tuple(guards),
        given["margin"],
        given["alpha"],
        given["bad"],
        given["live"],
        given["bound"],
        seed=given["seed"],
    )


def _metric(name: str) -> Metric:
    """`latency_ms` is a mean, `latency_ms_p95` a quantile."""
    from visionrouter.experiment.bootstrap import Metric

    column, mark, q = name.rpartition("_p")
    if mark and q.replace(".", "", 1).isdigit() and 0 < float(q) < 100:
        return Metric(column, "quantile", float(q) / 100)
    return Metric(name)


def document(found: Comparison, names: tuple[str, str]) -> dict[str, Any]:
    """The comparison as plain data."""
    return {"a": names[0], "b": names[1], **dataclasses.asdict(found)}


def lines(found: Comparison, names: tuple[str, str]) -> list[str]:
    """The comparison in words, the verdict first."""
    said = [f"{names[1]} is {_VERDICTS.get(found.verdict, '')} {names[0]}: {found.why}"]
    if found.verdict == "inconclusive":
        said[0] = f"inconclusive: {found.why}"
        said.append(
            f"about {found.more:,} more rows like these would tell"
            if found.more
            else "no number of rows like these would tell; give a --margin"
        )
    level = f"{1 - found.plan.alpha:.0%}"
    kind = "anytime-valid" if found.plan.live else "cluster bootstrap"
    said += [
        "",
        f"{found.rows:,} rows in {found.clusters:,} clusters; {level} intervals, {kind}",
        f"  {'metric':<18} {names[0][:10]:>10} {names[1][:10]:>10} {'difference':>11}   interval",
        f"  {_row(found.primary)}   primary",
    ]
    said += [f"  {_row(g.estimate)}   margin {g.margin:g}: {g.held}" for g in found.guardrails]
    tests = [("McNemar", found.p_mcnemar), ("sign flip", found.p_sign_flip), ("any time", found.p_anytime)]
    if any(p is not None for _, p in tests):
        said.append("  p: " + ", ".join(f"{name} {p:.3g}" for name, p in tests if p is not None))
    if found.variance_kept is not None:
        said.append(f"  the covariate takes {1 - found.variance_kept:.0%} of the variance away")
    if found.slices:
        said += ["", "by slice (exploratory)"]
        for part in found.slices:
            small = f"   small: {part.clusters} clusters" if part.small else ""
            said.append(f"  {part.key + '=' + part.value:<18} {_row(part.estimate)[19:]}{small}")
    return said + [f"note: {warning}" for warning in found.warnings]


_VERDICTS = {"better": "better than", "worse": "worse than", "equivalent": "equivalent to"}


def _row(found: Estimate) -> str:
    return (
        f"{found.metric[:18]:<18} {found.a:>10.4g} {found.b:>10.4g} {found.difference:>+11.4g}   "
        f"{found.low:+.4g} to {found.high:+.4g}"
    )
