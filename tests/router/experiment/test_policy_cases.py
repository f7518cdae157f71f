"""Policy tests: cases pass where the policy does as they expect, fail with what it did instead, and cannot be empty."""

import json

import pytest
from command_line import command_line

from visionrouter.experiment.policy_cases import run_cases
from visionrouter.schema.errors import PolicyError

POLICY = """
schema_version: 1
name: street
rules:
  - name: night
    when: 'request.task == "detect" && request.tags["weather"] == "night"'
    route: {try: [quick, careful], otherwise: abstain}
default: {route: {try: [generative], otherwise: best_effort}}
experiment:
  name: trial
  unit: request.id
  eligible: 'request.task == "pose"'
  arms:
    - {name: control, weight: 0.5, policy: self}
    - {name: other, weight: 0.5, route: {try: [specialist], accept: always}}
"""
CASES = """
schema_version: 1
policy: street.yaml
backends:
  quick: {tasks: [detect], limits: {detect: {score: {min: 0.5}}}}
  careful: {limits: {detect: {score: {min: 0.8}}, depth: {residual: {max: 0.02}}, pose: {score: {min: 0.1}}}}
  drawn: {kind: generative, licence: AGPL-3.0}
cases:
  - name: at night the quick one will do
    request: {instruction: find the dogs, tags: {weather: night}}
    expect: {rule: night, tries: [quick], outcome: accepted, by: quick}
  - name: at night the careful one repairs
    request: {instruction: find the dogs, tags: {weather: night}}
    answers: {quick: fail}
    expect: {outcome: fell_back, by: careful, verdicts: {quick: confidence_low}}
  - name: at night nothing is found
    request: {instruction: find the dogs, tags: {weather: night}}
    answers: {quick: empty, careful: {does: error}}
    expect: {outcome: abstained, reason: exhausted, verdicts: {quick: nothing_found, careful: backend_error}}
  - name: by day it is drawn and not vouched for
    request: {task: depth, size: [320, 240]}
    expect: {rule: default, tries: [drawn], outcome: degraded, reason: no_limits}
  - name: an arm
    request: {task: pose, id: "7"}
    expect: {variant: other, rule: trial/other, tries: [careful], variant_reason: split}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "street.yaml").write_text(POLICY)
    (tmp_path / "street.cases.yaml").write_text(CASES)
    return tmp_path


def shell(monkeypatch, capsys, *words):
    return command_line(monkeypatch, capsys)(*words)


def test_the_cases_pass(folder, monkeypatch, capsys):
    assert [r.wrong for r in run_cases(folder / "street.cases.yaml")] == [()] * 5
    code, out, _ = shell(monkeypatch, capsys, "policy", "test", str(folder / "street.cases.yaml"))
    assert (code, "5 of 5 cases pass" in out) == (0, True)


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (("try: [quick, careful]", "try: [careful, quick]"), "quick one", "tries: expected quick, got careful"),
        (('== "night"', '== "dark"'), "careful one repairs", "outcome: expected fell_back, got degraded"),
        (("otherwise: best_effort", "otherwise: abstain"), "by day", "outcome: expected degraded, got abstained"),
        (("otherwise: abstain}", "otherwise: abstain, on_error: abstain}"), "nothing is found",
         "reason: expected exhausted, got backend_error"),
    ],
)  # fmt: skip
def test_a_changed_policy_fails_the_cases_that_it_breaks(folder, monkeypatch, capsys, change, name, said):
    (folder / "street.yaml").write_text(POLICY.replace(*change, 1))
    code, out, _ = shell(monkeypatch, capsys, "policy", "test", str(folder / "street.cases.yaml"), "--json")
    assert code == 1
    found = json.loads(out)
    wrong = {case["name"]: case["wrong"] for case in found["cases"] if case["wrong"]}
    (broken,) = [lines for case, lines in wrong.items() if name in case]
    assert said in broken
    code, out, _ = shell(monkeypatch, capsys, "policy", "test", str(folder / "street.cases.yaml"))
    assert f"FAIL  {next(case for case in wrong if name in case)}" in out
    assert "street.cases.yaml:" in out


def test_a_profiles_backends_stand_in_with_their_own_limits(tmp_path):
    (tmp_path / "cases.yaml").write_text(
        "schema_version: 1\npolicy: safety-critical\ncases:\n"
        "  - name: a detector passes its limits\n    request: {instruction: find the dogs}\n"
        "    expect: {by: nanodet, outcome: accepted}\n"
        "  - name: all fail theirs\n    request: {instruction: find the dogs}\n"
        "    answers: {nanodet: fail, nano: fail}\n    expect: {outcome: abstained}\n"
    )
    assert [result.wrong for result in run_cases(tmp_path / "cases.yaml")] == [(), ()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("{variant: other, rule: trial/other, tries: [careful], variant_reason: split}", "{}"), "expects nothing"),
        (("answers: {quick: fail}", "answers: {quack: fail}"), "scripts 'quack', which is not among quick"),
        (("by: careful, ", "bye: careful, "), "Extra inputs"),
        (("outcome: fell_back", "outcome: fell_over"), "outcome"),
        (("task: depth, ", ""), "needs an instruction or a task"),
        (("instruction: find the dogs", "instruction: cherchez la femme"), "case 'at night the quick one will do'"),
        (("policy: street.yaml", "policy: nowhere.yaml"), "neither a preset nor a file"),
        (("careful: {does: error}", "careful: explode"), "does"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_cases_is_named(folder, monkeypatch, capsys, change, said):
    assert change[0] in CASES
    (folder / "street.cases.yaml").write_text(CASES.replace(*change, 1))
    with pytest.raises(PolicyError):
        run_cases(folder / "street.cases.yaml")
    code, _, err = shell(monkeypatch, capsys, "policy", "test", str(folder / "street.cases.yaml"))
    assert code == 2
    assert said in err


def test_policy_diff(folder, monkeypatch, capsys):
    assert shell(monkeypatch, capsys, "policy", "diff", "default", "default")[:2] == (
        0,
        "both mean the same\n",
    )
    code, out, _ = shell(monkeypatch, capsys, "policy", "diff", "default", "safety-critical")
    assert code == 1
    assert "default, otherwise changed: best_effort -> abstain" in out.splitlines()
    code, out, _ = shell(
        monkeypatch, capsys, "policy", "diff", "default", str(folder / "street.yaml"), "--json"
    )
    assert {change["what"] for change in json.loads(out)["changes"]} == {"added", "changed"}
