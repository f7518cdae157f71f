"""What is missing, damaged, or of another family ends in an error that says what to do."""

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_specialists import BUILDERS

from visionrouter.backends.base import Backend
from visionrouter.backends.registry import create
from visionrouter.backends.specialist import libraries
from visionrouter.policies.licences import Licences
from visionrouter.router import Router
from visionrouter.schema.errors import BackendError, MissingExtraError, ResourceError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.request import NO_PROMPTS, Prompts, Query
from visionrouter.schema.task import Task

Tiny = Callable[[str], dict[str, Any]]
NEEDS_ULTRALYTICS = pytest.mark.skipif("yolo" not in BUILDERS, reason="ultralytics is not installed")


@pytest.fixture(scope="module")
def image() -> Image:
    return load_image(np.random.default_rng(3).integers(0, 256, (60, 90, 3), np.uint8))


def copied(tiny: Tiny, name: str, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    params = tiny(name)
    folder = tmp_path / name
    shutil.copytree(params["source"], folder)
    return folder, {**params, "source": str(folder)}


@pytest.mark.parametrize("name", sorted({*BUILDERS, "depth_anything3", "yolo_world"} - {"unet"}))
def test_without_weights_it_is_made_and_says_how_to_get_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    backend = create(name)
    assert backend.spec.weights_digest is None
    assert backend.spec.weights_bytes == 0
    why = backend.unavailable()
    installed = all(find_spec(module) is not None for module in backend.spec.requires)
    mend = "visionrouter fetch" if installed else "pip install"
    assert why is not None
    assert mend in why
    with pytest.raises(WeightsError if installed else BackendError, match=r"visionrouter fetch|pip install"):
        backend.load()


@pytest.mark.parametrize("name", ["rt_detr", "depth_anything", "sam2", "vitpose", "owlv2", "sam3"])
def test_a_checkpoint_of_another_family_is_named(name: str, tiny: Tiny) -> None:
    other = tiny("depth_pro")["source"]
    backend = create(name, params={"source": other})
    assert "depth_pro model" in (backend.unavailable() or "")
    with pytest.raises(WeightsError, match=r"holds a depth_pro model; it loads .*another backend"):
        backend.load()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("yolo", "model.yaml", marks=NEEDS_ULTRALYTICS),
        ("unet", "save_pretrained"),
        ("timm_hub", "timm"),
        ("sam", "Segment Anything"),
    ],
)
def test_a_folder_of_another_library_is_named(name: str, words: str, tiny: Tiny) -> None:
    params = {"classes": ["a"]} if name == "unet" else {}
    backend = create(name, params={"source": tiny("depth_pro")["source"], **params})
    with pytest.raises(WeightsError, match=words):
        backend.load()


@pytest.mark.parametrize("name", ["rt_detr", "sam", "unet", "timm_hub"])
def test_a_missing_weight_is_not_drawn_at_random(name: str, tiny: Tiny, tmp_path: Path) -> None:
    folder, params = copied(tiny, name, tmp_path)
    state = load_file(folder / "model.safetensors")
    del state[sorted(key for key in state if key.endswith("weight"))[0]]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"(?i)lacks|missing|not (the )?weights"):
        create(name, params=params).load()


@pytest.mark.parametrize("name", ["rt_detr", "sam", "unet", "timm_hub"])
def test_damaged_weights_are_told(name: str, tiny: Tiny, tmp_path: Path) -> None:
    folder, params = copied(tiny, name, tmp_path)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"fetch it anew|save it anew"):
        create(name, params=params).load()


