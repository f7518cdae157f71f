"""Marigold's real architecture at tiny size; what it means is proved by pictures planted in its autoencoder's place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipelines as tiny
import torch

from visionrouter.backends.generative.marigold.backend import Marigold
from visionrouter.backends.registry import create
from visionrouter.router import Router
from visionrouter.schema.errors import BackendError, ProfileError, ResourceError, WeightsError
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.request import Query

PHOTO = load_image(np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8))


def ask(backend: Marigold, **more: Any) -> Any:
    (task,) = backend.spec.tasks
    (prediction,) = backend.predict([Query(task, PHOTO, **more)])
    return prediction


@pytest.mark.parametrize("weights", ["depth", "normals", *tiny.TARGETS])
def test_an_ensemble_tells_how_far_its_members_disagree(folders: Callable[[str], str], weights: str) -> None:
    draws: Any = "intrinsics" if weights in tiny.TARGETS else weights
    backend = Marigold(folders(weights), draws=draws, ensemble=3, device="cpu")
    prediction = ask(backend, seed=7)
    assert 0 < prediction.evidence.signals["ensemble_uncertainty"] < 1
    trust = prediction.evidence.confidence_map
    assert trust.shape == (48, 80)
    assert 0 <= trust.min() < trust.max() <= 1
    assert ask(backend, seed=7) == prediction
    assert ask(backend, seed=8) != prediction


def test_one_step_from_no_noise_is_the_same_for_every_seed(folders: Callable[[str], str]) -> None:
    backend = Marigold(folders("depth"), noise="zeros", device="cpu")
    assert ask(backend, seed=1) == ask(backend, seed=2)
    assert dict(ask(backend).evidence.signals) == {}


def test_a_latent_consistency_scheduler_draws_in_few_steps(tmp_path: Path) -> None:
    folder = tiny.marigold("depth", tmp_path)
    (folder / "scheduler" / "scheduler_config.json").write_text(
        json.dumps(
            {"_class_name": "LCMScheduler", "prediction_type": "v_prediction", "timestep_spacing": "trailing"}
        )
    )
    index = json.loads((folder / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "LCMScheduler"]
    (folder / "model_index.json").write_text(json.dumps(index))
    before = torch.get_rng_state()
    backend = Marigold(str(folder), steps=2, device="cpu")
    assert ask(backend, seed=1) == ask(backend, seed=1)
    assert type(backend._model.pipeline.scheduler).__name__ == "LCMScheduler"
    assert (torch.get_rng_state() == before).all()


def test_the_tiny_autoencoder_takes_the_place_of_the_large(folders: Callable[[str], str]) -> None:
    backend = Marigold(folders("depth"), vae=folders("vae"), device="cpu")
    assert ask(backend).payload.values.shape == (48, 80)
    assert type(backend._model.pipeline.vae).__name__ == "AutoencoderTiny"
    assert backend.spec.weights_digest != Marigold(folders("depth")).spec.weights_digest


def test_planted_depth_is_near_at_zero_and_far_at_one(
    folders: Callable[[str], str], plant: Callable[..., None]
) -> None:
    backend = Marigold(folders("depth"), device="cpu", long_side=80)
    plant(backend, lambda h, w: np.linspace(-1, 1, h)[:, None, None].repeat(w, 1).repeat(3, 2))
    payload = ask(backend).payload
    assert payload.unit == backend.spec.depth_unit == "relative"
    assert payload.values[[0, -1], 40] == pytest.approx([0, 1], abs=0.02)
    assert payload.values[:, 3] == pytest.approx(np.linspace(0, 1, 48), abs=0.01)


def ball(height: int, width: int) -> np.ndarray:
    """Unit normals of a ball that fills the picture: +x right, +y up, +z towards the viewer."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x + 0.5) / width * 1.3 - 0.65, 0.65 - (y + 0.5) / height * 1.3
    return np.stack([x, y, np.sqrt(1 - x**2 - y**2)], axis=-1)


@pytest.mark.parametrize(
    ("axes", "signs"), [("+x+y+z", (1, 1, 1)), ("-x+y+z", (-1, 1, 1)), ("+x-y-z", (1, -1, -1))]
)
def test_a_planted_ball_has_its_normals_in_the_frame_of_results(
    folders: Callable[[str], str], plant: Callable[..., None], axes: str, signs: tuple[int, int, int]
) -> None:
    backend = Marigold(folders("normals"), draws="normals", axes=axes, device="cpu", long_side=80)
    plant(backend, lambda h, w: ball(h, w) * signs)
    values = ask(backend).payload.values
    assert values == pytest.approx(ball(48, 80), abs=0.02)


def test_inverse_depth_must_be_declared(tmp_path: Path) -> None:
    folder = str(tiny.marigold("depth", tmp_path, prediction_type="disparity"))
    with pytest.raises(WeightsError, match="depth_unit: disparity"):
        Marigold(folder).load()
    backend = Marigold(folder, depth_unit="disparity")
    assert ask(backend).payload.unit == backend.spec.depth_unit == "disparity"


def test_relatives_that_cannot_be_run_are_told_why(folders: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "LotusGPipeline"}))
    with pytest.raises(WeightsError, match="Lotus"):
        Marigold(str(tmp_path)).load()


@pytest.mark.parametrize(
    ("kind", "draws", "words"),
    [
        (
            "depth",
            "normals",
            "holds a MarigoldDepthPipeline.*set draws: depth, or name marigold-normals weights",
        ),
        (
            "lighting",
            "depth",
            "MarigoldIntrinsicsPipeline.*set draws: intrinsics, or name marigold-depth weights",
        ),
        (
            "normals",
            "intrinsics",
            "MarigoldNormalsPipeline.*set draws: normals, or name marigold-iid weights",
        ),
    ],
)
def test_weights_for_something_else_are_told_with_what_to_set(
    folders: Callable[[str], str], kind: str, draws: Any, words: str
) -> None:
    backend = Marigold(folders(kind), draws=draws)
    assert backend.unavailable() is not None
    with pytest.raises(WeightsError, match=words):
        backend.load()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"draws": "albedo"}, "depth, normals or intrinsics"),
        ({"noise": "pink"}, "zeros"),
        ({"noise": "zeros", "ensemble": 3}, "same picture"),
        ({"ensemble": 2}, "3 and more"),
        ({"steps": 0}, "1 or more"),
        ({"axes": "xyz"}, "axes"),
        ({"depth_unit": "m"}, "no scale"),
    ],
)
def test_a_wrong_parameter_is_told(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ProfileError, match=words):
        create("marigold", params={"source": "prs-eth/marigold-depth-v1-1", **params})


def test_nan_and_no_memory_are_typed(
    folders: Callable[[str], str], plant: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Marigold(folders("depth"), device="cpu")
    plant(backend, lambda h, w: np.full((h, w, 3), np.nan))
    with pytest.raises(BackendError, match="NaN"):
        ask(backend)

    def short(*given: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(backend._model.pipeline.vae, "decode", short)
    with pytest.raises(ResourceError, match="try"):
        ask(backend)


def test_through_the_router(folders: Callable[[str], str]) -> None:
    with Router([Marigold(folders("depth"), ensemble=3, device="cpu", licence="Apache-2.0")]) as router:
        result = router.run(PHOTO, "relative depth map")
    assert isinstance(result.payload, DepthMap)
    (attempt,) = result.decision.attempts
    assert attempt.verdict.reason.value == "no_limits"
    assert attempt.licence == "Apache-2.0"
    assert "ensemble_uncertainty" in attempt.signals
