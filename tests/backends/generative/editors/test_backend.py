"""The real architectures at tiny size: loaded as from the hub, drawn, read; and what goes wrong is typed."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipelines as tiny
import torch

from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.grayscale import GrayDepthCode
from visionrouter.backends.generative.codecs.normals import PAPER_AXES, NormalCode
from visionrouter.backends.generative.editors import backend as editors
from visionrouter.backends.generative.editors.backend import InstructEditor
from visionrouter.backends.registry import create
from visionrouter.router import Router
from visionrouter.schema.errors import (
    BackendError,
    MissingExtraError,
    ProfileError,
    RefusedError,
    ResourceError,
    UnsupportedTargetError,
    WeightsError,
)
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap, NormalMap
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Target, Task

PHOTO = load_image(np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8))
PALETTE = (PaletteEntry("sky", (0, 0, 255)), PaletteEntry("person", (255, 0, 0)))
PERSON = Target("person", "the person", number="one")
SIZE = {"steps": 1, "long_side": 64, "device": "cpu"}


def query(task: Task, **more: Any) -> Query:
    given = {
        Task.SEMANTIC: {"palette": PALETTE},
        Task.REFERRING: {"targets": (PERSON,)},
        Task.INSTANCE: {"targets": (PERSON,)},
    }
    return Query(task, PHOTO, **{**given.get(task, {}), **more})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A pipeline's folder, made once."""
    torch.set_num_threads(1)
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            made[kind] = {
                "sd": lambda: tiny.editor("sd", "epsilon", folder),
                "xl": lambda: tiny.editor("xl", "v_prediction", folder),
                "klein": lambda: tiny.klein(folder),
                "qwen": lambda: tiny.qwen(folder),
            }[kind]()
        return made[kind]

    return make


@pytest.fixture
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qwen-Image-Edit reads a picture at a million pixels, whatever its own size."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as module

    monkeypatch.setattr(module, "VAE_IMAGE_SIZE", 64 * 64)
    monkeypatch.setattr(module, "CONDITION_IMAGE_SIZE", 56 * 56)


@pytest.mark.usefixtures("small_pictures")
@pytest.mark.parametrize("kind", ["sd", "xl", "klein", "qwen"])
def test_each_family_draws_every_task(folders: Callable[[str], Path], kind: str) -> None:
    backend = create("instruct_editor", name=kind, params={"source": str(folders(kind)), **SIZE})
    assert backend.unavailable() is None
    assert backend.spec.weights_bytes > 0
    assert len(backend.spec.weights_digest or "") == 64
    for task in sorted(backend.spec.tasks):
        asked = query(task, seed=4)
        (prediction,) = backend.predict([asked])
        assert prediction.drawing is not None
        assert prediction.drawing.shape[1:] == (64, 3)
        assert 0 <= prediction.evidence.signals["on_code_share"] <= 1
        assert backend.predict([asked]) == [prediction]
    backend.close()


def test_an_untuned_editor_is_found_out_by_the_router(folders: Callable[[str], Path]) -> None:
    """Random weights draw no depth; the limits on the code's own signals say so."""
    from visionrouter.schema.route import Limit

    backend = InstructEditor(str(folders("sd")), **SIZE)
    limits = {backend.spec.name: {Task.DEPTH: {"on_code_share": Limit(min=0.9)}}}
    with Router([backend], policy="safety-critical", limits=limits) as router:
        result = router.run(PHOTO, "depth map")
    assert not result.answered
    (attempt,) = result.decision.attempts
    assert attempt.weights_digest == backend.spec.weights_digest
    assert attempt.verdict.reason.value == "wrong_code"


def planted(monkeypatch: pytest.MonkeyPatch, drawing: Callable[[int, int], np.ndarray]) -> None:
    """The pipeline runs, and its picture is exchanged for a known one."""
    real = editors.draw

    def draw(pipeline: Any, canvases: Any, *rest: Any) -> Any:
        made, held_back = real(pipeline, canvases, *rest)
        height, width = made.shape[1:3]
        assert (height, width) == canvases[0].shape[:2]
        return np.stack([drawing(height, width).astype(np.float32) / 255] * len(made)), held_back

    monkeypatch.setattr(editors, "draw", draw)


