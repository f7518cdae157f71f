"""The document as Markdown: what was promised first, then where routing loses, then all the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from visionrouter.benchmarks.rainy.document import (
    ORACLE,
    Condition,
    Document,
    Estimate,
    Faulted,
    Planted,
    Score,
    Summary,
)
from visionrouter.benchmarks.rainy.figures import interval, number, percent
from visionrouter.benchmarks.rainy.targets import loses, lost_cells, tellable

MOST_LOSSES = 25


def markdown(document: Document) -> str:
    parts = (
        _head(document),
        _targets(document),
        _losses(document),
        *(_summary(document, task) for task in document.tasks),
        _planted(document.planted),
        _faulted(document.faulted),
        *(_cells(document, task) for task in document.tasks),
        _certified(document),
        _foot(document),
    )
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> Iterator[str]:
    """The first `words` columns are of words, the others of numbers."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * words}{'---:|' * (len(head) - words)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _head(document: Document) -> Iterator[str]:
    o = document.options
    yield "# Rainy-day benchmark"
    yield ""
    yield (
        f"Profile `{o.profile}` on `{o.data}`: {len(o.tasks)} tasks, {len(document.conditions)} conditions, {o.scenes} scenes "
        f"a cell, seed {o.seed}; {len(document.shots):,} answers, {document.made_at}. Losses are in [0, 1], lower is better; "
        "intervals are 95 %, by a bootstrap over scenes. *Utility loss*: the loss of the answer given; no answer costs "
        "the line between good and bad of its task. *Coverage*: share of answers vouched for; *risk*: share of bad ones "
        "among those."
    )
    for note in document.notes:
        if note.startswith("intervals"):
            yield ""
            yield f"{note[0].upper()}{note[1:]}."


def _targets(document: Document) -> Iterator[str]:
    yield "## Targets"
    yield ""
    yield from table(
        ("target", "system", "wanted", "found", "", "detail"),
        (
            (
                t.name,
                t.system,
                t.wanted,
                _found(t.value, t.wanted),
                "met" if t.met else "**missed**",
                t.detail,
            )
            for t in document.targets
        ),
    )


def _found(value: float | None, wanted: str) -> str:
    if value is None:
        return "not told"
    return f"{value:.1%}" if "%" in wanted else f"{value:g}"


def _losses(document: Document) -> Iterator[str]:
    """Cells where a policy costs more than the best backend alone, beyond the interval; the worst first."""
    lost, told = lost_cells(document)
    yield "## Where routing loses"
    yield ""
    if not lost:
        yield f"In none of {told} cells of policies, beyond the interval."
        return
    yield (
        f"In {len(lost)} of {told} cells of policies the backend that alone is best there costs less, beyond the "
        f"interval{'; the worst' if len(lost) > MOST_LOSSES else ''}:"
    )
    yield ""
    yield from table(
        ("system, task, condition", "utility loss", "best alone", "worse by", "coverage", "n"),
        (
            (
                f"{s.system}, {s.task}, {s.condition}",
                number(s.utility.value),
                f"{s.best} {number(s.utility.value - _value(s.versus))}",
                interval(s.versus),
                percent(s.coverage.value),
                str(s.n),
            )
            for s in lost[:MOST_LOSSES]
        ),
    )


def _summary(document: Document, task: str) -> Iterator[str]:
    rows = [s for s in document.summaries if s.task == task]
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in row.metrics_mpc or row.metrics_clean))
    yield f"## {task}"
    yield ""
    gap = rows[0].gap
    if gap is not None:
        yield f"Best backend alone: {rows[0].best}. The oracle gains {number(gap)} of utility over it."
        yield ""
    yield from table(
        (
            *(
                "system",
                "clean",
                "mPC",
                "rPC",
                "utility loss",
                "coverage",
                "risk",
                "regret",
                "seconds",
                "cost",
            ),
            *(f"{name} clean / damaged" for name in names),
        ),
        (_summary_row(row, names) for row in _oracle_last(rows)),
    )


def _summary_row(row: Summary, names: Sequence[str]) -> Sequence[str]:
    share = "" if row.regret_share is None else f" ({row.regret_share:.0%})"
    return (
        row.system,
        interval(row.clean),
        interval(row.mpc),
        interval(row.rpc),
        interval(row.utility),
        percent(row.coverage),
        percent(row.risk),
        f"{number(row.regret.value)}{share}" if row.regret is not None else "-",
        f"{row.seconds:.2f}",
        f"{row.cost:.1f}",
        *(f"{number(row.metrics_clean.get(n))} / {number(row.metrics_mpc.get(n))}" for n in names),
    )


