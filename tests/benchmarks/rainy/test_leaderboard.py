"""The leaderboard: a line a system; running again takes the old one's place, another backend adds its own."""

from dataclasses import replace

import pytest

from visionrouter.benchmarks.rainy.leaderboard import add, course, read
from visionrouter.benchmarks.rainy.run import Plan, conduct
from visionrouter.schema.errors import RequestError

PLAN = Plan("made up", "flat", ("default",), scenes=3, plants=0, fault_rates=(), draws=100)


@pytest.fixture
def document(matrix, bench, tmp_path):
    return conduct(PLAN, replace(matrix, scenes=3), bench, tmp_path)


def test_the_best_system_comes_first_and_the_oracle_takes_no_part(document, tmp_path):
    add(document, tmp_path / "board.jsonl")
    lines = read(tmp_path / "board.jsonl")
    assert {line["system"] for line in lines} == {"sharp", "steady", "merged", "default"}
    losses = [line["utility_loss"] for line in lines]
    assert losses == sorted(losses)
    assert lines[0]["weights"]


def test_the_same_system_again_takes_its_own_place(document, tmp_path):
    path = tmp_path / "board.jsonl"
    add(document, path)
    again = add(replace(document, made_at="later"), path)
    assert len(again) == 4
    assert {line["made_at"] for line in again} == {"later"}


def test_other_weights_and_other_courses_stand_beside(document, tmp_path):
    path = tmp_path / "board.jsonl"
    add(document, path)
    tuned = tuple(replace(s, weights={**s.weights, "sharp": "new"}) for s in document.systems)
    assert len(add(replace(document, systems=tuned), path)) == 8
    longer = replace(document, options=replace(document.options, scenes=99))
    assert course(longer) != course(document)
    assert len(add(longer, path)) == 12


def test_a_file_of_something_else_is_left_as_it_is(document, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("milk, bread\n")
    with pytest.raises(RequestError, match=r"notes.txt:1: is no line"):
        add(document, path)
    assert path.read_text() == "milk, bread\n"