def sphere(height: int, width: int) -> np.ndarray:
    """Normals of a ball that fills the picture: float (H, W, 3), +x right, +y up, +z to the viewer."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x + 0.5) / width * 1.3 - 0.65, 0.65 - (y + 0.5) / height * 1.3
    return np.stack([x, y, np.sqrt(1 - x**2 - y**2)], axis=-1)


def test_a_planted_depth_comes_back_in_metres(
    folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(monkeypatch, lambda h, w: DepthCode().encode(np.linspace(2, 6, h * w).reshape(h, w)))
    (prediction,) = InstructEditor(str(folders("sd")), **SIZE).predict([query(Task.DEPTH)])
    assert isinstance(prediction.payload, DepthMap)
    assert prediction.payload.unit == "m"
    assert 2 <= prediction.payload.values[0, 0] < 3.2
    assert 4.8 < prediction.payload.values[-1, -1] <= 6


def test_a_planted_gray_is_disparity_and_brighter_is_nearer(
    folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(monkeypatch, lambda h, w: GrayDepthCode().encode(np.linspace(0.1, 0.9, w)[None].repeat(h, 0)))
    backend = InstructEditor(str(folders("sd")), depth_code="grayscale", **SIZE)
    assert backend.spec.depth_unit == "disparity"
    (prediction,) = backend.predict([query(Task.DEPTH)])
    assert isinstance(prediction.payload, DepthMap)
    assert prediction.payload.unit == "disparity"
    assert prediction.payload.values[24, [1, -2]] == pytest.approx([0.11, 0.89], abs=0.03)
    assert prediction.evidence.signals["on_code_share"] == 1
    assert prediction.notes == ()


@pytest.mark.parametrize("axes", [PAPER_AXES, "+x+y+z", "+x-y-z"])
def test_a_planted_ball_has_its_normals_in_the_frame_of_results(
    folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, axes: str
) -> None:
    planted(monkeypatch, lambda h, w: NormalCode(axes).encode(sphere(h, w)))
    (prediction,) = InstructEditor(str(folders("sd")), normal_axes=axes, **SIZE).predict(
        [query(Task.NORMALS)]
    )
    assert isinstance(prediction.payload, NormalMap)
    values = prediction.payload.values
    assert values[24, 75, 0] > 0.5
    assert values[3, 40, 1] > 0.25
    assert values[24, 40, 2] > 0.99


def test_another_transformer_is_put_in_and_told_by_the_digest(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    from diffusers import Flux2Transformer2DModel

    torch.manual_seed(9)
    Flux2Transformer2DModel(**tiny.klein_transformer()).save_pretrained(tmp_path / "transformer")
    plain = InstructEditor(str(folders("klein")), **SIZE)
    tuned = InstructEditor(str(folders("klein")), transformer=str(tmp_path), **SIZE)
    assert plain.spec.weights_digest != tuned.spec.weights_digest
    (a,), (b,) = (backend.predict([query(Task.DEPTH)]) for backend in (plain, tuned))
    assert (a.drawing != b.drawing).any()
    with pytest.raises(BackendError, match="takes no other transformer"):
        InstructEditor(str(folders("sd")), transformer=str(tmp_path), **SIZE).load()


def test_votes_give_a_share_and_a_confidence_map(folders: Callable[[str], Path]) -> None:
    (prediction,) = InstructEditor(str(folders("sd")), votes=3, **SIZE).predict([query(Task.SEMANTIC)])
    assert 1 / 3 <= prediction.evidence.signals["vote_agreement"] <= 1
    assert prediction.evidence.confidence_map is not None


def test_a_prompt_that_the_pipeline_would_cut_is_refused(folders: Callable[[str], Path]) -> None:
    target = Target("person", " ".join(["the very red person"] * 40))
    with pytest.raises(UnsupportedTargetError, match="longer"):
        InstructEditor(str(folders("sd")), **SIZE).predict([query(Task.REFERRING, targets=(target,))])


def test_what_the_safety_checker_holds_back_is_a_refusal(
    folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = editors.draw
    monkeypatch.setattr(editors, "draw", lambda *given: (real(*given)[0], True))
    with pytest.raises(RefusedError, match="safety checker"):
        InstructEditor(str(folders("sd")), **SIZE).predict([query(Task.DEPTH)])


def test_nan_and_no_memory_are_typed(folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    backend = InstructEditor(str(folders("sd")), **SIZE)
    backend.load()
    with torch.no_grad():
        backend._model.pipeline.unet.conv_in.weight[0] = torch.nan
    with pytest.raises(BackendError, match="NaN"):
        backend.predict([query(Task.DEPTH)])

    def short(*given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(editors, "draw", short)
    with pytest.raises(ResourceError, match=r"out of memory.*try"):
        backend.predict([query(Task.DEPTH)])


def test_folders_of_other_models_or_cut_short_are_told(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="model_index"):
        InstructEditor(str(tmp_path), **SIZE).load()
    marigold = tiny.marigold("depth", tmp_path / "other")
    with pytest.raises(WeightsError, match=r"holds a MarigoldDepthPipeline.*Flux2KleinPipeline"):
        InstructEditor(str(marigold), **SIZE).load()
    for damage in ("missing", "shape"):
        broken = tmp_path / damage
        shutil.copytree(folders("sd"), broken)
        weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
        if damage == "missing":
            weights.unlink()
        else:
            config = broken / "unet" / "config.json"
            config.write_text(json.dumps({**json.loads(config.read_text()), "cross_attention_dim": 32}))
        with pytest.raises(WeightsError, match="does not load"):
            InstructEditor(str(broken), **SIZE).load()


def test_what_was_not_fetched_is_told_without_loading_anything() -> None:
    backend = create("instruct_editor", params={"source": "black-forest-labs/FLUX.2-klein-base-4B"})
    assert "visionrouter fetch black-forest-labs/FLUX.2-klein-base-4B" in str(backend.unavailable())
    assert backend.spec.licence == "Apache-2.0"
    assert [weights.source for weights in backend.sources()] == ["black-forest-labs/FLUX.2-klein-base-4B"]
    with pytest.raises(WeightsError, match="fetch"):
        backend.load()
    gated = create("instruct_editor", params={"source": "black-forest-labs/FLUX.2-klein-9B"})
    assert gated.spec.licence == "non-commercial"


@pytest.mark.parametrize("part", ["text_encoder", "unet", "vae"])
def test_a_weight_that_is_missing_is_not_made_up(
    folders: Callable[[str], Path], tmp_path: Path, part: str
) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(folders("sd"), broken)
    (weights,) = (broken / part).glob("*.safetensors")
    tensors = load_file(weights)
    del tensors[sorted(tensors)[len(tensors) // 2]]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=f"{part} lacks weights"):
        InstructEditor(str(broken), **SIZE).load()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"depth_code": "viridis"}, "paper or grayscale"),
        ({"normal_axes": "+x+x+z"}, "normal_axes"),
        ({"tasks": ["pose"]}, "cannot be drawn"),
        ({"tasks": []}, "none"),
        ({"votes": 0}, "1 or more"),
        ({"wording": {"depth": "{}"}}, "must hold"),
    ],
)
def test_a_wrong_parameter_is_told(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ProfileError, match=words):
        create("instruct_editor", params={"source": "a/b", **params})


def test_fewer_tasks_can_be_declared() -> None:
    backend = InstructEditor("a/b", tasks=["normals"])
    assert backend.spec.tasks == {Task.NORMALS}
    assert backend.spec.depth_unit is None


def test_half_precision_on_the_cpu(folders: Callable[[str], Path]) -> None:
    backend = InstructEditor(str(folders("sd")), precision="bfloat16", **SIZE)
    (prediction,) = backend.predict([query(Task.NORMALS)])
    assert isinstance(prediction.payload, NormalMap)
    assert backend._model.pipeline.unet.dtype == torch.bfloat16


@pytest.fixture(scope="module")
def adapter(folders: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LoRA weights for every attention of the tiny Stable Diffusion, as `save_lora_weights` lays them."""
    from diffusers import StableDiffusionInstructPix2PixPipeline
    from peft import LoraConfig, get_peft_model_state_dict

    folder = tmp_path_factory.mktemp("lora")
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(folders("sd"))
    torch.manual_seed(0)
    pipeline.unet.add_adapter(
        LoraConfig(
            r=4, lora_alpha=64, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v", "to_out.0"]
        )
    )
    layers = get_peft_model_state_dict(pipeline.unet)
    StableDiffusionInstructPix2PixPipeline.save_lora_weights(folder, unet_lora_layers=layers)
    return folder


