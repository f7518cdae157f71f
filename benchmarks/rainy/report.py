"""The document as one page that fetches nothing: what was promised, where routing loses, then all the figures."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from visionrouter.benchmarks.rainy.document import ORACLE, Document, Estimate, Failure, Score, Summary
from visionrouter.benchmarks.rainy.figures import interval, number, percent
from visionrouter.benchmarks.rainy.heat import Column, Spot, heat_map
from visionrouter.benchmarks.rainy.targets import loses, lost_cells, tellable
from visionrouter.confidence.losses import LOSSES
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
from visionrouter.experiment.plots import Dot, Line, lines
from visionrouter.schema.task import Task

MOST_LOSSES = 25
_STYLES = {"alone": "a", "merged": "soft", "policy": "b", "oracle": "soft"}
_PICTURES = {
    "picture": "what was shown",
    "side_by_side": "the answer",
    "drawing": "what the generative model drew",
    "error": "error of every pixel, yellow is worst",
    "truth": "the truth",
}


def html(document: Document, folder: Path | None = None) -> str:
    """The whole page; with `folder`, where the document lies, with pictures of the worst failures."""
    met = sum(target.met for target in document.targets)
    lost, told = lost_cells(document)
    tone: Tone = "good" if met == len(document.targets) else "bad" if lost else "open"
    verdict = f"{met} of {len(document.targets)} targets met; routing loses in {len(lost)} of {told} cells"
    o = document.options
    why = (
        f"Profile {o.profile} on {o.data}: {len(o.tasks)} tasks, {len(document.conditions)} conditions, {o.scenes} scenes a "
        f"cell, seed {o.seed}. Utility loss: the loss of the answer given, in [0, 1], lower is better; no answer costs the "
        "line between good and bad of its task. A cell is lost where a policy costs more than the backend that alone is "
        "best there, beyond the 95 % interval of a bootstrap over scenes."
    )
    parts = [
        section("Targets", _targets(document)),
        section("Where routing loses", _losses(lost, told)),
        *(section(task, *_task(document, task)) for task in document.tasks),
        section("Planted hallucinations", _planted(document)),
        section("With calls that fail", _faulted(document)),
        section("Certificates", _certified(document)),
        section("The worst answers that were vouched for", _gallery(document, folder)),
        section("How it was made", notes(list(_made(document)))),
    ]
    foot = f"{document.made_by}, {document.made_at}. Every figure stands in rainy-day.json and rainy-day.md."
    return page("Rainy-day benchmark", verdict, why, tone, parts, foot)


def _targets(document: Document) -> str:
    rows: list[Sequence[Cell]] = [
        (
            t.name,
            t.system,
            t.wanted,
            Number(t.value, percent(t.value) if "%" in t.wanted else number(t.value)),
            "met" if t.met else "missed",
            t.detail,
        )
        for t in document.targets
    ]
    return table("What was promised", ("target", "system", "wanted", "found", "", "detail"), rows)


def _losses(lost: Sequence[Score], told: int) -> str:
    if not lost:
        return notes([f"In none of {told} cells of policies, beyond the interval."])
    rows: list[Sequence[Cell]] = [
        (
            s.system,
            s.task,
            s.condition,
            _estimated(s.utility),
            str(s.best),
            _estimated(s.versus),
            Number(s.coverage.value, percent(s.coverage.value)),
            Number(float(s.n), str(s.n)),
        )
        for s in lost[:MOST_LOSSES]
    ]
    head = ("system", "task", "condition", "utility loss", "best alone", "worse by", "coverage", "n")
    shown = "" if len(lost) <= MOST_LOSSES else f", the worst {MOST_LOSSES}"
    return table(f"{len(lost)} of {told} cells{shown}", head, rows)


def _task(document: Document, task: str) -> Iterator[str]:
    summaries = sorted((s for s in document.summaries if s.task == task), key=lambda s: s.system == ORACLE)
    yield _heat(document, task)
    yield figures(
        [
            ("What quality costs", _frontier(document, summaries)),
            ("What is answered, and how often it is bad", _risk_coverage(document, task, summaries)),
        ]
    )
    yield _summary(summaries)


def _heat(document: Document, task: str) -> str:
    scores = {(s.system, s.condition): s for s in document.scores if s.task == task}
    systems = [s.name for s in document.systems if any(name == s.name for name, _ in scores)]
    shown = [c for c in document.conditions if any((s, c.name) in scores for s in systems)]
    full = 2 * LOSSES[Task(task)].bad_above
    spots = [[_spot(scores.get((s, c.name)), full) for c in shown] for s in systems]
    columns = [Column(c.name, c.kind) for c in shown]
    label = f"{task}: utility loss of systems by conditions, severities 1 to 5 from left to right; framed where it loses"
    return heat_map(systems, columns, spots, label)


def _spot(score: Score | None, full: float) -> Spot | None:
    if score is None:
        return None
    said = f"loss {interval(score.utility)}, coverage {percent(score.coverage.value)}, n {score.n}"
    return Spot(min(1.0, max(0.0, score.utility.value / full)), said, loses(score))


def _frontier(document: Document, summaries: Sequence[Summary]) -> str:
    kinds = {system.name: system.kind for system in document.systems}
    dots = [Dot(s.system, s.cost, s.utility.value, _STYLES[kinds.get(s.system, "oracle")]) for s in summaries]
    return lines([], "relative cost a request", "utility loss", dots)


def _risk_coverage(document: Document, task: str, summaries: Sequence[Summary]) -> str:
    """A curve for each backend alone, its answers ranked by how sure it is of them; a point for each policy."""
    alone = [s.name for s in document.systems if s.kind == "alone"]
    curves = [
        _curve(document, task, name, style) for name, style in zip(alone, "ab" * len(alone), strict=False)
    ]
    policies = document.policies
    dots = [
        Dot(s.system, s.coverage, s.risk, "soft")
        for s in summaries
        if s.system in policies and s.risk is not None
    ]
    return lines([c for c in curves if c is not None], "share answered", "share of those bad", dots)


def _curve(document: Document, task: str, system: str, style: str) -> Line | None:
    bad_above = LOSSES[Task(task)].bad_above
    known = [
        (s.score, s.loss > bad_above)
        for s in document.shots
        if (s.task, s.system) == (task, system) and s.score is not None and s.loss is not None
    ]
    if len(known) < 2:
        return None
    known.sort(key=lambda pair: -pair[0])
    counts = np.arange(1, len(known) + 1)
    bad = np.cumsum([is_bad for _, is_bad in known])
    total = sum((s.task, s.system) == (task, system) for s in document.shots)
    return Line(f"{system} alone, ranked", (counts / total).tolist(), (bad / counts).tolist(), style)


def _summary(summaries: Sequence[Summary]) -> str:
    rows: list[Sequence[Cell]] = [
        (
            s.system,
            _estimated(s.clean),
            _estimated(s.mpc),
            _estimated(s.rpc),
            _estimated(s.utility),
            Number(s.coverage, percent(s.coverage)),
            Number(s.risk, percent(s.risk)),
            _estimated(s.regret),
            Number(s.seconds, f"{s.seconds:.2f}"),
            Number(s.cost, f"{s.cost:.1f}"),
            "; ".join(
                f"{name} {number(s.metrics_clean.get(name))} / {number(value)}"
                for name, value in s.metrics_mpc.items()
            ),
        )
        for s in summaries
    ]
    head = (
        "system", "clean", "mPC", "rPC", "utility loss", "coverage", "risk", "regret", "seconds", "cost",
        "the task's own figures, clean / damaged",
    )  # fmt: skip
    return table("Performance is 1 - utility loss; regret is against the oracle", head, rows)


def _planted(document: Document) -> str:
    rows: list[Sequence[Cell]] = [
        (
            p.plant,
            p.task,
            p.backend,
            p.system,
            Number(float(p.n), str(p.n)),
            _estimated(p.caught, share=True),
            Number(float(p.would_be_good), str(p.would_be_good)),
            _estimated(p.false_alarms, share=True),
        )
        for p in document.planted
    ]
    head = ("plant", "task", "backend", "system", "n", "caught", "good answers", "false alarms")
    return table("Wrong answers set in place of a backend's, with its evidence kept", head, rows)


def _faulted(document: Document) -> str:
    rows: list[Sequence[Cell]] = [
        (
            f.system,
            f.task,
            Number(f.rate, f"{f.rate:.0%}"),
            Number(float(f.n), str(f.n)),
            Number(float(f.faults), str(f.faults)),
            _estimated(f.utility),
            Number(f.utility_well, number(f.utility_well)),
            Number(f.coverage, percent(f.coverage)),
            Number(f.coverage_well, percent(f.coverage_well)),
            Number(float(f.lost), str(f.lost)),
        )
        for f in document.faulted
    ]
    head = (
        "system", "task", "rate", "n", "faults", "utility loss", "without", "coverage", "without", "lost",
    )  # fmt: skip
    return table("A share of all calls to backends fails", head, rows)


def _certified(document: Document) -> str:
    rows: list[Sequence[Cell]] = [
        (
            s.system,
            s.task,
            s.condition,
            Number(float(s.certified.n), str(s.certified.n)),
            Number(float(s.certified.bad), str(s.certified.bad)),
            Number(s.certified.alpha, f"{s.certified.alpha:.0%}"),
            "violated" if s.certified.violated else "kept" if tellable(s.certified) else "too few to tell",
        )
        for s in document.scores
        if s.certified is not None
    ]
    head = ("system", "task", "condition", "accepted", "bad", "at most", "")
    return table("Answers accepted under a certificate, by condition", head, rows)


def _gallery(document: Document, folder: Path | None) -> str:
    return cards([_card(failure, folder) for failure in document.failures])


def _card(failure: Failure, folder: Path | None) -> Card:
    shots = []
    for stem, said in _PICTURES.items():
        jpeg = None if folder is None else _jpeg(folder / failure.folder / f"{stem}.png")
        if jpeg is not None:
            shots.append(Shot(jpeg, f"{said}: {failure.item}", (said, "")))
    facts = [
        ("asked", failure.instruction),
        ("answered by", failure.system),
        ("loss", f"{failure.loss:.3f}"),
        ("decision", failure.said),
        ("item", failure.item),
    ]
    return Card(f"{failure.task}, {failure.condition}", facts, shots)


def _jpeg(path: Path) -> bytes | None:
    """A picture of at most 640 pixels, small enough for a page; None where there is none."""
    import PIL.Image

    if not path.is_file():
        return None
    with PIL.Image.open(path) as picture:
        small = picture.convert("RGB")
        small.thumbnail((640, 640))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=80)
    return out.getvalue()


def _made(document: Document) -> Iterator[str]:
    m = document.machine
    if document.command:
        yield f"{document.command}: {document.seconds:,.0f} s"
    yield f"Python {m.python}, {m.platform}, {m.cores} cores of {m.processor}"
    yield f"Libraries: {', '.join(f'{name} {version}' for name, version in m.libraries.items())}"
    yield f"Data {document.options.data}: {document.options.data_digest[:12]}"
    for system in document.systems:
        weights = ", ".join(f"{name} {digest[:12]}" for name, digest in system.weights.items() if digest)
        if system.kind == "alone":
            yield f"Backend {system.name}: weights {weights or 'none'}"
        elif system.policy is not None:
            yield f"{system.kind.capitalize()} {system.name}: policy {system.policy[:12]}"
    yield from document.notes


def _estimated(estimate: Estimate | None, *, share: bool = False) -> Number:
    if estimate is None:
        return Number(None, "-")
    return Number(estimate.value, interval(estimate, share=share))
