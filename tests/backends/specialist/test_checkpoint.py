"""What is missing, damaged, or of another family ends in an error that says what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_specialists import each

from visionrouter.backends.base import Backend
from visionrouter.backends.registry import create
from visionrouter.policies.licences import Licences
from visionrouter.router import Router
from visionrouter.schema.errors import BackendError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.request import NO_PROMPTS, Prompts, Query
from visionrouter.schema.task import Task

Tiny = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def image() -> Image:
    return load_image(np.random.default_rng(3).integers(0, 256, (60, 90, 3), np.uint8))


def copied(tiny: Tiny, name: str, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    params = tiny(name)
    folder = tmp_path / name
    shutil.copytree(params["source"], folder)
    return folder, {**params, "source": str(folder)}


@pytest.mark.parametrize("name", ["rt_detr", "sam", "unet", "timm_hub"])
def test_a_missing_weight_is_not_drawn_at_random(name: str, tiny: Tiny, tmp_path: Path) -> None:
    folder, params = copied(tiny, name, tmp_path)
    state = load_file(folder / "model.safetensors")
    del state[sorted(key for key in state if key.endswith("weight"))[0]]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"(?i)lacks|missing|not (the )?weights"):
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has a GPU")
def test_a_device_that_is_not_there_is_refused(tiny: Tiny) -> None:
    with pytest.raises(BackendError, match="no cuda"):
        create("rt_detr", params={**tiny("rt_detr"), "device": "cuda"}).load()


def test_bfloat16_answers_in_float32(tiny: Tiny, image: Image) -> None:
    with create("depth_anything", params={**tiny("depth_anything"), "precision": "bfloat16"}) as backend:
        (answer,) = backend.predict([Query(Task.DEPTH, image)])
    assert answer.payload.values.dtype == np.float32  # type: ignore[union-attr]


@pytest.mark.parametrize("name", each(["rt_detr", "depth_anything", "sam2", "yolo"]))
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
