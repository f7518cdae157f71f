"""Weights are read only when they are the ones declared, and libraries are asked for by their extra."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from visionrouter.backends.base import Backend
from visionrouter.backends.specialist.classifier import TimmClassifier
from visionrouter.backends.specialist.embedded import FOLDER
from visionrouter.backends.specialist.grabcut import GrabCut
from visionrouter.backends.specialist.movenet import MoveNet
from visionrouter.backends.specialist.nanodet import NanoDet
from visionrouter.backends.weights import sha256_of
from visionrouter.schema.errors import MissingExtraError, WeightsError

WITH_WEIGHTS = {
    NanoDet: ("nanodet_coco80.onnx",),
    MoveNet: ("movenet_multipose.onnx", "movenet_lightning.onnx"),
    TimmClassifier: ("efficientnet_lite0_timm.safetensors",),
}
FILES = [(backend, name) for backend, names in WITH_WEIGHTS.items() for name in names]


def test_the_notice_names_every_file_by_its_digest() -> None:
    notice = (Path(__file__).parents[3] / "NOTICE").read_text()
    named = set(re.findall(r"\bsha256 ([0-9a-f]{64})\b", notice))
    shipped = [file for file in FOLDER.iterdir() if file.suffix in (".onnx", ".safetensors")]
    assert {file.name: sha256_of(file) in named for file in shipped} == dict.fromkeys(
        (file.name for file in shipped), True
    )
    assert len(named) == len(shipped)


@pytest.mark.parametrize(("backend", "name"), FILES)
def test_one_changed_byte_is_refused(backend: Callable[..., Backend], name: str, tmp_path: Path) -> None:
    for file in WITH_WEIGHTS[backend]:  # type: ignore[index]
        shutil.copy(FOLDER / file, tmp_path / file)
    backend(folder=tmp_path).load()
    with (tmp_path / name).open("r+b") as file:
        file.seek(100_000)
        byte = file.read(1)[0]
        file.seek(100_000)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(WeightsError, match=rf"{name}: sha256 is .*reinstall"):
        backend(folder=str(tmp_path)).load()


@pytest.mark.parametrize("backend", WITH_WEIGHTS)
def test_missing_weights_are_named(backend: Callable[..., Backend], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="weights are missing"):
        backend(folder=tmp_path).load()


@pytest.mark.parametrize("backend", WITH_WEIGHTS)
def test_the_spec_tells_the_bytes_on_disk(backend: Callable[..., Backend]) -> None:
    on_disk = sum((FOLDER / name).stat().st_size for name in WITH_WEIGHTS[backend])  # type: ignore[index]
    assert backend().spec.weights_bytes == on_disk


@pytest.mark.parametrize(
    ("backend", "module"),
    [(NanoDet, "onnxruntime"), (MoveNet, "onnxruntime"), (TimmClassifier, "timm"), (GrabCut, "cv2")],
)
def test_a_missing_library_names_its_extra(
    backend: Callable[..., Backend], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backend()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"needs {module}.*pip install 'visionrouter\[nano\]'"):
        made.load()


def test_every_embedded_file_is_declared() -> None:
    shipped = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert shipped == {name for _, name in FILES} | {
        f"{name}.{kind}"
        for name in ("sam_tiny", "scene_yolo", "unet")
        for kind in ("json", "md", "safetensors")
    }
