"""A comparison as a page: the verdict, how it came about, where it differs, and the images that arms disagree on most."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from visionrouter.experiment.compare import Comparison, Verdict
from visionrouter.experiment.evidence import Estimate
from visionrouter.experiment.page import (
    Card,
    Cell,
    Number,
    Shot,
    Tone,
    cards,
    figures,
    notes,
    page,
    section,
    table,
)
from visionrouter.experiment.pairs import F64, Pairs
from visionrouter.experiment.plots import Interval, Line, band, forest, lines

_TONES: dict[Verdict, Tone] = {
    Verdict.BETTER: "good",
    Verdict.WORSE: "bad",
    Verdict.EQUIVALENT: "even",
    Verdict.INCONCLUSIVE: "open",
}
_WORDS = {
    Verdict.BETTER: "{b} is better than {a}",
    Verdict.WORSE: "{b} is worse than {a}",
    Verdict.EQUIVALENT: "{b} and {a} are equivalent",
    Verdict.INCONCLUSIVE: "Not yet known: {b} against {a}",
}
_ROWS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Witness:
    """What is known of one request besides its figures: what was asked, both decisions in words, the picture (JPEG) where it
    was kept, and both answers drawn on it where they were."""

    said_a: str = ""
    said_b: str = ""
    asked: str = ""
    jpeg: bytes | None = None
    drawn: tuple[bytes, bytes] | None = None


def compare_page(
    found: Comparison,
    pairs: Pairs,
    names: tuple[str, str],
    witness: Callable[[str], Witness] = lambda _: Witness(),
    *,
    examples: int = 12,
) -> str:
    """The page. `witness` is asked for the `examples` requests that the arms differ on most."""
    a, b = names
    why = found.why[0].upper() + found.why[1:] + "."
    if found.verdict is Verdict.INCONCLUSIVE:
        why += (
            f" About {found.more:,} more rows like these would tell."
            if found.more
            else " No number of rows like these would tell without a margin."
        )
    kind = "anytime-valid, may be looked at whenever one likes" if found.plan.live else "cluster bootstrap"
    foot = (
        f"{found.rows:,} rows in {found.clusters:,} clusters, {'paired' if found.paired else 'not paired'}; "
        f"{1 - found.plan.alpha:.0%} intervals, {kind}; seed {found.plan.seed}."
    )
    return page(
        f"{b} against {a}",
        _WORDS[found.verdict].format(a=a, b=b),
        why,
        _TONES[found.verdict],
        [
            notes(found.warnings),
            section("Figures", _metrics(found, names)),
            section("Plots", figures(_plots(found, pairs, names))),
            section("By slice", _slices(found, names)),
            section("Worst disagreements", *_disagreements(found, pairs, names, witness, examples)),
        ],
        foot,
    )


def _metrics(found: Comparison, names: tuple[str, str]) -> str:
    rows: list[list[Cell]] = [[*_cells(found.primary), "primary"]]
    rows += [[*_cells(g.estimate), f"{g.held}, margin {g.margin:g}"] for g in found.guardrails]
    tests = [
        ("exact McNemar", found.p_mcnemar),
        ("sign flip", found.p_sign_flip),
        ("any time (e-process)", found.p_anytime),
    ]
    said = [f"{name} p = {p:.3g}" for name, p in tests if p is not None]
    if found.variance_kept is not None:
        said.append(f"the covariate takes {1 - found.variance_kept:.0%} of the variance away")
    after = f"<p>{'; '.join(said)}</p>" if said else ""
    header = ("metric", *names, "difference", "from", "to", "what for")
    return table(f"{names[1]} less {names[0]}, with intervals", header, rows) + after


def _plots(found: Comparison, pairs: Pairs, names: tuple[str, str]) -> list[tuple[str, str]]:
    made = []
    if len(found.low_over_time) > 1:
        made.append(
            (
                f"Difference in {found.primary.metric} as clusters came in, valid at any time",
                band(
                    found.low_over_time,
                    found.high_over_time,
                    "clusters",
                    f"{names[1]} less {names[0]}",
                    found.plan.margin,
                ),
            )
        )
    if found.slices:
        rows = [
            Interval(
                f"{s.key}={s.value}", s.estimate.difference, s.estimate.low, s.estimate.high, faint=s.small
            )
            for s in found.slices[:16]
        ]
        whole = Interval("all", found.primary.difference, found.primary.low, found.primary.high)
        made.append(
            (
                "Difference by slice; grey: few clusters",
                forest([whole, *rows], f"{names[1]} less {names[0]}"),
            )
        )
    if "latency_ms" in pairs.values:
        made.append(("Latency", _shares_under(pairs.of("latency_ms"), names)))
    if "confidence" in pairs.values:
        made.append(
            (
                "Risk and coverage",
                _risk_coverage(pairs.of(found.plan.primary.column), pairs.of("confidence"), names),
            )
        )
    return made


def _shares_under(latency: F64, names: tuple[str, str]) -> str:
    series = []
    for side, style in ((0, "a"), (1, "b")):
        known = np.sort(latency[side][~np.isnan(latency[side])])
        if len(known):
            shown = known[: max(1, math.ceil(0.995 * len(known)))]
            share = np.arange(1, len(shown) + 1) / len(known)
            series.append(Line(names[side], shown.tolist(), share.tolist(), style))
    return lines(series, "milliseconds in backends", "share of requests under")


def _risk_coverage(loss: F64, confidence: F64, names: tuple[str, str]) -> str:
    """Mean loss of the most confident answers, by the share of requests they are."""
    series = []
    for side, style in ((0, "a"), (1, "b")):
        known = ~np.isnan(loss[side]) & ~np.isnan(confidence[side])
        if known.any():
            ordered = loss[side][known][np.argsort(-confidence[side][known], kind="stable")]
            count = np.arange(1, len(ordered) + 1)
            series.append(
                Line(
                    names[side],
                    (count / loss.shape[1]).tolist(),
                    (np.cumsum(ordered) / count).tolist(),
                    style,
                )
            )
    return lines(series, "share of requests answered", "mean loss of those")


def _slices(found: Comparison, names: tuple[str, str]) -> str:
    rows: list[list[Cell]] = [
        [
            f"{s.key}={s.value}",
            *_cells(s.estimate)[1:],
            Number(s.clusters, f"{s.clusters:,}"),
            "too few to rely on" if s.small else "",
        ]
        for s in found.slices
    ]
    caption = "Exploratory: among many slices some differ by chance"
    return table(caption, ("slice", *names, "difference", "from", "to", "clusters", "note"), rows)


def _disagreements(
    found: Comparison,
    pairs: Pairs,
    names: tuple[str, str],
    witness: Callable[[str], Witness],
    examples: int,
) -> list[str]:
    column = found.plan.primary.column
    values, both = pairs.of(column), np.flatnonzero(pairs.both(column))
    gap = values[1, both] - values[0, both]
    order = both[np.argsort(-np.abs(gap), kind="stable")]
    order = order[values[1, order] != values[0, order]]
    shown: list[Card] = []
    for i in order[:examples]:
        slices = [(key, given[i]) for key, given in pairs.slices.items() if given[i]]
        shown.append(_card(pairs.ids[i], witness(pairs.ids[i]), column, values[:, i], names, slices))
    rows: list[Sequence[Cell]] = [
        [
            pairs.ids[i],
            _number(values[0, i]),
            _number(values[1, i]),
            _number(values[1, i] - values[0, i], sign=True),
            ", ".join(given[i] for given in pairs.slices.values() if given[i]),
        ]
        for i in order[:_ROWS_SHOWN]
    ]
    caption = f"Rows whose {column} differs most, at most {_ROWS_SHOWN}"
    return [cards(shown), table(caption, ("id", *names, "difference", "slices"), rows)]


def _card(
    key: str,
    seen: Witness,
    metric: str,
    values: F64,
    names: tuple[str, str],
    slices: list[tuple[str, str]],
) -> Card:
    """Both answers side by side, each over its decision; without them, the decisions in lines."""
    decisions = [
        (name, f"{metric} {value:.4g}" + (f"; {words}" if words else ""))
        for name, value, words in zip(names, values, (seen.said_a, seen.said_b), strict=True)
    ]
    shots = [Shot(seen.jpeg, f"the picture of request {key}", ("asked", seen.asked))] if seen.jpeg else []
    if seen.drawn is None:
        return Card(key, [*decisions, *slices], shots)
    drawn = [
        Shot(jpeg, f"the answer of {decision[0]} to request {key}", decision)
        for jpeg, decision in zip(seen.drawn, decisions, strict=True)
    ]
    return Card(key, slices, [*shots, *drawn])


def _cells(estimate: Estimate) -> list[Cell]:
    return [
        estimate.metric,
        _number(estimate.a),
        _number(estimate.b),
        _number(estimate.difference, sign=True),
        _number(estimate.low, sign=True),
        _number(estimate.high, sign=True),
    ]


def _number(value: float, *, sign: bool = False) -> Number:
    known = not math.isnan(value)
    text = (f"{value:+.4g}" if sign else f"{value:.4g}") if known else "none"
    return Number(float(value) if known else None, text)
