"""A diff names what can send a request another way, and nothing that cannot."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.policies import load_policy, preset_names
from visionrouter.policies.diff import diff

BASE = {
    "schema_version": 1,
    "name": "p",
    "licences": {"deny": ["AGPL-3.0"]},
    "rules": [
        {"name": "night", "when": 'request.task == "detect" && context.hour > 20', "route": {"try": ["a", "b"]}},
        {"name": "small", "when": "image.pixels < 1000", "route": {"try": ["b"], "otherwise": "best_effort"}},
        {"name": "rest", "when": 'request.family == "segment"', "route": {"try": ["c"], "deadline_ms": 500}},
    ],
    "default": {"route": {"try": ["any"]}},
    "experiment": {
        "name": "e",
        "unit": "request.id",
        "arms": [
            {"name": "x", "weight": 0.5, "policy": "self"},
            {"name": "y", "weight": 0.5, "route": {"try": ["a"]}},
        ],
    },
}  # fmt: skip


def changed(*edits):
    data = copy.deepcopy(BASE)
    for path, value in edits:
        *way, last = path
        node = data
        for key in way:
            node = node[key]
        if value is None:
            del node[last]
        else:
            node[last] = value
    return data


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([(("name",), "q")], []),
        ([(("description",), "other words")], []),
        ([(("rules", 0, "route", "otherwise"), "abstain")], []),
        ([(("licences", "deny"), ["AGPL-3.0", "MIT"])], ["licences.deny added: MIT"]),
        ([(("licences", "deny"), [])], ["licences.deny removed: AGPL-3.0"]),
        ([(("licences", "allow"), ["MIT"])], ["licences.allow changed: none -> MIT"]),
        ([(("rules", 0), None)], ["rule 'night' removed: a > b, else abstain (only detect)"]),
        (
            [(("rules", 0, "when"), 'request.task == "pose"')],
            ["rule 'night', when changed: `request.task == \"detect\" && context.hour > 20` -> "
             "`request.task == \"pose\"` (only detect, pose)"],
        ),
        ([(("rules", 0, "route", "try"), ["b", "a"])], ["rule 'night', try changed: a > b -> b > a (only detect)"]),
        (
            [(("rules", 1, "route", "try"), [{"backend": "b", "accept": {"evidence": {"s": {"min": 0.5}}}}])],
            ["rule 'small', try changed: b -> b (evidence s at least 0.5)"],
        ),
        (
            [(("rules", 2, "route", "deadline_ms"), 250)],
            ["rule 'rest', deadline_ms changed: 500 -> 250 (only segment.semantic, segment.instance, "
             "segment.referring, segment.promptable)"],
        ),
        ([(("rules",), [BASE["rules"][i] for i in (1, 0, 2)])], ["rule 'small' moved: first"]),
        ([(("default", "route", "accept"), "always")], ["default, accept changed: limits -> always"]),
        ([(("experiment",), None)], ["experiment 'e' removed"]),
        ([(("experiment", "salt"), "new")], ["experiment 'e', salt changed: e -> new, all units are dealt anew"]),
        ([(("experiment", "stopped"), True)], ["experiment 'e', stopped changed: no -> yes"]),
        ([(("experiment", "holdout"), 0.1)], ["experiment 'e', holdout changed: 0 -> 0.1"]),
        (
            [(("experiment", "arms", 0, "weight"), 0.9), (("experiment", "arms", 1, "weight"), 0.1)],
            ["experiment 'e', arm 'x', weight changed: 0.5 -> 0.9", "experiment 'e', arm 'y', weight changed: 0.5 -> 0.1"],
        ),
        (
            [(("experiment", "arms", 1, "route", "try"), ["b"])],
            ["experiment 'e', arm 'y', try changed: a -> b"],
        ),
        (
            [(("experiment", "arms", 1), {"name": "y", "weight": 0.5, "policy": "specialist-only"})],
            ["experiment 'e', arm 'y', what it does changed: a route, a, else abstain -> policy specialist-only"],
        ),
    ],
)  # fmt: skip
def test_each_change_is_named(edits, said):
    assert [str(c) for c in diff(load_policy(BASE), load_policy(changed(*edits)))] == said


def test_two_policies_as_arms_are_compared_themselves():
    def with_arm(preset):
        arm = {"name": "y", "weight": 0.5, "policy": preset}
        return load_policy(changed((("experiment", "arms", 1), arm)))

    (change,) = diff(with_arm("default"), with_arm("specialist-only"))
    assert str(change) == (
        "experiment 'e', arm 'y', default, try changed: specialist > generative -> specialist"
    )


@given(st.sampled_from(preset_names()), st.sampled_from(preset_names()))
def test_presets_differ_from_others_alone(one, other):
    assert bool(diff(load_policy(one), load_policy(other))) == (one != other)


@given(st.permutations(BASE["rules"]))
def test_moving_one_rule_is_one_change(rules):
    moved = diff(load_policy(BASE), load_policy(changed((("rules",), list(rules)))))
    assert all(change.what == "moved" for change in moved)
    assert len(moved) <= 2
    assert bool(moved) == (list(rules) != BASE["rules"])
