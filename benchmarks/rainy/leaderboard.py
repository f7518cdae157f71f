"""One line a system, of runs that may be compared: others add their backend by running the same command on it.

JSON Lines. Lines of one `course` (data, tasks, conditions, scenes and seed alike) are comparable; a system's line on a
course takes the place of its older one, where name, weights and policy are the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from visionrouter.benchmarks.rainy.document import ORACLE, Document, Summary, System
from visionrouter.schema.errors import RequestError

FORM = 1


def add(document: Document, path: Path) -> list[dict[str, Any]]:
    """The file's lines, with the document's in place, as they are written; best first on every course."""
    fresh = lines(document)
    who = {_who(line) for line in fresh}
    kept = [line for line in read(path) if _who(line) not in who]
    merged = sorted([*kept, *fresh], key=lambda line: (line["course"], line["utility_loss"], line["system"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f"{path.suffix}.partial")
    partial.write_text("".join(f"{json.dumps(line)}\n" for line in merged), encoding="utf-8")
    partial.replace(path)
    return merged


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a leaderboard; none where there is no file. Raises `RequestError` for a line that is none of ours."""
    if not path.exists():
        return []
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            _who(line)
            if line["form"] != FORM:
                raise ValueError(f"form {line['form']}")
            float(line["utility_loss"])
        except (ValueError, KeyError, TypeError) as error:
            raise RequestError(
                f"{path}:{number}: is no line of a leaderboard ({error}); mend or remove it"
            ) from error
        found.append(line)
    return found


def lines(document: Document) -> list[dict[str, Any]]:
    """A line for each system but the oracle, over the tasks that it was asked."""
    made = []
    for system in document.systems:
        rows = [row for row in document.summaries if row.system == system.name]
        if system.name != ORACLE and rows:
            made.append(_line(document, system, rows))
    return made


def course(document: Document) -> str:
    """What was run, as twelve hex digits: the same for runs that may be compared."""
    o = document.options
    shown = sorted(c.name for c in document.conditions if c.group in ("clean", "damage", "odd", "wording"))
    text = json.dumps([o.data, o.data_digest, sorted(o.tasks), shown, o.scenes, o.seed])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _line(document: Document, system: System, rows: Sequence[Summary]) -> dict[str, Any]:
    return {
        "form": FORM,
        "course": course(document),
        "data": document.options.data,
        "system": system.name,
        "kind": system.kind,
        "profile": document.options.profile,
        "weights": dict(system.weights),
        "policy": system.policy,
        "tasks": [row.task for row in rows],
        "utility_loss": _mean([row.utility.value for row in rows]),
        "clean": _mean([row.clean.value for row in rows if row.clean is not None]),
        "mpc": _mean([row.mpc.value for row in rows if row.mpc is not None]),
        "rpc": _mean([row.rpc.value for row in rows if row.rpc is not None]),
        "coverage": _mean([row.coverage for row in rows]),
        "risk": _mean([row.risk for row in rows if row.risk is not None]),
        "seconds": _mean([row.seconds for row in rows]),
        "cost": _mean([row.cost for row in rows]),
        "made_by": document.made_by,
        "made_at": document.made_at,
        "command": document.command,
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(mean(values), 5) if values else None


def _who(line: dict[str, Any]) -> tuple[str, ...]:
    weights = json.dumps(line["weights"], sort_keys=True)
    return (line["course"], line["system"], line["kind"], weights, str(line["policy"]))
