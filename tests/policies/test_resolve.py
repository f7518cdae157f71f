"""Which backends a route comes to, and which licences let them."""

from dataclasses import dataclass

import pytest

from visionrouter.policies import Licences, compile_policy, load_policy, resolve
from visionrouter.schema.decision import Reason
from visionrouter.schema.route import ALWAYS, BY_LIMITS, Choice, Route
from visionrouter.schema.task import Task


@dataclass(frozen=True)
class Info:
    name: str
    kind: str
    tasks: frozenset[Task]
    licence: str = "Apache-2.0"


NANODET = Info("nanodet", "specialist", frozenset({Task.DETECT}))
YOLO = Info("yolo", "specialist", frozenset({Task.DETECT, Task.POSE}), "AGPL-3.0")
NANO = Info("nano", "generative", frozenset({Task.DETECT, Task.DEPTH}))
PROFILE = (YOLO, NANO, NANODET)
FREE = Licences()


def names(*tried, task=Task.DETECT, licences=FREE):
    route = Route(tuple(Choice(name) for name in tried))
    return [choice.backend for choice in resolve(route, task, PROFILE, licences).choices]


def test_a_kind_stands_for_all_of_it_that_do_the_task_in_the_profiles_order():
    assert names("specialist") == ["yolo", "nanodet"]
    assert names("specialist", "generative") == ["yolo", "nanodet", "nano"]
    assert names("any") == ["yolo", "nano", "nanodet"]
    assert names("any", task=Task.DEPTH) == ["nano"]
    assert names("specialist", task=Task.DEPTH) == []


def test_a_backend_reached_twice_is_asked_once_where_it_comes_first_with_that_gate():
    route = Route((Choice("nanodet", ALWAYS), Choice("any")))
    assert resolve(route, Task.DETECT, PROFILE, FREE).choices == (
        Choice("nanodet", ALWAYS),
        Choice("yolo", BY_LIMITS),
        Choice("nano", BY_LIMITS),
    )


def test_what_is_denied_or_not_there_is_left_out_and_listed():
    route = Route((Choice("ghost"), Choice("specialist")))
    resolved = resolve(route, Task.DETECT, PROFILE, Licences(deny=("agpl-3.0",)))
    assert [choice.backend for choice in resolved.choices] == ["nanodet"]
    assert resolved.skipped == (("ghost", Reason.NO_BACKEND), ("yolo", Reason.LICENCE_DENIED))


def test_only_what_could_do_the_task_is_listed_as_denied():
    resolved = resolve(Route((Choice("any"),)), Task.DEPTH, PROFILE, Licences(deny=("AGPL-3.0",)))
    assert resolved.skipped == ()


@pytest.mark.parametrize(
    ("deny", "licence", "runs"),
    [
        ("AGPL-3.0", "AGPL-3.0", False),
        ("AGPL-3.0", "agpl-3.0-or-later", False),
        ("AGPL-3.0-only", "AGPL-3.0", False),
        ("AGPL-3.0", "GPL-3.0", True),
        ("GPL-3.0", "AGPL-3.0", True),
        ("AGPL-3.0", "Apache-2.0 AND AGPL-3.0", False),
        ("AGPL-3.0", "(MIT OR AGPL-3.0) AND Apache-2.0", False),
        ("non-commercial", "CC-BY-NC-4.0", False),
        ("non-commercial", "CC-BY-NC-SA-4.0", False),
        ("Non-Commercial", "non-commercial", False),
        ("non-commercial", "LicenseRef-NVIDIA-NonCommercial", False),
        ("non-commercial", "CC-BY-4.0", True),
        ("non-commercial", "NCSA", True),
        ("unknown", "", False),
        ("MIT", "", True),
    ],
)
def test_denied_licences(deny, licence, runs):
    assert Licences(deny=(deny,)).permits(licence) is runs


def test_an_allow_list_lets_nothing_else_run_and_deny_wins():
    allowed = Licences(allow=("Apache-2.0", "MIT"))
    assert allowed.permits("MIT AND Apache-2.0")
    assert not allowed.permits("MIT AND CC-BY-4.0")
    assert not allowed.permits("")
    assert not Licences(deny=("MIT",), allow=("MIT",)).permits("MIT")


def test_the_licences_of_a_policy_are_those_that_hold():
    data = {**load_policy("default").canonical(), "licences": {"deny": ["AGPL-3.0"], "allow": ["MIT"]}}
    assert compile_policy(load_policy(data)).licences == Licences(("AGPL-3.0",), ("MIT",))