def _oracle_last(rows: Sequence[Summary]) -> list[Summary]:
    return sorted(rows, key=lambda row: row.system == ORACLE)


def _planted(planted: Sequence[Planted]) -> Iterator[str]:
    if not planted:
        return
    yield "## Planted hallucinations"
    yield ""
    yield (
        "Caught: no bad answer of the planted backend is vouched for. False alarms: of the same items unplanted, the share "
        "of good answers that are not vouched for."
    )
    yield ""
    yield from table(
        ("plant, task, backend", "system", "n", "caught", "good answers", "false alarms"),
        (
            (
                f"{p.plant}, {p.task}, {p.backend}",
                p.system,
                str(p.n),
                interval(p.caught, share=True),
                str(p.would_be_good),
                interval(p.false_alarms, share=True),
            )
            for p in planted
        ),
        words=2,
    )


def _faulted(faulted: Sequence[Faulted]) -> Iterator[str]:
    if not faulted:
        return
    yield "## With calls that fail"
    yield ""
    yield from table(
        ("system, task", "rate", "n", "faults", "utility loss", "without", "coverage", "without", "lost"),
        (
            (
                f"{f.system}, {f.task}",
                f"{f.rate:.0%}",
                str(f.n),
                str(f.faults),
                interval(f.utility),
                number(f.utility_well),
                percent(f.coverage),
                percent(f.coverage_well),
                str(f.lost),
            )
            for f in faulted
        ),
    )


def _cells(document: Document, task: str) -> Iterator[str]:
    """Utility loss of every system in every cell of a task."""
    scores = {(s.condition, s.system): s for s in document.scores if s.task == task}
    systems = [s.name for s in document.systems if any(name == s.name for _, name in scores)]
    shown = [c for c in document.conditions if any((c.name, s) in scores for s in systems)]
    if not shown:
        return
    yield f"## {task}: utility loss by condition"
    yield ""
    yield from table(("condition", "n", *systems), (_cell_row(c, systems, scores) for c in shown))


def _cell_row(
    condition: Condition, systems: Sequence[str], scores: dict[tuple[str, str], Score]
) -> Sequence[str]:
    found = [scores.get((condition.name, system)) for system in systems]
    n = next((s.n for s in found if s is not None), 0)
    return (condition.name, str(n), *("-" if s is None else _cell(s) for s in found))


def _cell(score: Score) -> str:
    text = number(score.utility.value)
    return f"**{text}**" if loses(score) else text


def _certified(document: Document) -> Iterator[str]:
    rows = [s for s in document.scores if s.certified is not None]
    if not rows:
        return
    yield "## Certificates"
    yield ""
    yield from table(
        ("system, task, condition", "accepted", "bad", "at most", "violated"),
        (
            (
                f"{s.system}, {s.task}, {s.condition}",
                str(s.certified.n),
                str(s.certified.bad),
                f"{s.certified.alpha:.0%}",
                "**yes**" if s.certified.violated else "no" if tellable(s.certified) else "too few to tell",
            )
            for s in rows
            if s.certified is not None
        ),
    )


def _foot(document: Document) -> Iterator[str]:
    m = document.machine
    yield "## How it was made"
    yield ""
    if document.command:
        yield f"- `{document.command}` in {document.seconds:,.0f} s"
    yield f"- {document.made_by}, Python {m.python}, {m.platform}, {m.cores} cores of {m.processor}"
    yield f"- libraries: {', '.join(f'{name} {number}' for name, number in m.libraries.items())}"
    yield f"- data `{document.options.data}` {document.options.data_digest[:12]}"
    for system in document.systems:
        weights = ", ".join(f"{name} {digest[:12]}" for name, digest in system.weights.items() if digest)
        if system.kind == "alone":
            yield f"- backend {system.name}: weights {weights or 'none'}"
        elif system.policy is not None:
            yield f"- {system.kind} {system.name}: {system.policy[:12]}"
    for note in document.notes:
        yield f"- {note}"


def _value(estimate: Estimate | None) -> float:
    return 0.0 if estimate is None else estimate.value
