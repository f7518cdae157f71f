"""Weights are found in a folder or in the hub's cache, told by one digest, and never fetched unasked."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from visionrouter.backends import hub
from visionrouter.backends.weights import combined_digest
from visionrouter.schema.errors import FetchError, MissingExtraError, WeightsError

ID = "prs-eth/marigold-depth-v1-1"
GATED = "black-forest-labs/FLUX.2-klein-9B"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no token, and a network that nobody may use."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)

    def unplugged(*given: Any, **options: Any) -> Any:
        raise httpx2.ConnectError("no network in this test")

    monkeypatch.setattr(httpx2.Client, "send", unplugged)
    return tmp_path / "cache"


def snapshot(cache: Path, source: str, files: dict[str, bytes]) -> Path:
    """A repository as the hub's client lays it out: files under their sha256, and links to them by name."""
    repository = cache / f"models--{source.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    folder = repository / "snapshots" / COMMIT
    for name, data in files.items():
        blob = repository / "blobs" / hashlib.sha256(data).hexdigest()
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(data)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(blob)
    return folder


def test_a_local_path_is_what_it_is(tmp_path: Path) -> None:
    assert hub.resolve(str(tmp_path)) == tmp_path
    with pytest.raises(WeightsError, match="no such file or folder"):
        hub.resolve(str(tmp_path / "not" / "there"))


def test_a_cached_snapshot_is_found_without_the_network(cache: Path) -> None:
    folder = snapshot(cache, ID, {"model_index.json": b"{}", "unet/w.safetensors": b"w"})
    assert hub.resolve(ID, patterns=("*.json", "*.safetensors")) == folder


def test_what_was_not_fetched_tells_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match=f"visionrouter fetch {ID}"):
        hub.resolve(ID)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="unset HF_HUB_OFFLINE"):
        hub.resolve(ID)


def test_a_gated_one_tells_where_its_terms_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        WeightsError, match=rf"accept its terms at \S+/{GATED}, set HF_TOKEN, then visionrouter fetch"
    ):
        hub.resolve(GATED)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_secret")
    with pytest.raises(WeightsError) as raised:
        hub.resolve(GATED)
    assert "HF_TOKEN" not in str(raised.value)
    assert "hf_secret" not in str(raised.value)


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"visionrouter\[diffusers\]"):
        hub.resolve(ID, extra="diffusers")


def test_one_digest_for_the_same_weights_wherever_they_lie(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"a.safetensors": b"a" * 999, "unet/b.safetensors": b"b", "config.json": b"{}"}
    plain = tmp_path / "plain"
    for name, data in files.items():
        (plain / name).parent.mkdir(parents=True, exist_ok=True)
        (plain / name).write_bytes(data)
    expected = combined_digest(
        {n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n != "config.json"}
    )
    assert hub.digest(plain) == expected
    assert hub.size(plain) == 1000
    cached = snapshot(cache, ID, files)
    monkeypatch.setattr(hub, "sha256_of", lambda path: pytest.fail(f"{path} is read once more"))
    assert hub.digest(cached) == hub.digest(plain) == expected
    monkeypatch.undo()
    (plain / "unet" / "b.safetensors").write_bytes(b"other")
    assert hub.digest(plain) != expected


def test_a_folder_without_weights_has_no_digest(tmp_path: Path) -> None:
    assert hub.digest(tmp_path) is None


def test_a_fetch_without_the_network_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for ask in (hub.look_up, hub.fetch):
        with pytest.raises(FetchError, match="cannot be reached") as raised:
            ask(ID)
        assert raised.value.exit_code == 2
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError, match="offline mode"):
        hub.look_up(ID)


def test_what_the_hub_says_is_listed_by_the_wanted_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def file(name: str, size: int) -> SimpleNamespace:
        return SimpleNamespace(rfilename=name, size=size)

    siblings = [file("unet/w.safetensors", 70), file("unet/w.bin", 70), file("model_index.json", 7)]
    info = SimpleNamespace(sha=COMMIT, siblings=siblings, card_data={"license": "apache-2.0"})
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *given, **options: info)
    found = hub.look_up(ID, patterns=("*.json", "*.safetensors"))
    assert found == hub.Listing(ID, COMMIT, ("unet/w.safetensors", "model_index.json"), 77, "apache-2.0")


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        (errors.GatedRepoError, 403, "is gated; accept its terms"),
        (errors.RepositoryNotFoundError, 404, "no such repository"),
        (errors.RevisionNotFoundError, 404, "no such revision"),
        (errors.HfHubHTTPError, 503, "it answered 503"),
    ],
)
def test_what_the_hub_refuses_is_told_with_its_mend(
    monkeypatch: pytest.MonkeyPatch, kind: Any, status: int, words: str
) -> None:
    def refuse(*given: Any, **options: Any) -> Any:
        request = httpx2.Request("GET", "https://hub.test", headers={"authorization": "Bearer hf_secret"})
        raise kind("hf_secret in a message", response=httpx2.Response(status, request=request))

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(FetchError, match=words) as raised:
        hub.look_up(ID)
    assert "hf_secret" not in str(raised.value)
