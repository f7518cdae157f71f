"""`visionrouter fetch` tells size and licence, asks, and only then downloads."""

from pathlib import Path

import pytest
from command_line import command_line

from visionrouter.backends import hub


@pytest.fixture
def fetched(monkeypatch):
    """The hub's answers without the hub; what was fetched is listed."""
    done = []
    licences = {
        "Qwen/Qwen-Image-Edit-2509": "apache-2.0",
        "black-forest-labs/FLUX.2-klein-9B": "other",
        "me/mine": "unknown",
        "me/free": "mit",
        "prs-eth/marigold-changed": "cc-by-nc-4.0",
    }

    def look_up(source, *, revision=None, patterns=None):
        return hub.Listing(
            source, revision or "abc", ("w.safetensors",), 12_345_678, licences.get(source, "apache-2.0")
        )

    def fetch(source, *, revision=None, patterns=None):
        done.append((source, revision, patterns))
        return Path("/cache") / source

    monkeypatch.setattr(hub, "look_up", look_up)
    monkeypatch.setattr(hub, "fetch", fetch)
    return done


@pytest.fixture
def shell(monkeypatch, capsys):
    return command_line(monkeypatch, capsys, "fetch")


def test_a_permissive_one_is_fetched_after_its_size_is_told(shell, fetched):
    code, out, err = shell("Qwen/Qwen-Image-Edit-2509", "--revision", "v2")
    assert code == 0
    assert out == "/cache/Qwen/Qwen-Image-Edit-2509\n"
    assert "12.3 MB in 1 files" in err
    assert "licence Apache-2.0" in err
    assert fetched == [("Qwen/Qwen-Image-Edit-2509", "v2", None)]


@pytest.mark.parametrize(
    "source", ["black-forest-labs/FLUX.2-klein-9B", "me/mine", "prs-eth/marigold-changed"]
)
def test_any_other_licence_must_be_accepted(shell, fetched, source):
    code, out, err = shell(source)
    assert (code, out, fetched) == (2, "", [])
    assert "--accept-licence" in err
    assert shell(source, "--accept-licence")[0] == 0
    assert [each[0] for each in fetched] == [source]


def test_the_hubs_word_counts_where_the_table_has_none(shell, fetched):
    assert shell("me/free")[0] == 0


def test_a_backend_of_a_profile_brings_all_its_parts(shell, fetched):
    code, out, _ = shell("open_vision_banana", "--profile", "open")
    assert code == 0
    sources = [source for source, _, _ in fetched]
    assert sources == ["black-forest-labs/FLUX.2-klein-base-4B", "FunAILab/Open-Vision-Banana"]
    assert all("*.safetensors" in patterns and "*.bin" not in patterns for _, _, patterns in fetched)
    assert len(out.splitlines()) == 2


def test_a_local_path_needs_no_fetch(shell, fetched, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        f"schema_version: 1\nname: mine\nbackends:\n  here: {{use: marigold, params: {{source: {tmp_path}}}}}\n"
    )
    code, out, err = shell("here", "--profile", str(tmp_path / "mine.yaml"))
    assert (code, out.strip(), fetched) == (0, str(tmp_path), [])
    assert "local path" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing-like-it",), "neither a hub id nor a backend"),
        (("nanodet", "--profile", "nano"), "needs no weights"),
        (("d_fine", "--profile", "open", "--revision", "x"), "--revision goes with a HUB_ID"),
    ],
)
def test_a_mistake_is_told(shell, fetched, words, said):
    code, _, err = shell(*words)
    assert code == 2
    assert said in err
    assert fetched == []


def test_offline_it_says_so(shell, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, out, err = shell("Qwen/Qwen-Image-Edit-2509")
    assert (code, out) == (2, "")
    assert "offline mode" in err
