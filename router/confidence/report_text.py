"""A calibration report in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from visionrouter.confidence.certificate import Certificate, Infeasible
from visionrouter.confidence.report import COMBINED, CalibrationReport


def markdown(report: CalibrationReport) -> str:
    """The whole report; the same tables as the page, without its pictures."""
    parts = [f"# Calibration: {report.title}", summary(report)]
    for heading, header, rows in tables(report):
        parts.append(f"## {heading}")
        parts.append(_table(header, rows))
    if report.dropped:
        parts.append("Left out: " + "; ".join(f"`{name}`, {why}" for name, why in report.dropped) + ".")
    parts += report.notes
    return "\n\n".join(parts) + "\n"


def summary(report: CalibrationReport) -> str:
    """What was judged, and how well, in a few sentences."""
    of = f" from {report.units} scenes" if report.units != report.n else ""
    return (
        f"{report.n} items{of}, {report.bad} of them bad. The confidence tells bad from good with an AUROC of "
        f"{report.combined.auroc}, its expected calibration error is {report.ece} and its Brier score "
        f"{report.brier}. In brackets: 95 % intervals, resampled by scene."
    )


def tables(report: CalibrationReport) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Heading, column names and rows of each table that has any."""
    made: list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]] = [
        (
            "Certificates",
            ("for", "method", "alpha", "delta", "accepts", "bad", "bound", "statement"),
            [_outcome(outcome) for outcome in report.outcomes],
        ),
        (
            "Signals",
            ("signal", "AUROC", "excess AURC", "weight"),
            [
                (
                    row.name,
                    str(row.auroc),
                    str(row.excess_aurc),
                    ""
                    if row.name == COMBINED
                    else "not used"
                    if row.weight is None
                    else f"{row.weight:+.2f}",
                )
                for row in report.signals
            ],
        ),
        (
            "Reliability",
            ("items", "confidence", "good", "95 % interval"),
            [
                (str(b.n), f"{b.confidence:.3f}", f"{b.rate:.3f}", f"{b.low:.3f}-{b.high:.3f}")
                for b in report.reliability
            ],
        ),
        (
            "Groups",
            ("group", "items", "bad", "confidence", "good", "AUROC"),
            [
                (g.name, str(g.n), str(g.bad), f"{g.confidence:.3f}", f"{g.good:.3f}", _number(g.auroc))
                for g in report.groups
            ],
        ),
    ]
    sparse = report.sparsification
    if sparse is not None:
        made.append(
            (
                "Pixels",
                ("images", "AUSE", "AUSE of a random order", "AURG"),
                [
                    (
                        str(sparse.images),
                        f"{sparse.ause:.4f}",
                        f"{sparse.ause_random:.4f}",
                        f"{sparse.aurg:.4f}",
                    )
                ],
            )
        )
    return [table for table in made if table[2]]


def _outcome(outcome: Certificate | Infeasible) -> tuple[str, ...]:
    group = "everything" if outcome.group is None else " ".join(outcome.group)
    delta = "-" if outcome.delta is None else f"{outcome.delta:g}"
    start = (group, outcome.method, f"{outcome.alpha:g}", delta)
    if isinstance(outcome, Infeasible):
        return (*start, "nothing", "-", "-", outcome.statement)
    return (
        *start,
        f"{outcome.coverage:.1%}",
        f"{outcome.bad:g} of {outcome.accepted}",
        f"{outcome.bound:.4f}",
        f"confidence >= {outcome.threshold:.4f}: {outcome.statement}",
    )


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.3f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
