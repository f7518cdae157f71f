"""Commands of the ledger: what was decided, why, and whether the record is whole."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visionrouter.schema.errors import LedgerError

if TYPE_CHECKING:
    from visionrouter.ledger import Record

_WHERE = click.argument("where", metavar="LEDGER")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")


@click.group()
def ledger() -> None:
    """Read, check and label what was decided. LEDGER is a file or a postgresql:// URL."""


@ledger.command()
@_WHERE
@click.option(
    "-n", "count", default=20, show_default=True, type=click.IntRange(1, 1_000_000), help="How many."
)
@click.option("--task", help="Only this task.")
@click.option("--outcome", help="Only this outcome.")
@click.option("--experiment", help="Only this experiment.")
@click.option("--variant", help="Only this arm.")
@click.option("--audited", is_flag=True, help="Only those drawn for an audit.")
@click.option("--unlabelled", is_flag=True, help="Only those without a label yet.")
@_JSON
def tail(where: str, count: int, as_json: bool, **wanted: Any) -> None:
    """The last decisions, one a line, oldest first."""
    from visionrouter.ledger import Filter, LedgerReader

    with LedgerReader(where) as reader:
        for record in reader.tail(count, Filter(**wanted)):
            click.echo(json.dumps(_document(record)) if as_json else _line(record))


@ledger.command()
@_WHERE
@click.argument("request_id", metavar="ID")
@_JSON
def show(where: str, request_id: str, as_json: bool) -> None:
    """One decision, with its shadows and labels. The start of an ID does."""
    from visionrouter.describe import verdict_line
    from visionrouter.ledger import LedgerReader

    with LedgerReader(where) as reader:
        records = reader.show(request_id)
        labels = list(reader.labels(records[0].decision.request_id))
    if as_json:
        judged = [
            {"metric": m.metric, "value": m.value, "variant": m.variant, "source": m.source, "note": m.note}
            for m in labels
        ]
        click.echo(json.dumps({"records": [_document(record) for record in records], "labels": judged}))
        return
    for record in records:
        decision = record.decision
        click.echo(_line(record))
        click.echo(f"  asked     {decision.instruction!r} ({decision.task})")
        click.echo(f"  policy    {decision.policy} ({decision.policy_hash[:12]}), rule {decision.rule!r}")
        click.echo(f"  arm       {decision.variant or 'none'} ({decision.variant_reason})")
        click.echo(f"  verdict   {verdict_line(decision)}")
        if (found := decision.divergence) is not None:
            why = ": " + "; ".join(found.detail) if found.detail else ""
            click.echo(f"  compared  {found.answer} and {found.shadow} {found.comparison}{why}")
        for attempt in (*decision.attempts, *(a for c in decision.children for a in c.attempts)):
            told = {**attempt.signals, **attempt.spent}
            signals = ", ".join(f"{name} {value:.4g}" for name, value in told.items())
            said = attempt.verdict.detail or attempt.verdict.reason
            click.echo(f"    {attempt.backend}: {said}" + (f" [{signals}]" if signals else ""))
        if decision.tags:
            click.echo("  tags      " + ", ".join(f"{k}={v}" for k, v in decision.tags.items()))
        if record.audit_probability:
            drawn = "drawn" if record.audited else "not drawn"
            click.echo(f"  audit     {drawn}, probability {record.audit_probability:g}")
    for label in labels:
        of = f" of arm {label.variant!r}" if label.variant else ""
        by = f" by {label.source}" if label.source else ""
        click.echo(f"  label     {label.metric}{of} = {label.value:g}{by} {label.note}".rstrip())


@ledger.command()
@_WHERE
@click.option("--parquet", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")  # fmt: skip
def export(where: str, parquet: Path) -> None:
    """Write all decisions to a Parquet file."""
    from visionrouter.ledger import LedgerReader
    from visionrouter.ledger.parquet import export_parquet

    with LedgerReader(where) as reader:
        count = export_parquet(reader, parquet)
    click.echo(f"wrote {count:,} decisions to {parquet}", err=True)


@ledger.command()
@_WHERE
@click.option("--head", "anchor", metavar="SEQ:HASH", help="A head noted earlier, which must still be there.")
@_JSON
def verify(where: str, anchor: str | None, as_json: bool) -> None:
    """Find records that are missing, altered or moved. Exit code 1 where there are any."""
    from visionrouter.ledger import LedgerReader

    with LedgerReader(where) as reader:
        said = reader.verify(anchor)
        gaps = reader.gaps()
    lost = sum(gap.lost for gap in gaps)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "whole": said.whole,
                    "records": said.records,
                    "chained": said.chained,
                    "head": said.head,
                    "problems": [str(problem) for problem in said.problems],
                    "found": said.found,
                    "never_written": lost,
                }
            )
        )
    else:
        for problem in said.problems:
            click.echo(problem)
        if said.found > len(said.problems):
            click.echo(f"and {said.found - len(said.problems)} more")
        kind = "" if said.chained else ", without hashes: only the numbering could be checked"
        click.echo(f"{said.records:,} records, {'whole' if said.whole else 'NOT whole'}{kind}")
        click.echo(f"head {said.head}")
        for gap in gaps:
            click.echo(f"{_time(gap.recorded_us)}: {gap.lost:,} decisions were never written ({gap.reason})")
    if not said.whole:
        sys.exit(1)


