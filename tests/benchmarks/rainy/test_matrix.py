"""The matrix: the same scenes under every condition, and everything that was asked for."""

from collections import Counter, defaultdict
from itertools import islice

import pytest

from visionrouter.benchmarks.rainy.matrix import narrowed, open_matrix
from visionrouter.benchmarks.scenes import DAMAGES
from visionrouter.schema.errors import RequestError
from visionrouter.schema.task import Task

ABLE = frozenset({Task.DEPTH, Task.REFERRING})


def test_by_default_no_condition_is_dropped():
    matrix = open_matrix("town", ABLE, scenes=2)
    by_group = defaultdict(list)
    for condition in matrix.conditions:
        by_group[condition.group].append(condition.name)
    assert by_group["clean"] == ["clean"]
    assert by_group["damage"] == [f"{kind}{level}" for kind in DAMAGES for level in range(1, 6)]
    assert by_group["odd"] == ["tilted", "street", "room", "table", "landscape", "odd"]
    assert by_group["wording"] == ["paraphrase", "misspelling", "absent", "wrong_colour"]
    assert matrix.tasks == (Task.REFERRING, Task.DEPTH)


def test_cells_are_of_the_same_scenes_and_as_many_as_were_asked_for():
    matrix = open_matrix("town", ABLE, tasks=[Task.REFERRING], conditions=["noise2", "wording"], scenes=1)
    cases = list(matrix.cases(Task.REFERRING))
    scenes = defaultdict(set)
    for case in cases:
        scenes[case.condition.name].add(case.item.scene)
    assert scenes["clean"] == scenes["noise2"]
    counts = Counter(case.condition.name for case in cases)
    assert counts["absent"] == counts["wrong_colour"] == 1
    assert len({case.id for case in cases}) == len(cases) <= matrix.count(Task.REFERRING)
    assert all(not c.item.truth.masks.any() for c in cases if c.condition.name in ("absent", "wrong_colour"))
    again = islice(matrix.cases(Task.REFERRING), 3)
    assert [c.id for c in again] == [c.id for c in cases[:3]]


def test_conditions_are_chosen_by_name_kind_severity_or_group():
    def names(*chosen):
        matrix = open_matrix("town", ABLE, conditions=chosen, scenes=1)
        return [c.name for c in matrix.conditions]

    assert names("fog3") == ["clean", "fog3"]
    assert names("fog") == ["clean", "fog1", "fog2", "fog3", "fog4", "fog5"]
    assert len(names("5")) == 1 + len(DAMAGES)
    assert names("absent", "room") == ["clean", "room", "absent"]


def test_what_is_not_there_is_refused_by_name():
    with pytest.raises(RequestError, match="no condition hail"):
        open_matrix("town", ABLE, conditions=["hail"], scenes=1)
    with pytest.raises(RequestError, match="no backend does it"):
        open_matrix("town", ABLE, tasks=[Task.POSE], scenes=1)
    with pytest.raises(RequestError, match="no labels for it"):
        open_matrix("town", ABLE | {Task.CLASSIFY}, tasks=[Task.CLASSIFY], scenes=1)
    with pytest.raises(RequestError, match="no backend of the profile"):
        open_matrix("town", frozenset({Task.CLASSIFY}), scenes=1)


def test_trials_take_clean_scenes_and_damages_of_one_severity():
    matrix = open_matrix("town", ABLE, scenes=2)
    assert [c.name for c in narrowed(matrix, 5).conditions] == ["clean"]
    assert {c.severity for c in narrowed(matrix, 5, 3).conditions} == {0, 3}
