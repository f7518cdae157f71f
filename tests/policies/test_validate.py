"""A policy against the backends at hand: what does not exist, what can never match, what is left without a backend."""

from dataclasses import dataclass

import pytest

from visionrouter.policies import check_against, load_policy, preset_names
from visionrouter.schema.task import Task


@dataclass(frozen=True)
class Info:
    name: str
    kind: str
    tasks: frozenset[Task]
    licence: str = "Apache-2.0"


BACKENDS = {
    info.name: info
    for info in (
        Info("nanodet", "specialist", frozenset({Task.DETECT})),
        Info("yolo", "specialist", frozenset({Task.DETECT, Task.POSE}), "AGPL-3.0"),
        Info("nano", "generative", frozenset({Task.DETECT, Task.DEPTH, Task.POSE})),
    )
}


def check(*rules, default=("any",), licences=None, backends=BACKENDS):
    policy = {
        "schema_version": 1,
        "name": "p",
        "licences": licences or {},
        "rules": [{"name": f"r{i}", "when": w, "route": {"try": list(t)}} for i, (w, t) in enumerate(rules)],
        "default": {"route": {"try": list(default)}},
    }
    return [(f.severity, f.path, f.message) for f in check_against(load_policy(policy), backends)]


def test_a_policy_that_fits_has_no_findings():
    assert check(('request.task == "detect" && image.width > 300', ["nanodet", "generative"])) == []


def test_an_unknown_backend_is_an_error_with_the_nearest_name():
    assert check(('request.task == "detect"', ["nanodt", "nano"]), default=["any", "yollo"]) == [
        (
            "error",
            "rules[0].route.try[0]",
            'no backend is called "nanodt"; did you mean "nanodet"? (backends: nanodet, yolo, nano)',
        ),
        (
            "error",
            "default.route.try[1]",
            'no backend is called "yollo"; did you mean "yolo"? (backends: nanodet, yolo, nano)',
        ),
    ]


@pytest.mark.parametrize(
    ("conditions", "dead"),
    [
        (["true", "image.width > 3"], ["rules[1]", "default"]),
        (["1 == 1 || false", 'request.task == "pose"'], ["rules[1]", "default"]),
        (['request.task == "pose"', 'request.task == "pose" && image.width > 3'], ["rules[1]"]),
        (
            ['request.criticality != "low"', 'request.criticality == "safety" && request.has_prompts'],
            ["rules[1]"],
        ),
        (['request.task == "pose"', 'request.task != "pose"', "image.width > 3"], ["rules[2]", "default"]),
        (['request.family == "segment" && request.task == "depth"'], ["rules[0]"]),
        (["false"], ["rules[0]"]),
        (["image.width > 3", "image.width > 3 && request.has_prompts"], []),
        (['request.task == "pose" && image.width > 3', 'request.task == "pose"'], []),
        (['request.task == "pose" || image.width > 3', 'request.task == "pose"'], []),
    ],
)
def test_a_rule_that_can_never_match_is_a_warning(conditions, dead):
    findings = check(*((condition, ["any"]) for condition in conditions))
    never = [(severity, path) for severity, path, message in findings if "never" in message]
    assert never == [("warning", path) for path in dead]


def test_a_route_without_a_backend_for_any_task_it_can_get_is_an_error():
    assert check(('request.task == "depth" && image.width > 3', ["specialist"])) == [
        ("error", "rules[0].route.try", "names no backend that does depth")
    ]


def test_a_route_without_a_backend_for_some_task_is_a_warning():
    assert check(default=["specialist"]) == [
        ("warning", "default.route.try", "names no backend that does depth")
    ]
    assert check(('request.task == "depth"', ["nano"]), default=["specialist"]) == []


def test_a_task_that_nobody_does_is_the_profiles_affair_unless_a_rule_is_about_it():
    assert check(default=["any"]) == []
    assert check(('request.task == "normals"', ["any"])) == [
        ("warning", "rules[0].route.try", "no backend of this profile does normals")
    ]


def test_a_denied_licence_that_empties_a_route_is_found():
    assert check(default=["specialist"], licences={"deny": ["AGPL-3.0"]}) == [
        ("warning", "default.route.try", "nothing is left for pose: licences deny yolo (AGPL-3.0)"),
        ("warning", "default.route.try", "names no backend that does depth"),
    ]
    assert check(('request.task == "pose"', ["yolo"]), licences={"allow": ["Apache-2.0"]}) == [
        ("error", "rules[0].route.try", "nothing is left for pose: licences deny yolo (AGPL-3.0)")
    ]


def test_a_licence_that_nobody_carries_is_a_warning_unless_it_is_well_known():
    assert check(licences={"deny": ["AGPL3", "CC-BY-NC-4.0"]}) == [
        ("warning", "licences.deny[0]", '"AGPL3" is no licence of a backend here; did you mean "AGPL-3.0"?')
    ]


@pytest.mark.parametrize("name", preset_names())
def test_presets_have_no_error_on_any_profile_with_both_kinds(name):
    assert [f for f in check_against(load_policy(name), BACKENDS) if f.severity == "error"] == []
