"""The table of results: a backend that knows the truth gets full marks, and what was measured is not measured again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.benchmarks.labelled.rendered import RenderedSource, town_world
from visionrouter.benchmarks.tuning.evaluate import LEFT_OUT, evaluate, main, questions, table
from visionrouter.schema.errors import RequestError, UnsupportedTargetError
from visionrouter.schema.payload import Payload
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

SOURCE = RenderedSource("town", town_world(), "test", 48)
CONDITIONS = ("clean", "fog3")
TASKS = (Task.DEPTH, Task.NORMALS, Task.SEMANTIC, Task.REFERRING, Task.PROMPTABLE)


class Knowing(Backend):
    """Answers by heart."""

    def __init__(self, tasks: Sequence[Task] = TASKS) -> None:
        self.spec = BackendSpec(
            name="knowing", kind="generative", tasks=frozenset(tasks), licence="Apache-2.0"
        )
        self.asked = 0
        self._truth: dict[tuple[Task, bytes], Payload] = {
            (task, q.query.image.pixels.tobytes()): q.item.truth
            for condition in CONDITIONS
            for task in tasks
            for q in questions(SOURCE, task, 2, condition)
        }

    def load(self) -> None: ...

    def close(self) -> None: ...

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        self.asked += len(queries)
        return [Prediction(self._truth[q.task, q.image.pixels.tobytes()], Evidence({})) for q in queries]


class Wordless(Knowing):
    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        raise UnsupportedTargetError("no word for that")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_the_truth_gets_full_marks_once(tmp_path: Path) -> None:
    backend, kept = Knowing(), tmp_path / "kept.json"
    results = evaluate({"knowing": backend}, SOURCE, CONDITIONS, 2, kept)
    for condition in CONDITIONS:
        found = results["knowing"][condition]
        assert found["depth d1"] == found["mIoU"] == found["mIoU fixed"] == found["prompt IoU"] == 1
        assert found["AbsRel"] == found[LEFT_OUT] == 0
        assert found["normals deg"] == pytest.approx(0, abs=0.1)
        assert found.get("ref cIoU", 1) == 1
    asked = backend.asked
    assert evaluate({"knowing": backend}, SOURCE, CONDITIONS, 2, kept) == results
    assert backend.asked == asked, "what the file holds is not measured again"
    with pytest.raises(RequestError, match="another measurement"):
        evaluate({"knowing": backend}, SOURCE, CONDITIONS, 3, kept)
    assert json.loads(kept.read_text())["settings"]["count"] == 2
    lines = table(results, ["knowing"], CONDITIONS).splitlines()
    assert "knowing depth d1" in lines[0]
    assert [line.split("|")[1].strip() for line in lines[2:4]] == list(CONDITIONS)
    assert len({line.count("|") for line in lines[:4]}) == 1


def test_questions_without_a_word_are_counted() -> None:
    results = evaluate({"wordless": Wordless((Task.DEPTH,))}, SOURCE, ("clean",), 2)
    assert results == {"wordless": {"clean": {LEFT_OUT: 2}}}
    assert "no word for 2" in table(results, ["wordless"], ("clean",))


def test_fixed_colours_are_the_same_in_every_picture() -> None:
    colours: dict[str, set[str | None]] = {}
    for question in questions(SOURCE, Task.SEMANTIC, 3, "clean"):
        palette = question.query.palette
        assert len({entry.rgb for entry in palette}) == len(palette)
        if question.suffix:
            for entry in palette:
                colours.setdefault(entry.label, set()).add(entry.colour)
    assert all(len(some) == 1 for some in colours.values())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--profile", "nope"], "no profile 'nope'"),
        (["--backend", "nope"], "profile nano has no nope; it has nanodet"),
        (["--world", "nope"], "unknown world 'nope'"),
        (["--json", "nowhere/town.json"], "there is no folder nowhere"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_mistake_at_the_command_is_a_line(given: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        main(given)
