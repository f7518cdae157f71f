"""The `experiment` section: what is refused, who takes part, and what the router then does and records."""

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.policies import check_against, compile_policy, load_policy, policy_json_schema
from visionrouter.router import Router
from visionrouter.schema.decision import VariantReason
from visionrouter.schema.errors import PolicyError
from visionrouter.schema.result import Result
from visionrouter.schema.task import Task

PHOTO = np.zeros((48, 64, 3), np.uint8)
CONTROL = {"name": "control", "weight": 0.5, "policy": "self"}
NANO = {"name": "nano", "weight": 0.5, "route": {"try": ["generative"], "accept": "always"}}


def policy(**experiment):
    made = {"name": "trial", "unit": 'request.tags["camera"]', "arms": [CONTROL, NANO], **experiment}
    return {
        "schema_version": 1,
        "name": "p",
        "rules": [
            {"name": "poses", "when": 'request.task == "pose"', "route": {"try": ["specialist"]}},
        ],
        "default": {"route": {"try": ["specialist"], "accept": "always"}},
        "experiment": made,
    }


def backends():
    return [FakeBackend("s"), FakeBackend("g", kind="generative")]


@pytest.mark.parametrize(
    ("experiment", "said"),
    [
        ({"arms": []}, "at least 1"),
        ({"arms": [{**CONTROL, "weight": 1}]}, "compares with nothing"),
        ({"arms": [CONTROL, {"name": "b", "weight": 0.5}]}, "arm 'b' is empty"),
        ({"arms": [CONTROL, {**NANO, "policy": "self"}]}, "both a route and a policy"),
        ({"arms": [CONTROL, {**CONTROL, "name": "b"}]}, "arms 'control' and 'b' overlap"),
        ({"arms": [NANO, {**NANO, "name": "b"}]}, "overlap"),
        ({"arms": [CONTROL, {**NANO, "name": "control"}]}, "two arms are called 'control'"),
        ({"arms": [CONTROL, {**NANO, "weight": 0.6}]}, "sum to 1.1, not to 1"),
        ({"arms": [CONTROL, {**NANO, "weight": -0.5}]}, "greater than or equal to 0"),
        ({"arms": [CONTROL, {**NANO, "weight": float("nan")}]}, "finite number"),
        ({"arms": [CONTROL, {**NANO, "weight": "half"}]}, "number"),
        (
            {"arms": [{**CONTROL, "weight": 1}, {**NANO, "weight": 0}]},
            "arm 'nano' is empty: its weight is 0",
        ),
        ({"arms": [CONTROL, {"name": "b", "weight": 0.5, "policy": "defualt"}]}, 'did you mean "default"'),
        ({"arms": [CONTROL, {"name": "b", "weight": 0.5, "policy": "nowhere.yaml"}]}, "neither a preset"),
        (
            {"arms": [CONTROL, {"name": "b", "weight": 0.5, "policy": policy()}]},
            "no experiment of its own",
        ),
        ({"unit": "request.camera"}, "no field 'camera'"),
        ({"unit": 'request.tags["camera'}, "not valid CEL"),
        ({"unit": "request.has_prompts"}, "neither text nor a whole number"),
        ({"unit": "image.aspect"}, "neither text nor a whole number"),
        ({"unit": "request.has_prompts && request.has_prompts"}, "neither text nor a whole number"),
        ({"unit": '"everyone"'}, "all requests would be one"),
        ({"unit": "tags.camera"}, "reads 'tags'"),
        ({"eligible": "request.seed"}, "true or false"),
        ({"namespace": {"name": "n", "from": 0.5, "to": 0.5}}, "holds no unit"),
        ({"holdout": 1.0}, "less than 1"),
        ({"salt": "two words"}, "is not a name"),
        ({"weight": 1}, "is not a key here"),
    ],
)
def test_what_makes_no_sense_is_refused(experiment, said):
    with pytest.raises(PolicyError, match="experiment") as caught:
        load_policy(policy(**experiment))
    assert said in str(caught.value)


def test_experiments_of_one_namespace_may_not_overlap():
    def two(end, start):
        one = policy(namespace={"name": "n", "to": end})["experiment"]
        other = {**one, "name": "other", "namespace": {"name": "n", "from": start}}
        return {**policy(), "experiment": [one, other]}

    with pytest.raises(PolicyError, match="'trial' and 'other' overlap in namespace 'n'"):
        load_policy(two(0.6, 0.5))
    made = compile_policy(load_policy(two(0.5, 0.5)))
    with Router(backends(), made) as router:
        seen = [
            router.run(PHOTO, Task.DETECT, tags={"camera": str(i)}).decision.experiment for i in range(200)
        ]
    assert 60 < seen.count("trial") < 140
    assert seen.count("trial") + seen.count("other") == 200


