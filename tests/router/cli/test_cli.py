"""The command line answers on stdout, talks on stderr, and ends with the exit code it documents."""

import json
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from command_line import command_line

from visionrouter.schema.result import Result

PROFILE = """
schema_version: 1
name: fakes
backends:
  good:
    use: fake
    limits: {detect: {score: {min: 0.5}}, depth: {score: {min: 0.95}}}
  licensed: {use: fake, params: {licence: AGPL-3.0}}
"""


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    (tmp_path / "fakes.yaml").write_text(PROFILE)
    PIL.Image.fromarray(np.full((48, 64, 3), 120, np.uint8)).save(tmp_path / "photo.png")
    (tmp_path / "text.jpg").write_text("no image")
    monkeypatch.chdir(tmp_path)

    return command_line(monkeypatch, capsys)


def ask(shell, *words, policy="safety-critical"):
    return shell("run", *words, "--profile", "fakes.yaml", "--policy", policy)


def test_an_answer(shell):
    code, out, err = ask(shell, "photo.png", "find the dog")
    assert code == 0
    assert out.startswith("photo.png: 1 x dog")
    assert "accepted (within_limits): good ok" in out
    assert err == ""


def test_json_is_one_document_a_request_and_nothing_else(shell):
    code, out, err = ask(
        shell, "photo.png", "text.jpg", "photo.png", "find the dog", "--json", "--tag", "camera=4"
    )
    first, second, third = (json.loads(line) for line in out.splitlines())
    assert code == 2
    assert Result.from_json(json.dumps(first)).decision.tags == {"camera": "4"}
    assert second["image"] == "text.jpg"
    assert second["error"]["type"] == "ImageError"
    assert third["outcome"] == "accepted"
    assert "text.jpg: is not an image" in err


def test_an_abstention_has_its_own_code_and_says_why(shell):
    code, out, _ = ask(shell, "photo.png", "depth map")
    assert code == 3
    assert "no answer" in out
    assert "score 0.9, limit" in out


def test_a_degraded_answer_is_marked(shell):
    code, out, _ = ask(shell, "photo.png", "depth map", policy="default")
    assert code == 0
    assert "degraded" in out
    assert "not vouched for" in out


def test_out_writes_overlay_and_arrays(shell, tmp_path):
    code, _, _ = ask(shell, "photo.png", "find the dog", "--out", "made")
    assert code == 0
    assert {p.name for p in (tmp_path / "made" / "photo").iterdir()} == {
        "overlay.png",
        "result.json",
        "side_by_side.png",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere.png", "find the dog"), "no such file"),
        ((".", "find the dog"), "folder"),
        (("text.jpg", "find the dog"), "not an image"),
        (("photo.png", ""), "empty"),
        (("photo.png", "cherchez la femme"), ""),
        (("photo.png", "find the dog", "--tag", "weather"), "K=V"),
        (("photo.png", "find the dog", "--deadline-ms", "-5"), "deadline_ms"),
        (("photo.png", "find the dog", "--criticality", "extreme"), "criticality"),
        (("photo.png", "segment this", "--box", "1,2,3"), "4 numbers"),
        (("photo.png", "find the dog", "--out", "photo.png"), "is a file"),
        (("photo.png",), "Missing argument"),
    ],
)
def test_a_users_mistake_is_one_line_and_code_2(shell, words, message):
    code, out, err = ask(shell, *words)
    assert code == 2
    assert message in err
    assert out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--policy", "defualt"), "default"),
        (("--profile", "naon"), "nano"),
        (("--polcy", "default"), "--policy"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest(shell, words, message):
    code, _, err = shell("run", "photo.png", "find the dog", *words)
    assert code == 2
    assert message in err


def test_explain_needs_no_inference(shell):
    code, out, _ = shell("explain", "photo.png", "how far is each red dog?", "--profile", "fakes.yaml")
    assert code == 0
    assert "composite, distance" in out
    assert "all red dog" in out
    assert out.count("good > licensed") == 2
    assert out.count("each leaves 50% of what is left of the deadline to those after it") == 2
    code, out, _ = shell("explain", "photo.png", "depth map", "--profile", "fakes.yaml", "--json")
    assert json.loads(out)["routes"][0]["backends"] == ["good", "licensed"]


def test_backends_lists_what_loads_and_why_not(shell):
    code, out, _ = shell("backends", "--profile", "fakes.yaml", "--json")
    assert code == 0
    assert [(r["name"], r["licence"], r["loads"]) for r in json.loads(out)] == [
        ("good", "Apache-2.0", True),
        ("licensed", "AGPL-3.0", True),
    ]
    code, out, _ = shell("backends", "--profile", "fakes.yaml", "--check")
    assert "AGPL-3.0" in out


def test_policy_validate(shell, tmp_path):
    good = "schema_version: 1\nname: p\ndefault: {route: {try: [good]}}\n"
    (tmp_path / "p.yaml").write_text(good)
    code, out, _ = shell("policy", "validate", "p.yaml", "--profile", "fakes.yaml")
    assert (code, "p: valid" in out) == (0, True)
    (tmp_path / "p.yaml").write_text(good.replace("good", "goood"))
    code, out, err = shell("policy", "validate", "p.yaml", "--profile", "fakes.yaml", "--json")
    assert code == 2
    assert json.loads(out)["valid"] is False
    (tmp_path / "p.yaml").write_text(good.replace("default", "defualt"))
    code, _, err = shell("policy", "validate", "p.yaml", "--profile", "fakes.yaml")
    assert code == 2
    assert 'did you mean "default"' in err


def test_schema_prints_both_schemas(shell):
    code, out, _ = shell("schema")
    assert code == 0
    assert set(json.loads(out)) == {"result", "policy"}
    assert "properties" in json.loads(shell("schema", "result")[1])


def test_scenes_render(shell, tmp_path):
    code, out, _ = shell("scenes", "render", "--world", "table", "--n", "2", "--size", "48", "--out", "made")
    assert code == 0
    assert "contact_sheet.png" in out
    assert json.loads((tmp_path / "made" / "annotations.json").read_text())["images"]
    code, _, err = shell("scenes", "render", "--world", "moon", "--out", "made")
    assert code == 2
    assert "moon" in err


def test_tune_names_what_is_wrong_with_its_config(shell, tmp_path):
    (tmp_path / "run.yaml").write_text("tuning: {stepz: 3}")
    code, _, err = shell("tune", "--config", "run.yaml", "--resume", "run")
    assert code == 2
    assert "stepz" in err


def test_tune_checks_instructions_and_wants_a_folder(shell, tmp_path):
    (tmp_path / "run.yaml").write_text("tuning: {held_out: 1, picture_size: 32, stages: [{size: 32}]}")
    code, out, _ = shell("tune", "--config", "run.yaml", "--check", "1")
    assert code == 0
    assert out.startswith("checked:")
    code, _, err = shell("tune", "--config", "run.yaml")
    assert code == 2
    assert "--resume" in err


def test_the_installed_command_runs():
    said = subprocess.run(
        [sys.executable, "-m", "visionrouter.cli.main", "--help"], capture_output=True, text=True, check=True
    )
    assert "Exit codes" in said.stdout
