"""The U-Net of the proving ground: trained for a moment, written, read back and asked."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from visionrouter.backends.specialist.embedded import FOLDER
from visionrouter.backends.specialist.sitting import Sitting
from visionrouter.backends.specialist.trained import Trained
from visionrouter.backends.specialist.unet.backend import SceneUNet
from visionrouter.backends.specialist.unet.network import answer, build
from visionrouter.backends.specialist.unet.training import train
from visionrouter.backends.weights import sha256_of
from visionrouter.benchmarks.tuning.source import SceneSource
from visionrouter.schema.errors import UnsupportedTargetError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import DepthMap, NormalMap, Segmentation
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Target, Task

pytest.importorskip("segmentation_models_pytorch")

CLASSES = ("sky", "road", "car", "person")
SIDE = 64


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    made: torch.nn.Module = build(len(CLASSES))
    with torch.no_grad():
        for parameter in made.get_submodule("segmentation_head").parameters():
            parameter.mul_(20)
        for value in made.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half())
    return made.eval()


@pytest.fixture(scope="module")
def folder(network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights with the plain card that training first wrote: digest, bytes, classes and metrics."""
    place = tmp_path_factory.mktemp("unet")
    path = place / "unet.safetensors"
    save_file(
        {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()},
        path,
    )
    card = {
        "sha256": sha256_of(path),
        "bytes": path.stat().st_size,
        "classes": CLASSES,
        "metrics": {"steps": 1.0},
    }
    (place / "unet.json").write_text(json.dumps(card))
    return place


@pytest.fixture(scope="module")
def backend(folder: Path) -> SceneUNet:
    return SceneUNet(folder=folder, long_side=SIDE)


@pytest.fixture(scope="module")
def image() -> Image:
    """As large as the network's canvas, so that nothing is resampled."""
    y, x = np.mgrid[:SIDE, :SIDE]
    noise = np.random.default_rng(0).integers(0, 60, (SIDE, SIDE, 3))
    return load_image((np.stack([3 * x, 3 * y, 2 * (x + y) % 190], -1) + noise).clip(0, 255).astype(np.uint8))


def test_answers_are_the_networks(backend: SceneUNet, network: torch.nn.Module, image: Image) -> None:
    with torch.inference_mode():
        heads, _ = answer(network, torch.tensor(image.pixels).permute(2, 0, 1)[None].float() / 255)
    classes = heads.logits[0].argmax(0).numpy()
    assert len(np.unique(classes)) > 1
    sky = classes == CLASSES.index("sky")
    depth, normals, semantic = (
        backend.predict([Query(task, image)])[0] for task in (Task.DEPTH, Task.NORMALS, Task.SEMANTIC)
    )
    assert isinstance(depth.payload, DepthMap)
    assert depth.payload.unit == backend.spec.depth_unit == "m"
    assert np.array_equal(np.isposinf(depth.payload.values), sky)
    np.testing.assert_allclose(depth.payload.values[~sky], heads.log_depth[0].exp().numpy()[~sky], rtol=1e-3)
    assert isinstance(normals.payload, NormalMap)
    assert np.array_equal(np.isnan(normals.payload.values[..., 0]), sky)
    np.testing.assert_allclose(
        normals.payload.values[~sky], heads.normals[0].permute(1, 2, 0).numpy()[~sky], atol=1e-3
    )
    assert isinstance(semantic.payload, Segmentation)
    named = np.array([CLASSES.index(label) for label in semantic.payload.labels])
    assert np.array_equal(named[semantic.payload.label_map], classes)
    top = heads.logits[0].softmax(0).topk(2, 0).values
    assert semantic.evidence.signals == pytest.approx(
        {"score": float(top[0].mean()), "margin": float((top[0] - top[1]).mean())}, abs=1e-4
    )
    assert depth.evidence.signals["log_scale"] == pytest.approx(
        float(heads.log_scale[0].numpy()[~sky].mean()), abs=1e-4
    )
    for given in (depth, normals, semantic):
        trust = given.evidence.confidence_map
        assert trust is not None
        assert trust.shape == (SIDE, SIDE)
        assert 0 <= trust.min() <= trust.max() <= 1


