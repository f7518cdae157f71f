"""What a profile's opinions are worth: whom each backend would contradict and back, on labelled and on planted answers.

    python -m visionrouter.benchmarks.rainy.opinions --profile proving-ground --store runs/opinions --rows rows.jsonl

Counts on calibration items, clean and damaged; `--seed` gives others than those on which limits were chosen. `--rows`
keeps every comparison with its signals, to choose limits by.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from visionrouter.backends.profile import Profile, load_profile
from visionrouter.benchmarks.labelled import Item, open_source
from visionrouter.benchmarks.rainy.planted import plants, sown
from visionrouter.benchmarks.rainy.recorded import Recorded, recording
from visionrouter.confidence.agreement import agreement, disagreements
from visionrouter.confidence.gate import judge
from visionrouter.confidence.losses import LOSSES
from visionrouter.intake import query_of
from visionrouter.merge.compare import compare
from visionrouter.schema.decision import Reason
from visionrouter.schema.errors import BackendError, SchemaError, VisionRouterError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.route import Opinion
from visionrouter.schema.task import Task

CONDITIONS = (
    "clean", "clean", "clean", "clean", "fog3", "rain3", "snow2", "night3", "glare2", "noise3", "defocus3", "jpeg3",
    "occluder2", "dead_rows2", "motion_blur2", "drops3",
)  # fmt: skip
"""A quarter clean; each with scenes of its own."""
HONEST = "none"


@dataclass(frozen=True, slots=True)
class Row:
    """An answer of `of`, as it is or with a plant in it, beside that of `by`.

    `loss` and `bad` against the truth; `vouched`: it keeps its limits; `counts`: so does the opinion, or it found nothing;
    `contradicts` and `backs`: what the opinion says. `evidence`: the opinion's own signals; `signals`: of the comparison.
    """

    task: str
    of: str
    by: str
    item: str
    condition: str
    plant: str
    loss: float
    bad: bool
    vouched: bool
    counts: bool
    contradicts: bool
    backs: bool
    evidence: Mapping[str, float]
    signals: Mapping[str, float]


def measure(
    profile: Profile, backends: Mapping[str, Recorded], task: Task, items: Sequence[Item]
) -> Iterator[Row]:
    """Every answer to `items` beside every opinion that the profile has on it, and the same with what can be planted."""
    able = [name for name, backend in backends.items() if task in backend.spec.tasks]
    sowing = {plant: dict(sown(plant, items)) for plant in plants(task)}
    for by in able:
        opinion = profile.opinions.get(by, {}).get(task)
        if opinion is None:
            continue
        for of in (name for name in able if name != by):
            for i, item in enumerate(items):
                query = query_of(item.request)
                theirs, mine = (_said(backends[name], query) for name in (by, of))
                if theirs is None or mine is None:
                    continue
                answers = {HONEST: mine}
                for plant, places in sowing.items():
                    wrong = places[i].answer(query, backends[of]) if i in places else None
                    if wrong is not None:
                        answers[plant] = wrong
                for plant, answer in answers.items():
                    row = _row(profile, opinion, item, answer, theirs, (of, by, plant))
                    if row is not None and (plant == HONEST or row.bad):
                        yield row


def _said(backend: Recorded, query: Query) -> Prediction | None:
    try:
        return backend.predict([query])[0]
    except BackendError:
        return None


def _row(
    profile: Profile,
    opinion: Opinion,
    item: Item,
    answer: Prediction,
    theirs: Prediction,
    names: tuple[str, str, str],
) -> Row | None:
    of, by, plant = names
    task = item.instruction.task
    verdict = judge(answer, profile.limits.get(of, {}).get(task))
    if verdict.reason in (Reason.NOTHING_FOUND, Reason.UNRESOLVED):
        return None
    try:
        loss = LOSSES[task].measure(answer.payload, item.truth)
    except SchemaError:
        return None
    heard = judge(theirs, opinion.counts)
    signals = compare(answer.payload, theirs.payload).signals
    backs = opinion.backs is not None and heard.accepted and not disagreements(opinion.backs, signals)
    return Row(
        task=task.value,
        of=of,
        by=by,
        item=item.id,
        condition=item.tags["condition"],
        plant=plant,
        loss=round(loss, 5),
        bad=LOSSES[task].is_bad(loss),
        vouched=verdict.accepted,
        counts=heard.accepted or heard.reason is Reason.NOTHING_FOUND,
        contradicts=bool(disagreements(agreement(opinion, task), signals)),
        backs=backs,
        evidence=theirs.evidence.signals,
        signals=signals,
    )


def table(rows: Iterable[Row]) -> str:
    """A Markdown table, one line for each task and pair."""
    pairs: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        pairs.setdefault((row.task, row.of, row.by), []).append(row)
    head = (
        "| task | answer of | opinion of | counts | good, vouched: contradicted | bad, vouched: contradicted "
        "| good, not vouched: backed | bad, not vouched: backed | planted: given out |"
    )
    lines = [head, "|---|---|---|---:|---:|---:|---:|---:|---:|"]
    for (task, of, by), some in pairs.items():
        honest = [row for row in some if row.plant == HONEST]
        cells = [_of([row.counts for row in honest])]
        for vouched in (True, False):
            for bad in (False, True):
                chosen = [row for row in honest if (row.vouched, row.bad) == (vouched, bad)]
                cells.append(
                    _of([row.counts and row.contradicts if vouched else row.backs for row in chosen])
                )
        planted = [row for row in some if row.plant != HONEST]
        cells.append(_of([_given_out(row) for row in planted]))
        lines.append(f"| {task} | {of} | {by} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _given_out(row: Row) -> bool:
    """Whether `safety-critical` would give it out, were `by` the one that it asks."""
    return not (row.counts and row.contradicts) if row.vouched else row.backs


def _of(told: Sequence[bool]) -> str:
    return f"{sum(told)} of {len(told)}" if told else "-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", default="proving-ground")
    parser.add_argument("--data", default="town", help="a source of labelled scenes, such as scenes:street")
    parser.add_argument(
        "--task",
        action="append",
        type=Task,
        choices=[*Task],
        help="may be repeated; all that the profile has opinions on, unless given",
    )
    parser.add_argument("--n", type=int, default=6, help=f"scenes under each of {len(CONDITIONS)} conditions")
    parser.add_argument(
        "--seed", type=int, default=300, help="of the scenes; the next ones for each condition"
    )
    parser.add_argument("--store", type=Path, required=True, help="folder of recorded predictions")
    parser.add_argument("--rows", type=Path, help="JSON Lines file for every comparison")
    try:
        _run(parser.parse_args(arguments))
    except VisionRouterError as error:
        sys.exit(str(error))


def _run(given: argparse.Namespace) -> None:
    profile, source = load_profile(given.profile), open_source(given.data, "calibration")
    tasks = given.task or sorted({t for some in profile.opinions.values() for t in some} & source.tasks)
    rows: list[Row] = []
    with recording(profile, given.store) as (backends, notes):
        for note in notes:
            print(note, file=sys.stderr)
        for task in tasks:
            items = [
                item
                for place, condition in enumerate(CONDITIONS)
                for item in source.items(task, given.n, seed=given.seed + place, conditions=(condition,))
            ]
            rows += measure(profile, backends, task, items)
            print(f"{task.value}: {len(items)} items", file=sys.stderr)
    if given.rows is not None:
        given.rows.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    print(table(rows))


if __name__ == "__main__":
    main()