def test_an_adapter_changes_what_is_drawn_and_is_told_by_the_digest(
    folders: Callable[[str], Path], adapter: Path
) -> None:
    plain = InstructEditor(str(folders("sd")), **SIZE)
    adapted = InstructEditor(str(folders("sd")), adapter=str(adapter), **SIZE)
    assert adapted.spec.weights_digest != plain.spec.weights_digest
    assert adapted.spec.weights_bytes > plain.spec.weights_bytes
    asked = query(Task.NORMALS, seed=3)
    without, with_it = (backend.predict([asked])[0].drawing for backend in (plain, adapted))
    assert without is not None
    assert with_it is not None
    assert np.abs(without.astype(int) - with_it.astype(int)).mean() > 1
    again = InstructEditor(str(folders("sd")), adapter=str(adapter), **SIZE).predict([asked])[0].drawing
    assert again is not None
    assert np.array_equal(again, with_it)


def test_an_adapter_of_another_model_is_told(
    folders: Callable[[str], Path], adapter: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    path = next(adapter.glob("*.safetensors"))
    wider = {name: torch.cat([value, value], 1) if "lora_A" in name or "down" in name else value
             for name, value in load_file(path).items()}  # fmt: skip
    foreign = {f"unet.no_such_block.{i}.to_q.{side}.weight": torch.zeros(4, 4)
               for i, side in enumerate(("lora.down", "lora.up"))}  # fmt: skip
    for number, weights in enumerate((wider, foreign)):
        folder = tmp_path / str(number)
        folder.mkdir()
        save_file(weights, folder / path.name)
        with pytest.raises(WeightsError, match="does not load as LoRA weights"):
            InstructEditor(str(folders("sd")), adapter=str(folder), **SIZE).load()


def test_an_adapter_without_its_library_names_the_extra(
    folders: Callable[[str], Path], adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"visionrouter\[tuning\]"):
        InstructEditor(str(folders("sd")), adapter=str(adapter), **SIZE).load()
