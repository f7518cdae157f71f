"""Embeddings of timm models: the library's own numbers, and what they tell of pictures that are not the usual ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from tiny_specialists import lively

from visionrouter.backends.registry import create
from visionrouter.backends.specialist import usual
from visionrouter.backends.specialist.classifier import ARCHITECTURE, WEIGHTS
from visionrouter.backends.specialist.embedded import FOLDER
from visionrouter.backends.specialist.timm_model import TimmHub
from visionrouter.router import Router
from visionrouter.schema.decision import Reason
from visionrouter.schema.errors import BackendError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.request import Query
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

Photo = Callable[[str], Image]


def saved(folder: Path, architecture: str, state: dict[str, Any], **config: Any) -> str:
    """In timm's layout on the hub."""
    folder.mkdir()
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": architecture, **config}))
    return str(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TimmHub:
    """ImageNet's EfficientNet-Lite0, as a hub has it."""
    folder = tmp_path_factory.mktemp("timm") / "lite0"
    seen = {"input_size": [3, 224, 224], "crop_pct": 0.875, "mean": [0.5] * 3, "std": [0.5] * 3}
    source = saved(
        folder, ARCHITECTURE, load_file(FOLDER / WEIGHTS.name), num_classes=1000, pretrained_cfg=seen
    )
    return TimmHub(source=source, device="cpu")


def cut(image: Image, seed: int, count: int) -> list[Image]:
    """Windows of three quarters of a picture's sides, somewhere in it."""
    rng = np.random.default_rng(seed)
    height, width = (3 * side // 4 for side in image.pixels.shape[:2])
    corners = rng.integers(0, (image.height - height, image.width - width), (count, 2))
    return [load_image(image.pixels[y : y + height, x : x + width].copy()) for y, x in corners]


@pytest.mark.parametrize(
    ("architecture", "more"),
    [
        ("mobilenetv3_small_050", {}),
        ("resnet10t", {}),
        ("vit_tiny_patch16_224", {"embed_dim": 24, "depth": 1, "num_heads": 2, "img_size": 64}),
        ("convnext_atto", {"dims": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}),
    ],
)
@pytest.mark.parametrize("classes", [3, 0])
def test_embeddings_are_what_the_library_gives_before_its_classes(
    architecture: str, more: dict[str, Any], classes: int, tmp_path: Path, photo: Photo
) -> None:
    model = lively(timm.create_model(architecture, num_classes=classes, **more))
    config = {"num_classes": classes, "model_args": more, "pretrained_cfg": {"input_size": [3, 64, 64]}}
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    names = {"label_names": ["a", "b", "c"]} if classes else {}
    source = saved(tmp_path / "one", architecture, state, **config, **names)
    backend = TimmHub(source=source, device="cpu", batch_limit=2)
    images = [photo(name) for name in ("chelsea", "china", "coffee")]
    vectors = backend.embed(images)
    data = timm.data.resolve_data_config(pretrained_cfg=config["pretrained_cfg"], model=model)
    transform = timm.data.create_transform(**data, is_training=False)
    batch = torch.stack([transform(PIL.Image.fromarray(image.pixels)) for image in images])
    with torch.inference_mode():
        expected = model.forward_head(model.forward_features(batch), pre_logits=True)
        logits = model(batch)
    np.testing.assert_allclose(vectors, torch.nn.functional.normalize(expected).numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors.dtype == np.float32
    assert backend.embed([]).shape == (0, vectors.shape[1])
    if classes:
        (answer,) = backend.predict([Query(Task.CLASSIFY, images[0])])
        best = logits[0].softmax(-1).max()
        assert answer.evidence.signals["score"] == pytest.approx(float(best), abs=1e-5)


def test_a_network_without_classes_does_no_task_and_embeds(tmp_path: Path, photo: Photo) -> None:
    model = lively(timm.create_model("mobilenetv3_small_050", num_classes=0))
    source = saved(tmp_path / "one", "mobilenetv3_small_050", model.state_dict(), num_classes=0)
    backend = create("timm_hub", params={"source": source, "device": "cpu"})
    assert backend.unavailable() is None
    assert backend.spec.tasks == frozenset()
    with pytest.raises(BackendError, match=r"does not do classify; it does no task"):
        backend.predict([Query(Task.CLASSIFY, photo("chelsea"))])


def test_pictures_of_one_thing_are_nearer_than_of_others(trained: TimmHub, photo: Photo) -> None:
    cat, street = photo("chelsea"), photo("china")
    rows = trained.embed([*cut(cat, 0, 3), *cut(street, 1, 3)])
    cosine = rows @ rows.T
    assert min(cosine[:3, :3].min(), cosine[3:, 3:].min()) > cosine[:3, 3:].max()


@pytest.fixture(scope="module")
def measured(trained: TimmHub, tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> Path:
    """What is usual to somebody who sees nothing but a coffee cup, by the command."""
    folder = tmp_path_factory.mktemp("usual")
    for i, image in enumerate(cut(photo("coffee"), 0, 40)):
        PIL.Image.fromarray(image.pixels).save(folder / f"{i:02d}.png")
    out = folder / "usual.safetensors"
    source = str(trained.origin.source)
    usual.main(["--source", source, "--images", str(folder), "--out", str(out), "--device", "cpu"])
    return out


def test_another_picture_than_the_usual_ones_is_out_of_domain(
    trained: TimmHub, measured: Path, photo: Photo
) -> None:
    backend = TimmHub(source=trained.origin.source, usual=str(measured), device="cpu", licence="Apache-2.0")
    limits = {"timm_hub": {Task.CLASSIFY: {"familiarity": Limit(max=1)}}}
    with Router([backend], limits=limits) as router:
        cups = [router.run(image, "what is this?") for image in cut(photo("coffee"), 1, 10)]
        others = [router.run(photo(name), "what is this?") for name in ("chelsea", "china", "rocket")]
    assert sum(result.decision.attempts[0].verdict.accepted for result in cups) >= 8
    assert {result.decision.attempts[0].verdict.reason for result in others} == {Reason.OUT_OF_DOMAIN}


def test_what_is_usual_is_part_of_what_answers(trained: TimmHub, measured: Path, tmp_path: Path) -> None:
    source = trained.origin.source
    backend = TimmHub(source=source, usual=str(measured), licence="MIT")
    assert backend.spec.licence == "MIT"
    assert backend.spec.weights_digest not in (None, trained.spec.weights_digest)
    assert [weights.source for weights in backend.sources()] == [source, str(measured)]
    gone = TimmHub(source=source, usual=str(tmp_path / "gone.safetensors"))
    assert "no such file" in (gone.unavailable() or "")


def test_what_was_measured_on_another_network_is_refused(tmp_path: Path, measured: Path) -> None:
    model = lively(timm.create_model("mobilenetv3_small_050", num_classes=0))
    source = saved(tmp_path / "one", "mobilenetv3_small_050", model.state_dict(), num_classes=0)
    with pytest.raises(WeightsError, match=r"embeddings of 1024 numbers.*measure it anew: python -m"):
        TimmHub(source=source, usual=str(measured), device="cpu").load()


def test_too_few_pictures_are_told(trained: TimmHub, tmp_path: Path, photo: Photo) -> None:
    PIL.Image.fromarray(photo("chelsea").pixels).save(tmp_path / "one.png")
    words = [
        "--source",
        str(trained.origin.source),
        "--images",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    with pytest.raises(SystemExit, match="1 pictures; give 20 or more"):
        usual.main(words)
    assert not (tmp_path / "out").exists()


def test_numbers_that_are_none_are_no_vectors(trained: TimmHub, photo: Photo) -> None:
    backend = TimmHub(source=trained.origin.source, device="cpu")
    backend.load()
    with torch.no_grad():
        next(iter(backend._model.network.parameters())).fill_(float("nan"))
    with pytest.raises(BackendError, match="float32"):
        backend.embed([photo("chelsea")])
