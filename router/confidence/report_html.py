"""A calibration report as one page: its style and pictures inside, nothing fetched."""

from __future__ import annotations

from html import escape

from visionrouter.confidence.certificate import Certificate
from visionrouter.confidence.report import CalibrationReport
from visionrouter.confidence.report_svg import Series, chart, intervals
from visionrouter.confidence.report_text import summary, tables

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60666d; --rule: #dfe3e8; --paper: #fff; --card: #f6f7f9;
  --main: #0b62c4; --other: #b3541e; --mark: #b0123b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3a9b1; --rule: #383d44; --paper: #15181c;
  --card: #1e2227; --main: #6fb1ff; --other: #f0a36b; --mark: #ff7d99; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem 1rem 3rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .75rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; padding: .75rem; background: var(--card); border: 1px solid var(--rule); border-radius: .5rem; }
figcaption { font-weight: 600; margin-bottom: .25rem; } svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; } .middle { text-anchor: middle; }
.end { text-anchor: end; } svg line, polyline { fill: none; stroke-width: 2; } svg .grid { stroke: var(--rule); stroke-width: 1; }
.main { stroke: var(--main); } circle.main { fill: var(--main); } .other { stroke: var(--other); }
circle.other { fill: var(--other); } .mark { stroke: var(--mark); } circle.mark { fill: var(--mark); }
.guide { stroke: var(--soft); stroke-dasharray: 5 4; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .25rem 0 0; font-size: .85rem; color: var(--soft); }
.legend i { display: inline-block; width: 1.1em; margin-right: .4em; vertical-align: middle; border-top: 3px solid; }
.legend .main { border-color: var(--main); } .legend .other { border-color: var(--other); }
.legend .mark { border-color: var(--mark); } .legend .guide { border-color: var(--soft); border-top-style: dashed; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--rule); vertical-align: top;
  font-variant-numeric: tabular-nums; } th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td { white-space: nowrap; } td:last-child { white-space: normal; min-width: 9rem; } .says td:last-child { min-width: 22rem; }
@media (max-width: 44rem) { .says thead { display: none; } .says tr { display: block; border-bottom: 1px solid var(--rule);
  padding: .4rem 0; } .says td { display: inline-block; border: 0; padding: 0 .8rem 0 0; color: var(--soft); }
  .says td:nth-child(n + 3):not(:last-child) { display: none; } .says td:first-child { color: var(--ink); font-weight: 600; } .says td:last-child { display: block; min-width: 0;
  color: var(--ink); } }
"""


def html(report: CalibrationReport) -> str:
    """The whole page."""
    title = escape(f"Calibration: {report.title}")
    parts = [
        f"<h1>{title}</h1><p>{escape(summary(report))}</p>",
        f'<div class="charts">{"".join(_figures(report))}</div>',
    ]
    for heading, header, rows in tables(report):
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        body = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in rows)
        style = ' class="says"' if header[-1] == "statement" else ""
        parts.append(
            f'<h2>{escape(heading)}</h2><div class="wide"><table{style}><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )
    if report.dropped:
        left = "; ".join(f"<code>{escape(name)}</code>, {escape(why)}" for name, why in report.dropped)
        parts.append(f"<p>Left out: {left}.</p>")
    parts += [f"<p>{escape(note)}</p>" for note in report.notes]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _figures(report: CalibrationReport) -> list[str]:
    figures = [
        _figure(
            "Which signals tell bad from good",
            intervals(
                [(row.name, row.auroc.value, row.auroc.low, row.auroc.high) for row in report.signals],
                0.4,
                1.0,
                "AUROC (.5 is chance)",
            ),
        ),
        _figure(
            "Is the confidence honest",
            chart(
                [
                    Series("honest", (0, 1), (0, 1), "guide"),
                    Series(
                        "share good, 95 % interval",
                        [b.confidence for b in report.reliability],
                        [b.rate for b in report.reliability],
                        "main",
                        True,
                        [(b.low, b.high) for b in report.reliability],
                    ),
                ],
                "confidence",
                "share good",
                1.0,
            ),
        ),
        _figure("What is accepted, and how often it is wrong", _risk_coverage(report)),
    ]
    sparse = report.sparsification
    if sparse is not None:
        removed = sparse.removed.tolist()
        curves = [
            Series("by confidence", removed, sparse.by_confidence.tolist()),
            Series("oracle", removed, sparse.by_error.tolist(), "other"),
            Series("random", removed, sparse.random.tolist(), "guide"),
        ]
        figures.append(
            _figure("Error of the pixels that stay", chart(curves, "share of pixels removed", "mean error"))
        )
    return figures


def _risk_coverage(report: CalibrationReport) -> str:
    curves = [
        Series("risk", report.curve.coverage.tolist(), report.curve.risk.tolist()),
        Series("best possible order", report.oracle.coverage.tolist(), report.oracle.risk.tolist(), "other"),
    ]
    certified = [
        o
        for o in report.outcomes
        if isinstance(o, Certificate) and o.group is None and o.method != "crc-joint"
    ]
    if certified:
        curves.append(
            Series(
                "certified: share accepted, risk at most",
                [c.coverage for c in certified],
                [c.alpha for c in certified],
                "mark",
                True,
            )
        )
    return chart(curves, "share accepted", "share of those wrong")


def _figure(caption: str, inside: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{inside}</figure>"
