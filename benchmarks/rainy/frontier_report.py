"""`visionrouter bench frontier`: the sweep of every task, as JSON, as Markdown and as a page with the curves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from visionrouter.backends.profile import load_profile
from visionrouter.benchmarks.rainy.frontier import Curve, Frontier, sweep
from visionrouter.benchmarks.rainy.intervals import Bootstrap
from visionrouter.benchmarks.rainy.markdown import table
from visionrouter.benchmarks.rainy.matrix import open_matrix
from visionrouter.benchmarks.rainy.recorded import Recorded, recording
from visionrouter.benchmarks.rainy.run import Progress, silent
from visionrouter.benchmarks.rainy.trials import Bench
from visionrouter.confidence.report_svg import Series, chart
from visionrouter.schema.errors import RequestError
from visionrouter.schema.task import Task

STEM = "frontier"
DAMAGED = ("clean", "damage")
_STYLE = """
:root{color-scheme:light dark;--main:#0a5cc2;--other:#a8480c;--soft:#5b636c;--rule:#d8dde3;--mark:#11713a}
@media(prefers-color-scheme:dark){:root{--main:#76b4ff;--other:#f2a169;--soft:#a5adb6;--rule:#3a4048;--mark:#6fd195}}
body{max-width:64rem;margin:1rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif}
figure{margin:1rem 0;max-width:40rem}svg{width:100%;height:auto}svg text{fill:var(--soft);font:12px system-ui}
.middle{text-anchor:middle}.end{text-anchor:end}polyline{fill:none;stroke-width:2}.grid{stroke:var(--rule)}
polyline.main{stroke:var(--main)}polyline.other{stroke:var(--other)}polyline.guide{stroke:var(--soft);stroke-dasharray:5 4}
circle.mark{fill:var(--mark)}.legend span{margin-right:1.2em;color:var(--soft)}
.legend i{display:inline-block;width:1.2em;margin-right:.4em;vertical-align:middle;border-top:3px solid}
.legend .main{border-color:var(--main)}.legend .other{border-color:var(--other)}.legend .mark{border-color:var(--mark)}
.legend .guide{border-color:var(--soft);border-top-style:dashed}
"""


@dataclass(frozen=True, slots=True)
class Study:
    """A frontier of every task. `notes`: what is not in them, and why."""

    tasks: tuple[Frontier, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FrontierPlan:
    """`first` and `second`: backends; where none is named, the cheapest that does a task and the dearest."""

    profile: str = "nano"
    data: str = "town"
    tasks: tuple[Task, ...] = ()
    conditions: tuple[str, ...] = DAMAGED
    first: str | None = None
    second: str | None = None
    signals: tuple[str, ...] = ()
    scenes: int = 4
    calibrations: tuple[str, ...] = ()
    seed: int = 0
    draws: int = 1000


def run(plan: FrontierPlan, out: Path, store: Path | None = None, progress: Progress = silent) -> Study:
    """Every task that two backends do, written to `out`. Raises `RequestError` where there is none."""
    profile = load_profile(plan.profile)
    with recording(profile, store or out / "predictions") as (backends, left_out):
        able = frozenset(task for backend in backends.values() for task in backend.spec.tasks)
        matrix = open_matrix(
            plan.data, able, tasks=plan.tasks, conditions=plan.conditions, scenes=plan.scenes, seed=plan.seed
        )
        bench = Bench.of(profile, backends, Bootstrap(plan.draws, plan.seed), plan.calibrations, plan.seed)
        pairs = [(task, pair) for task in matrix.tasks if (pair := _pair(plan, task, backends)) is not None]
        if not pairs:
            raise RequestError(f"no task of {plan.data} is done by two backends of {plan.profile}")
        found = []
        for task, (first, second) in pairs:
            tick = progress(task.value, 1)
            found.append(sweep(bench, task, list(matrix.cases(task)), first, second, plan.signals))
            tick()
    study = Study(tuple(found), (*left_out, *matrix.notes))
    _write(study, out)
    return study


def _pair(plan: FrontierPlan, task: Task, backends: dict[str, Recorded]) -> tuple[str, str] | None:
    able = sorted(
        (name for name, b in backends.items() if task in b.spec.tasks), key=lambda n: backends[n].spec.cost
    )
    unknown = [name for name in (plan.first, plan.second) if name is not None and name not in backends]
    if unknown:
        raise RequestError(
            f"profile {plan.profile} has no {', '.join(unknown)}; it has {', '.join(backends)}"
        )
    first = plan.first or next((name for name in able if name != plan.second), None)
    second = plan.second or next((name for name in reversed(able) if name != first), None)
    if first is None or second is None or first == second or not {first, second} <= set(able):
        return None
    return first, second


def _write(study: Study, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(study), indent=1, allow_nan=False)
    (out / f"{STEM}.json").write_text(f"{text}\n", encoding="utf-8")
    (out / f"{STEM}.md").write_text(markdown(study), encoding="utf-8")
    (out / f"{STEM}.html").write_text(html(study), encoding="utf-8")


def markdown(study: Study) -> str:
    lines = ["# Cost against quality", ""]
    for one in study.tasks:
        lines += [*_task(one), ""]
    lines += [f"- {note}" for note in study.notes]
    return "\n".join(lines).rstrip() + "\n"


def _task(one: Frontier) -> Iterator[str]:
    yield f"## {one.task}: {one.first}, then {one.second}"
    yield ""
    yield (
        f"{one.n} items of {one.scenes} scenes. Mean utility loss: {one.first} alone {one.first_utility:.3f}, {one.second} "
        f"alone {one.second_utility:.3f}, the oracle's best {min(y for _, y in one.oracle):.3f}. Area below the line of "
        f"random routing, in loss times share sent on; the oracle's is {one.oracle_area:.4f}."
    )
    yield ""
    yield from table(
        ("gate", "area", "of the oracle's", "least loss", "sent on there", "cost there"),
        (_row(curve) for curve in one.curves),
    )


def _row(curve: Curve) -> Sequence[str]:
    best = min(curve.points, key=lambda point: point.utility)
    area = curve.area
    span = "" if area.low is None or area.high is None else f" [{area.low:.4f}, {area.high:.4f}]"
    return (
        f"{curve.signal}, at {'most' if curve.side == 'max' else 'least'} {best.threshold:.3g}",
        f"{area.value:.4f}{span}",
        "-" if curve.share is None else f"{curve.share:.0%}",
        f"{best.utility:.3f}",
        f"{best.sent:.0%}",
        f"{best.cost:.1f}",
    )


def html(study: Study) -> str:
    figures = "".join(
        f"<h2>{escape(f'{one.task}: {one.first}, then {one.second}')}</h2>"
        f"<figure>{_chart(one)}<figcaption>{escape(_caption(one))}</figcaption></figure>"
        for one in study.tasks
    )
    items = "".join(f"<li>{escape(note)}</li>" for note in study.notes)
    notes = f"<ul>{items}</ul>" if items else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Cost against quality</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>Cost against quality</h1>{figures}{notes}</body></html>\n"
    )


def _chart(one: Frontier) -> str:
    best = one.curves[0]
    ends = [(0.0, one.first_utility), *((p.sent, p.utility) for p in best.points), (1.0, one.second_utility)]
    return chart(
        [
            Series(f"gate on {best.signal}", [x for x, _ in ends], [y for _, y in ends], "main"),
            Series("oracle", [x for x, _ in one.oracle], [y for _, y in one.oracle], "other"),
            Series("random", [0.0, 1.0], [one.first_utility, one.second_utility], "guide"),
            Series("always one", [0.0, 1.0], [one.first_utility, one.second_utility], "mark", points=True),
        ],
        f"share sent on to {one.second}",
        "mean utility loss",
    )


def _caption(one: Frontier) -> str:
    best = one.curves[0]
    share = "" if best.share is None else f", {best.share:.0%} of the oracle's"
    return f"The gate with the largest area of {len(one.curves)}: {best.area.value:.4f}{share}."
