"""`visionrouter chaos` prints its table, ends with 1 where a cell is lost or wrong, and takes no mistake for a bug."""

import json

import pytest
from command_line import command_line


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    return command_line(monkeypatch, capsys, "chaos")


def test_a_table_and_a_document(shell, tmp_path):
    code, out, err = shell("--policy", "safety-critical", "--faults", "nan,exception", "--out", "chaos.json")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["fault", "strikes", "the", "request", "reason", "the", "struck", "ms"]
    assert lines[-1].startswith("9 cells: ")
    assert lines[-1].endswith("; 0 lost, 0 silently wrong")
    document = json.loads((tmp_path / "chaos.json").read_text())
    assert (document["cells"], document["lost"], document["silently_wrong"]) == (9, 0, 0)
    assert document["rows"][1]["fault"] == "exception"


def test_json_is_one_document(shell):
    code, out, _ = shell("--policy", "default", "--faults", "nan", "--json")
    assert code == 0
    assert [row["fault"] for row in json.loads(out)["rows"]] == ["none", *["nan"] * 4]


def test_what_is_silently_wrong_ends_in_1(shell):
    code, out, _ = shell("--policy", "default", "--faults", "stale_digest")
    assert code == 1
    assert "SILENTLY WRONG" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "defaul"], "presets: "),
        (["--policy", "default", "--faults", "nun"], "no fault is called nun"),
        (["--policy", "default", "--profile", "nano"], "give an image"),
        (["--policy", "default", "--profile", "nowhere", "--image", "x.png"], "no profile"),
        (["--policy", "default", "--image", "x.png"], "x.png"),
        (["--policy", "default", "--task", "composite"], "composite"),
        (["--policy", "default", "--deadline-ms", "0"], "deadline-ms"),
        (["--policy", "default", "--out", "no/such/folder.json"], "its folder does not exist"),
        ([], "--policy"),
    ],
)
def test_a_mistake_is_told_in_words(shell, words, said):
    code, out, err = shell(*words)
    assert (code, out) == (2, "")
    assert said in err