@ledger.command()
@_WHERE
@click.argument("request_id", metavar="[ID]", required=False)
@click.option("--good", "verdict", flag_value="good", help="A person says that the answer is good.")
@click.option("--bad", "verdict", flag_value="bad", help="A person says that it is bad.")
@click.option("--metric", metavar="NAME=VALUE", help="A measured value, for example absrel=0.12.")
@click.option("--variant", help="The arm whose answer is meant; the one that was given by default.")
@click.option("--by", "source", default="", help="Who found it out.")
@click.option("--note", default="", help="Anything worth keeping.")
@click.option(
    "--from", "file", type=click.Path(path_type=Path), help="Many at once: a CSV or JSON-lines file."
)
def label(
    where: str,
    request_id: str | None,
    verdict: str | None,
    metric: str | None,
    variant: str | None,
    source: str,
    note: str,
    file: Path | None,
) -> None:
    """Attach what was found out about the answer to ID, or everything in a file: all of it, or nothing."""
    from visionrouter.ledger.connect import require_sqlalchemy
    from visionrouter.ledger.labels import Label, read_labels

    if (request_id is None) == (file is None):
        raise click.UsageError("give either an ID, or --from a file of labels")
    if file is not None:
        labels = list(read_labels(file))
    else:
        assert request_id is not None
        name, value = _value(verdict, metric)
        labels = [Label(request_id, value, name, variant, source, note)]
    require_sqlalchemy()
    from visionrouter.ledger.store import label_existing

    count = label_existing(where, labels)
    click.echo(f"labelled {count:,}", err=True)


@ledger.command()
@_WHERE
@click.option("--metric", default="good", show_default=True, help="The label that is the loss, or a verdict.")
@click.option("--task", help="Only this task.")
def audits(where: str, metric: str, task: str | None) -> None:
    """The audited answers that were labelled, as JSON lines: what Router.audit takes."""
    from visionrouter.ledger import LedgerReader
    from visionrouter.ledger import audits as read_audits

    with LedgerReader(where) as reader:
        found = read_audits(reader, metric, task=task)
    for answer in found.answers:
        said = {
            "request_id": answer.decision.request_id,
            "subject": answer.subject,
            "task": answer.task.value,
            "loss": answer.loss,
            "probability": answer.probability,
        }
        click.echo(json.dumps(said))
    for why, count in found.left_out.items():
        click.echo(f"left out {count:,}: {why}", err=True)


def _value(verdict: str | None, metric: str | None) -> tuple[str, float]:
    if (verdict is None) == (metric is None):
        raise click.UsageError("say --good, --bad or --metric NAME=VALUE")
    if metric is None:
        return "good", float(verdict == "good")
    name, _, value = metric.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise LedgerError(f"--metric {metric!r} is not NAME=VALUE, for example absrel=0.12") from error


def _document(record: Record) -> dict[str, Any]:
    from visionrouter.ledger.rows import dump_decision

    return {
        "seq": record.seq,
        "recorded": _time(record.recorded_us),
        "audited": record.audited,
        "audit_probability": record.audit_probability,
        "decision": json.loads(dump_decision(record.decision)),
    }


def _line(record: Record) -> str:
    decision = record.decision
    arm = "" if decision.experiment is None else f"  {decision.experiment}/{decision.variant or '-'}"
    shadow = " (shadow)" if decision.variant_reason == "shadow" else ""
    return (
        f"{_time(record.recorded_us)}  {decision.request_id}  {decision.task:<9} {decision.outcome:<9} "
        f"{decision.reason:<18} {decision.elapsed_ms:8.1f} ms  {decision.rule}{arm}{shadow}"
    )


def _time(recorded_us: int) -> str:
    return datetime.fromtimestamp(recorded_us / 1e6, UTC).isoformat(timespec="milliseconds")
