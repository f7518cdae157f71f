"""What can go wrong with weights, libraries and devices ends, in every family, in a typed error that says what to do."""

import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gemini_server
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from tiny_pipelines import BUILDERS as PIPELINES
from tiny_specialists import BUILDERS as SPECIALISTS
from tiny_specialists import each

from visionrouter.backends import hub
from visionrouter.backends.base import Backend
from visionrouter.backends.registry import create
from visionrouter.schema.errors import (
    BackendError,
    CredentialsError,
    FetchError,
    MissingExtraError,
    ResourceError,
    WeightsError,
)
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import NO_PROMPTS, Prompts, Query
from visionrouter.schema.task import PaletteEntry, Target, Task

Tiny = Callable[[str], dict[str, Any]]
STORED = sorted({*PIPELINES, *SPECIALISTS} - {"scene_yolo"})
"""Every family whose weights a hub id or a path names."""
NOBODYS = "nobody/nothing"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the hub's client, where nothing was ever fetched; nor is there a token."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.mark.parametrize("name", each([*STORED, "gemini"]))
def test_a_missing_library_names_its_extra(name: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", gemini_server.KEY)
    backend = create(name, params={} if name == "gemini" else tiny(name))
    for module in backend.spec.requires:
        monkeypatch.setitem(sys.modules, module, None)
        mend = rf"{module.partition('.')[0]}.*pip install 'visionrouter\[{backend.spec.extra}\]'"
        assert re.search(mend, backend.unavailable() or "")
        with pytest.raises(MissingExtraError, match=mend):
            backend.load()
        monkeypatch.undo()
        monkeypatch.setenv("GEMINI_API_KEY", gemini_server.KEY)


def test_a_library_that_is_installed_by_hand_says_how() -> None:
    backend = create("depth_anything3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "depth_anything_3", None)
        with pytest.raises(MissingExtraError, match="pip install --no-deps depth-anything-3"):
            backend.load()


def test_a_library_that_another_lacks_is_no_fault_of_the_weights(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise ImportError("RTDetrImageProcessor requires the torchvision library")

    backend = create("rt_detr", params=tiny("rt_detr"))
    monkeypatch.setattr("transformers.AutoImageProcessor.from_pretrained", lacking)
    with pytest.raises(MissingExtraError, match=r"torchvision.*visionrouter\[transformers\]"):
        backend.load()


@pytest.mark.parametrize("name", each(STORED))
def test_weights_that_were_never_fetched(
    name: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told when it is made, raised when it is loaded; nobody asks the network."""
    monkeypatch.setattr("httpx2.Client.send", lambda *_, **__: pytest.fail("the network was asked"))
    for offline, mend in (("0", ""), ("1", "unset HF_HUB_OFFLINE .*, then ")):
        monkeypatch.setenv("HF_HUB_OFFLINE", offline)
        backend = create(name, params={"source": NOBODYS})
        words = rf"^{NOBODYS}: not fetched; {mend}visionrouter fetch {NOBODYS}; or give the path"
        assert re.search(words, backend.unavailable() or "")
        with pytest.raises(WeightsError, match=words):
            backend.load()
        assert (backend.spec.weights_digest, backend.spec.weights_bytes) == (None, 0)


@pytest.mark.parametrize("name", each(STORED))
def test_a_path_that_is_not_there(name: str, tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "such"
    backend = create(name, params={"source": str(nowhere)})
    words = rf"^{nowhere}: no such file or folder"
    assert re.search(words, backend.unavailable() or "")
    with pytest.raises(WeightsError, match=words):
        backend.load()


@pytest.mark.parametrize(
    ("name", "part"),
    each(
        [
            ("instruct_editor", "transformer"),
            ("instruct_editor", "adapter"),
            ("marigold", "vae"),
            ("yolo_world", "text_source"),
            ("yoloe", "text_source"),
        ]
    ),
)
def test_a_part_that_was_never_fetched(name: str, part: str, tiny: Tiny, empty_cache: Path) -> None:
    backend = create(name, params={**tiny(name), part: NOBODYS})
    with pytest.raises(WeightsError, match=f"{NOBODYS}: not fetched; visionrouter fetch {NOBODYS}"):
        backend.load()


OTHERS = {
    "depth_anything3": ("depth_pro", "name another source or another backend"),
    "depth_pro": ("zoedepth", "name another source or another backend"),
    "instruct_editor": ("marigold", "name another source or another backend"),
    "marigold": ("instruct_editor", "name another source or another backend"),
    "sam": ("sam2", "name another source, or the backend sam2 or sam3"),
    "timm_hub": ("depth_pro", "name another source or another backend"),
    "unet": ("timm_hub", "save it with its save_pretrained"),
    "yolo": ("rt_detr", "make one of a .pt"),
    "yolo_world": ("yolo", "use the backend yolo"),
    "yoloe": ("yolo", "use the backend yolo"),
}
"""A checkpoint of another family, and the mend; transformers' families have these of depth_pro's."""


@pytest.mark.parametrize("name", each(STORED))
def test_a_checkpoint_of_another_family(name: str, tiny: Tiny) -> None:
    other, mend = OTHERS.get(name, ("depth_pro", "name another source or another backend"))
    source = tiny(other)["source"]
    backend = create(name, params={**tiny(name), "source": source})
    with pytest.raises(WeightsError, match=rf"{re.escape(source)}.*{re.escape(mend)}"):
        backend.load()


@pytest.mark.parametrize("name", each(STORED))
def test_weights_that_were_cut_short(name: str, tiny: Tiny, tmp_path: Path) -> None:
    params = tiny(name)
    folder = tmp_path / "cut"
    shutil.copytree(params["source"], folder)
    largest = max(folder.rglob("*.safetensors"), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1000])
    backend = create(name, params={**params, "source": str(folder)})
    with pytest.raises(WeightsError, match=rf"{folder}.*(fetch it|save it|make (it|both)) anew"):
        backend.load()


@pytest.mark.parametrize("name", each(STORED))
def test_no_memory_for_the_picture(name: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = create(name, params=tiny(name))
    backend.load()
    for layer in (torch.nn.Linear, torch.nn.Conv2d):
        monkeypatch.setattr(layer, "forward", full)
    with pytest.raises(ResourceError, match=rf"^{name} ran out of memory on .*20.00 GiB.*device: cpu"):
        backend.predict([asked(backend)])


@pytest.mark.parametrize("name", each(STORED))
@pytest.mark.parametrize("when", ["to", "__init__"])
def test_no_memory_for_the_weights(name: str, when: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while they are moved to the device nor before that is it a fault of the weights."""
    backend = create(name, params=tiny(name))
    monkeypatch.setattr(torch.nn.Module, when, full)
    with pytest.raises(ResourceError, match=rf"^{name} ran out of memory while loading.*device: cpu"):
        backend.load()


def full(*_: object, **__: object) -> None:
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


@pytest.mark.parametrize("name", each(STORED))
@pytest.mark.parametrize(
    ("precision", "mend"),
    [
        ("int8", "give auto, float32, float16, bfloat16"),
        ("float16", "on the CPU give precision: float32 or bfloat16"),
    ],
)
def test_a_precision_that_nothing_runs_in(name: str, precision: str, mend: str, tiny: Tiny) -> None:
    with pytest.raises(BackendError, match=f"{precision}.*{mend}"):
        create(name, params={**tiny(name), "precision": precision}).load()


@pytest.mark.parametrize("name", each(STORED))
def test_a_precision_that_the_processor_runs_in(name: str, tiny: Tiny) -> None:
    with create(name, params={**tiny(name), "precision": "bfloat16"}) as backend:
        (answer,) = backend.predict([asked(backend)])
        assert isinstance(answer, Prediction)


def asked(backend: Backend) -> Query:
    pixels = np.random.default_rng(3).integers(0, 256, (60, 90, 3), np.uint8)
    image: Image = load_image(pixels)
    task = sorted(backend.spec.tasks)[0]
    boxes = Prompts(boxes=np.array([[5, 5, 60, 50]], np.float32))
    words = Target("person", "the person", number="one")
    return Query(
        task,
        image,
        (words,) if task is Task.REFERRING else (),
        (PaletteEntry("sky", (0, 0, 255)),) if backend.spec.kind == "generative" else (),
        boxes if backend.spec.needs_prompts or task is Task.PROMPTABLE else NO_PROMPTS,
    )


def test_a_hosted_model_without_a_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CredentialsError, match="set GEMINI_API_KEY"):
        create("gemini").load()


class Gatekeeper(BaseHTTPRequestHandler):
    """What the hub answers for a gated repository: its card to everybody, its files to those who were let in."""

    def _answer(self) -> None:
        names = ("config.json", "model.safetensors")
        if "/tree/" in self.path:
            self._say(200, [{"type": "file", "path": name, "size": 7, "oid": "0" * 40} for name in names])
        elif "/api/models/" in self.path:
            siblings = [{"rfilename": name, "size": 7} for name in names]
            self._say(200, {"id": "some/gated", "sha": "0" * 40, "gated": "manual", "siblings": siblings})
        else:
            self._say(403 if self.headers.get("authorization") else 401, {}, "GatedRepo")

    do_GET = do_HEAD = _answer  # noqa: N815

    def _say(self, status: int, document: Any, code: str | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", "Access to model some/gated is restricted.")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Nothing on stderr."""


@contextmanager
def gate() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gatekeeper)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("name", each(STORED))
def test_a_gated_repository(name: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend names the command; the command, asking the hub, names the terms and the token, which it never tells."""
    backend = create(name, params={"source": "some/gated"})
    with pytest.raises(WeightsError, match="visionrouter fetch some/gated"):
        backend.load()
    weights = backend.sources()[0]
    with gate() as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)  # what HF_ENDPOINT sets as the client is imported
        files = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        found = hub.look_up(weights.source, patterns=weights.patterns)
        assert found.files
        with pytest.raises(FetchError, match=rf"accept its terms at {address}/some/gated, then set HF_TOKEN"):
            hub.fetch(weights.source, revision=found.revision, patterns=weights.patterns)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        with pytest.raises(FetchError, match="wait for access or use another account's HF_TOKEN") as raised:
            hub.fetch(weights.source, revision=found.revision, patterns=weights.patterns)
    assert "hf_secret" not in str(raised.value)