def test_an_arm_can_be_a_file_beside_the_policy(tmp_path, monkeypatch):
    (tmp_path / "arms").mkdir()
    (tmp_path / "arms" / "b.yaml").write_text(
        "schema_version: 1\nname: b\nlicences: {deny: [MIT]}\ndefault: {route: {try: [any]}}\n"
    )
    (tmp_path / "p.yaml").write_text(
        "schema_version: 1\nname: p\nlicences: {deny: [AGPL-3.0]}\ndefault: {route: {try: [specialist]}}\n"
        "experiment:\n  name: e\n  unit: request.id\n  arms:\n"
        "    - {name: a, weight: 0.5, policy: self}\n    - {name: b, weight: 0.5, policy: arms/b.yaml}\n"
    )
    monkeypatch.chdir("/")
    loaded = load_policy(tmp_path / "p.yaml")
    arm = compile_policy(loaded).arm("e", "b")
    assert arm.name == "b"
    assert [arm.licences.permits(x) for x in ("MIT", "AGPL-3.0", "Apache-2.0")] == [False, False, True]
    assert load_policy(loaded.canonical()) == loaded
    changed = (tmp_path / "arms" / "b.yaml").read_text().replace("any", "generative")
    (tmp_path / "arms" / "b.yaml").write_text(changed)
    assert load_policy(tmp_path / "p.yaml").digest != loaded.digest


def test_a_policy_that_names_itself_is_refused(tmp_path):
    (tmp_path / "p.yaml").write_text(
        "schema_version: 1\nname: p\ndefault: {route: {try: [any]}}\nexperiment:\n  name: e\n  unit: request.id\n"
        "  arms:\n    - {name: a, weight: 0.5, policy: self}\n    - {name: b, weight: 0.5, policy: p.yaml}\n"
    )
    with pytest.raises(PolicyError, match="no experiment of its own"):
        load_policy(tmp_path / "p.yaml")


def test_the_default_salt_spelled_out_means_the_same():
    assert load_policy(policy(salt="trial")).digest == load_policy(policy()).digest
    assert load_policy(policy(salt="other")).digest != load_policy(policy()).digest


@pytest.mark.parametrize(
    ("experiment", "tags", "task", "reason"),
    [
        ({}, {"camera": "1"}, Task.DETECT, VariantReason.SPLIT),
        ({}, {}, Task.DETECT, VariantReason.UNIT_MISSING),
        ({"unit": "context.camera"}, {}, Task.DETECT, VariantReason.UNIT_MISSING),
        ({"unit": "context.hour"}, {}, Task.DETECT, VariantReason.SPLIT),
        ({"unit": 'request.tags["camera"] + "!"'}, {}, Task.DETECT, VariantReason.UNIT_MISSING),
        ({"eligible": 'request.task == "pose"'}, {"camera": "1"}, Task.DETECT, VariantReason.NOT_ELIGIBLE),
        (
            {"eligible": 'request.tags["site"] == "n"'},
            {"camera": "1"},
            Task.DETECT,
            VariantReason.NOT_ELIGIBLE,
        ),
        (
            {"eligible": 'request.tags["site"] == "n"'},
            {"camera": "1", "site": "n"},
            Task.DETECT,
            VariantReason.SPLIT,
        ),
        ({"holdout": 0.999999}, {"camera": "1"}, Task.DETECT, VariantReason.HOLDOUT),
        (
            {"namespace": {"name": "n", "to": 0.000001}},
            {"camera": "1"},
            Task.DETECT,
            VariantReason.OUTSIDE_NAMESPACE,
        ),
        ({"stopped": True}, {"camera": "1"}, Task.DETECT, VariantReason.STOPPED),
    ],
)
def test_the_reason_is_in_the_decision_and_who_is_left_out_gets_the_policys_own_rules(
    experiment, tags, task, reason
):
    with Router(backends(), policy(**experiment)) as router:
        result = router.run(PHOTO, task, tags=tags)
    decision = result.decision
    assert decision.variant_reason is reason
    assert (decision.variant is not None) == (reason is VariantReason.SPLIT)
    if decision.variant != "nano":
        assert (decision.rule, result.sources) == ("default", ("s",))
    assert Result.from_json(result.to_json()) == result


def test_without_an_experiment_the_decision_says_so():
    with Router(backends(), "default") as router:
        decision = router.run(PHOTO, Task.DETECT).decision
    assert (decision.experiment, decision.variant, decision.variant_reason) == (None, None, "no_experiment")