def test_only_the_classes_asked_for_are_shown(backend: SceneUNet, image: Image) -> None:
    (whole,) = backend.predict([Query(Task.SEMANTIC, image)])
    assert isinstance(whole.payload, Segmentation)
    entries = (PaletteEntry("heavens", (0, 0, 255)), PaletteEntry("vehicle", (255, 0, 0)))
    palette = (*entries, PaletteEntry("background", (9, 9, 9)))
    (some,) = backend.predict([Query(Task.SEMANTIC, image, palette=palette)])
    assert isinstance(some.payload, Segmentation)
    said = {"sky": "heavens", "car": "vehicle"}
    for label, mask in zip(whole.payload.labels, whole.payload.masks, strict=True):
        shown = some.payload.labels.index(said.get(label, "background"))
        assert some.payload.masks[shown][mask].all()
    (one,) = backend.predict([Query(Task.SEMANTIC, image, (Target("road", "road"),))])
    assert isinstance(one.payload, Segmentation)
    assert set(one.payload.labels) <= {"road"}


def test_words_without_a_class_are_refused(backend: SceneUNet, image: Image) -> None:
    with pytest.raises(UnsupportedTargetError, match="no class for 'violin'"):
        backend.predict([Query(Task.SEMANTIC, image, (Target("violin", "violin"),))])
    both = (PaletteEntry("man", (255, 0, 0)), PaletteEntry("women", (0, 0, 255)))
    with pytest.raises(UnsupportedTargetError, match="both as 'person'"):
        backend.predict([Query(Task.SEMANTIC, image, palette=both)])


def test_notes_say_what_was_not_heeded(backend: SceneUNet, image: Image) -> None:
    (got,) = backend.predict([Query(Task.SEMANTIC, image, (Target("woman", "red woman", ("red",)),))])
    assert got.notes == ("specificity_lost:woman", "unresolved:red")


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (90, 61)])
def test_any_size_is_answered_at_its_size(backend: SceneUNet, size: tuple[int, int]) -> None:
    image = load_image(np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8))
    for task in backend.spec.tasks:
        (got,) = backend.predict([Query(task, image)])
        assert got.evidence.confidence_map is not None
        assert got.evidence.confidence_map.shape == size


def test_trained_for_a_moment_it_loads(tmp_path: Path, image: Image) -> None:
    sitting = Sitting(folder=tmp_path, steps=2, pictures=4, held_out=2, size=SIDE, batch=2, rate=1e-3)
    metrics = train(SceneSource(), sitting)
    assert metrics is not None
    assert metrics["steps"] >= 1
    assert 0 <= metrics["semantic_miou"] <= 1
    trained = SceneUNet(folder=tmp_path)
    assert trained.spec.labels == (*SceneSource().vocabulary.stuff, *SceneSource().vocabulary.things)
    (got,) = trained.predict([Query(Task.DEPTH, image)])
    assert isinstance(got.payload, DepthMap)


def test_changed_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    data = bytearray((folder / "unet.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "unet.safetensors").write_bytes(data)
    (tmp_path / "unet.json").write_text((folder / "unet.json").read_text())
    with pytest.raises(WeightsError, match="sha256"):
        SceneUNet(folder=tmp_path).load()


def test_training_goes_on_from_the_shipped_weights(tmp_path: Path) -> None:
    sitting = Sitting(
        folder=tmp_path, steps=1, pictures=4, held_out=4, size=64, batch=2, rate=1e-9, shipped=True
    )
    metrics = train(SceneSource(), sitting)
    assert metrics is not None
    assert metrics["decoder_steps"] == 0
    assert Trained.read("unet", tmp_path).classes == Trained.read("unet").classes
    began, ended = (load_file(folder / "unet.safetensors") for folder in (FOLDER, tmp_path))
    moved = max(
        float((began[name].float() - value.float()).abs().max())
        for name, value in ended.items()
        if name.endswith("weight") and value.is_floating_point()
    )
    assert moved < 1e-2