def test_other_weights_have_another_digest(tiny: Tiny, tmp_path: Path) -> None:
    folder, params = copied(tiny, "timm_hub", tmp_path)
    before = create("timm_hub", params=params).spec
    state = {key: value + 1 for key, value in load_file(folder / "model.safetensors").items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    after = create("timm_hub", params=params).spec
    assert before.weights_digest != after.weights_digest


def test_pickled_weights_are_not_read(tiny: Tiny, tmp_path: Path) -> None:
    folder, params = copied(tiny, "rt_detr", tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="does not load"):
        create("rt_detr", params=params).load()


def test_half_precision_on_the_cpu_is_refused(tiny: Tiny) -> None:
    with pytest.raises(BackendError, match="float32 or bfloat16"):
        create("rt_detr", params={**tiny("rt_detr"), "precision": "float16"}).load()


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has a GPU")
def test_a_device_that_is_not_there_is_refused(tiny: Tiny) -> None:
    with pytest.raises(BackendError, match="no cuda"):
        create("rt_detr", params={**tiny("rt_detr"), "device": "cuda"}).load()


def test_bfloat16_answers_in_float32(tiny: Tiny, image: Image) -> None:
    with create("depth_anything", params={**tiny("depth_anything"), "precision": "bfloat16"}) as backend:
        (answer,) = backend.predict([Query(Task.DEPTH, image)])
    assert answer.payload.values.dtype == np.float32  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name", ["rt_detr", "depth_anything", "sam2", pytest.param("yolo", marks=NEEDS_ULTRALYTICS)]
)
def test_numbers_that_are_none_are_an_error_and_not_an_empty_answer(
    name: str, tiny: Tiny, image: Image
) -> None:
    backend = create(name, params=tiny(name))
    backend.load()
    network = backend._model.model  # type: ignore[attr-defined]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(BackendError, match="float32"):
        backend.predict([asked(backend, image)])


def test_running_out_of_memory_names_the_mend(
    tiny: Tiny, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = create("depth_anything", params=tiny("depth_anything"))
    backend.load()

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(backend._model.model, "forward", full)  # type: ignore[attr-defined]
    with pytest.raises(ResourceError, match="device: cpu"):
        backend.predict([Query(Task.DEPTH, image)])


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("rt_detr", "transformers"),
        ("sam", "sam"),
        ("unet", "unet"),
        pytest.param("yolo", "ultralytics", marks=NEEDS_ULTRALYTICS),
        ("timm_hub", "timm"),
    ],
)
def test_a_missing_library_names_its_extra(
    name: str, extra: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = create(name, params=tiny(name))

    def gone(module: str, *_: object) -> None:
        raise ImportError(f"No module named {module!r}")

    monkeypatch.setattr(libraries.importlib, "import_module", gone)
    with pytest.raises(MissingExtraError, match=rf"visionrouter\[{extra}\]"):
        backend.load()


@pytest.mark.parametrize("name", ["rt_detr", "depth_anything", "sam2", "timm_hub", "unet"])
def test_the_router_runs_it(name: str, tiny: Tiny, image: Image) -> None:
    words = {
        "rt_detr": "find everything",
        "depth_anything": "depth map",
        "sam2": "segment this",
        "timm_hub": "what is this?",
        "unet": "semantic segmentation",
    }
    backend = create(name, params=tiny(name))
    boxes = [[5, 5, 60, 50]] if name == "sam2" else None
    with Router([backend]) as router:
        result = router.run(image, words[name], boxes=boxes)
    attempt = result.decision.attempts[0]
    assert attempt.error is None
    assert attempt.weights_digest == backend.spec.weights_digest
    assert result.payload is not None


def test_a_policy_can_refuse_weights_whose_licence_nobody_stated(tiny: Tiny) -> None:
    policy = Licences(deny=("unknown",))
    params = tiny("depth_anything")
    assert not policy.permits(create("depth_anything", params=params).spec.licence)
    assert policy.permits(create("depth_anything", params={**params, "licence": "Apache-2.0"}).spec.licence)


def asked(backend: Backend, image: Image) -> Query:
    task = sorted(backend.spec.tasks)[0]
    boxes = Prompts(boxes=np.array([[5, 5, 60, 50]], np.float32))
    return Query(task, image, prompts=boxes if backend.spec.needs_prompts else NO_PROMPTS)