def test_a_unit_keeps_its_arm_and_each_arm_its_route():
    with Router(backends(), policy()) as router:
        first = {str(i): router.run(PHOTO, Task.DETECT, tags={"camera": str(i)}).decision for i in range(40)}
        for camera, decision in first.items():
            again = router.run(PHOTO, Task.DEPTH, tags={"camera": camera}).decision
            assert again.variant == decision.variant
            assert decision.unit == camera
            wanted = ("trial/nano", "g") if decision.variant == "nano" else ("default", "s")
            assert (decision.rule, decision.attempts[0].backend) == wanted
    assert {d.variant for d in first.values()} == {"control", "nano"}


def test_all_parts_of_a_composite_are_in_one_arm():
    with Router(backends(), policy(unit="request.id")) as router:
        for _ in range(20):
            decision = router.run(PHOTO, "how far is each car?").decision
            assert len(decision.children) == 2
            assert {(c.variant, c.unit) for c in decision.children} == {(decision.variant, decision.unit)}


def test_the_kill_switch_of_a_running_router():
    with Router(backends(), policy()) as router:
        assert router.run(PHOTO, Task.DETECT, tags={"camera": "1"}).decision.variant is not None
        router.policy.experiments[0].stopped = True
        decision = router.run(PHOTO, Task.DETECT, tags={"camera": "1"}).decision
    assert (decision.variant, decision.variant_reason) == (None, VariantReason.STOPPED)


def test_shadows_are_drawn_by_the_share_and_name_the_other_arms(ask):
    compiled = compile_policy(load_policy(policy(shadow=0.25)))
    found = [compiled.assign(ask(tags={"camera": str(i % 7)})) for i in range(2000)]
    shadowed = [a for a in found if a.shadows]
    assert 400 < len(shadowed) < 600
    assert all(a.shadows == tuple({"control": ["nano"], "nano": ["control"]}[a.variant]) for a in shadowed)
    only_shadow = policy(shadow=1, arms=[{**CONTROL, "weight": 1}, {**NANO, "weight": 0}])
    assigned = compile_policy(load_policy(only_shadow)).assign(ask(tags={"camera": "1"}))
    assert (assigned.variant, assigned.shadows) == ("control", ("nano",))


def test_an_arm_is_checked_against_the_backends():
    named = {b.spec.name: b.spec for b in backends()}
    broken = policy(arms=[CONTROL, {"name": "b", "weight": 0.5, "route": {"try": ["gg"]}}])
    found = [f for f in check_against(load_policy(broken), named) if f.severity == "error"]
    assert [f.path for f in found] == [
        "experiment[0].arms[1].route.try[0]",
        "experiment[0].arms[1].route.try",
    ]
    nested = {**policy(), "name": "q"}
    del nested["experiment"]
    nested["default"] = {"route": {"try": ["gg"]}}
    broken = policy(arms=[CONTROL, {"name": "b", "weight": 0.5, "policy": nested}])
    found = [f.path for f in check_against(load_policy(broken), named)]
    assert "experiment[0].arms[1].policy.default.route.try[0]" in found
    never = policy(eligible='request.task == "pose" && request.task == "depth"')
    assert [f.path for f in check_against(load_policy(never), named)] == ["experiment[0].eligible"]


def test_explain_names_the_arm():
    with Router(backends(), policy()) as router:
        for i in range(10):
            explained = router.explain(PHOTO, "find the dog", tags={"camera": str(i)})
            decision = router.run(PHOTO, "find the dog", tags={"camera": str(i)}).decision
            assert explained.assignment.variant == decision.variant
            assert explained.routes[0].rule == decision.rule
            assert explained.routes[0].backends[0] == decision.attempts[0].backend


def test_an_arm_that_fails_abstains_as_its_route_says_and_the_decision_names_it():
    broken = FakeBackend("g", kind="generative", script=Answer(error=RuntimeError("down")))
    with Router([FakeBackend("s"), broken], policy(shadow=0)) as router:
        decisions = [router.run(PHOTO, Task.DETECT, tags={"camera": str(i)}).decision for i in range(20)]
    assert {(d.variant, str(d.outcome)) for d in decisions} == {
        ("control", "accepted"),
        ("nano", "abstained"),
    }


def test_the_json_schema_has_the_section():
    schema = policy_json_schema()
    assert set(schema["$defs"]["ExperimentModel"]["properties"]) == {
        "name", "description", "unit", "arms", "salt", "eligible", "namespace", "holdout", "shadow", "stopped",
    }  # fmt: skip
