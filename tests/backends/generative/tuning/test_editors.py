"""Tiny random editing pipelines are tuned, exported and loaded again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_pipelines import editor

from visionrouter.backends.generative.nano.codes import JOINT_COLOURS
from visionrouter.backends.generative.tuning.bank import Bank, Triplets
from visionrouter.backends.generative.tuning.config import EditorModel, Stage, TuningConfig
from visionrouter.backends.generative.tuning.editors import EditorLearner
from visionrouter.backends.generative.tuning.labelled import Source
from visionrouter.backends.generative.tuning.run import tune
from visionrouter.schema.errors import WeightsError

CPU = torch.device("cpu")
JOINTS = torch.tensor(JOINT_COLOURS, dtype=torch.uint8)


CASES = [
    ("sd", "epsilon", 4),
    ("sd", "v_prediction", None),
    ("xl", "v_prediction", 4),
    ("xl", "epsilon", None),
]


@pytest.fixture(scope="module", params=CASES, ids=["-".join(map(str, case)) for case in CASES])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EditorModel:
    torch.set_num_threads(1)
    kind, prediction, rank = request.param
    folder = editor(kind, prediction, tmp_path_factory.mktemp(kind))
    return EditorModel(folder=folder, adapter_rank=rank)


def batch(source: Source, learner: EditorLearner, config: TuningConfig) -> Triplets:
    bank = Bank.fill(source, 0, 8, config, learner.tokenize, JOINTS, CPU)
    return bank.batch(0, Stage(size=32, batch=8))


def loss_of(learner: EditorLearner, some: Triplets) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    last = torch.arange(len(some.pictures)) % 2 == 0
    return learner.loss(some.pictures, some.tokens, some.drawings, some.weights, last, noise)


def test_loss_falls_and_what_is_exported_draws_the_same(
    model: EditorModel, boxes: Source, tiny: TuningConfig, tmp_path: Path
) -> None:
    learner = EditorLearner(model, CPU)
    some = batch(boxes, learner, tiny)
    before = learner.draw(some.pictures[:2], some.tokens[:2])
    start = loss_of(learner, some).mean().item()
    optimiser = torch.optim.Adam([p for _, p in learner.parameters()], 2e-2 if learner.adapted else 2e-3)
    for _ in range(20):
        optimiser.zero_grad()
        loss_of(learner, some).mean().backward()
        optimiser.step()
    assert loss_of(learner, some).mean().item() < 0.95 * start
    drawn = learner.draw(some.pictures[:2], some.tokens[:2])
    assert not torch.allclose(drawn, before, atol=1e-3)

    learner.export(tmp_path, {name: p.detach() for name, p in learner.parameters()})
    again = EditorLearner(
        EditorModel(folder=model.folder if learner.adapted else tmp_path, adapter_rank=None), CPU
    )
    if learner.adapted:
        assert (tmp_path / "pytorch_lora_weights.safetensors").is_file()
        again.pipeline.load_lora_weights(str(tmp_path))
    again.unet.eval()
    torch.testing.assert_close(again.draw(some.pictures[:2], some.tokens[:2]), drawn, atol=5e-3, rtol=0)


def test_the_pipeline_itself_draws_what_the_learner_draws(
    model: EditorModel, boxes: Source, tiny: TuningConfig
) -> None:
    """One step of diffusers' own pipeline from the same noise, without guidance."""
    learner = EditorLearner(model, CPU)
    some = batch(boxes, learner, tiny)
    words = "depth map"
    tokens = torch.from_numpy(learner.tokenize([words])).long()
    expected = learner.draw(some.pictures[:1], tokens)
    pipeline = learner.pipeline
    pipeline.scheduler = learner.scheduler
    pipeline.set_progress_bar_config(disable=True)
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    sized = {} if "XL" not in type(pipeline).__name__ else {"height": 32, "width": 32}
    drawn = pipeline(
        words, image=some.pictures[:1], num_inference_steps=1, guidance_scale=1.0, image_guidance_scale=1.0,
        latents=latents, output_type="pt", **sized,
    ).images  # fmt: skip
    torch.testing.assert_close(drawn, expected, atol=2e-3, rtol=0)


def test_last_timestep_of_v_prediction_sees_nothing_of_the_answer(model: EditorModel) -> None:
    learner = EditorLearner(model, CPU)
    predicts_v = learner.scheduler.config.prediction_type == "v_prediction"
    assert (float(learner.signal[-1]) == 0) == predicts_v
    learner.scheduler.set_timesteps(1)
    assert learner.scheduler.timesteps.tolist() == [999]


def test_the_trainer_tunes_it(boxes: Source, tiny: TuningConfig, tmp_path: Path) -> None:
    model = EditorModel(folder=editor("sd", "epsilon", tmp_path), adapter_rank=2)
    stages = (Stage(size=32, batch=6),)
    config = tiny.model_copy(
        update={"model": model, "steps": 2, "stages": stages, "pictures": 4, "held_out": 4}
    )
    folder = tune(boxes, config, tmp_path / "run", device="cpu")
    assert folder is not None
    assert (folder / "pytorch_lora_weights.safetensors").is_file()
    assert (folder / "digests.json").is_file()


def test_another_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        EditorLearner(EditorModel(folder=tmp_path), CPU)
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(WeightsError, match="holds a FluxPipeline"):
        EditorLearner(EditorModel(folder=tmp_path), CPU)


def test_words_keep_their_tokens_in_the_bank(boxes: Source, tiny: TuningConfig) -> None:
    """CLIP's own vocabulary has more words than int16 counts."""

    def tokenize(words: list[str]) -> np.ndarray:
        return np.full((len(words), 3), 49407, np.int32)

    bank = Bank.fill(boxes, 0, 4, tiny, tokenize, JOINTS, CPU)
    assert (bank.batch(0, Stage(size=32, batch=4)).tokens == 49407).all()
