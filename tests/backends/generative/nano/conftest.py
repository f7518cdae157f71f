"""Vocabularies and pipelines small enough to make in a test, and the embedded weights where they are installed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from visionrouter.backends.generative.nano.backend import NanoBackend
from visionrouter.backends.generative.nano.folder import EMBEDDED, WeightsFolder
from visionrouter.backends.generative.nano.vocabulary import Vocabulary

NAMES = {
    "stuff": ["sky", "grass", "road"],
    "things": ["person", "car", "bus", "truck", "dog", "potted plant", "chair"],
    "colours": ["red", "green", "blue"],
}


@pytest.fixture
def vocabulary(tmp_path: Path) -> Vocabulary:
    """As a tuning run leaves it: names alone, words and joints being those of the package."""
    (tmp_path / "vocabulary.json").write_text(json.dumps(NAMES))
    return Vocabulary.read(WeightsFolder(tmp_path))


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Small networks on shared cores are many times faster with one thread than with two that wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def embedded(one_thread: None) -> Iterator[NanoBackend]:
    if not WeightsFolder(EMBEDDED).is_present:
        pytest.skip("the embedded weights are not installed")
    with NanoBackend(device="cpu") as backend:
        yield backend


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """Random weights of another shape than the embedded ones: patches of 2 pixels, two levels, 64 pixels."""
    import torch
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    from visionrouter.backends.generative.nano.pipeline import NanoPipeline

    folder = tmp_path_factory.mktemp("tiny")
    raw = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.train_from_iterator(
        ["depth map surface normals of every car, the red person = :"] * 3,
        trainers.BpeTrainer(
            end_of_word_suffix="</w>",
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            show_progress=False,
        ),
    )
    raw.model.save(str(folder))
    tokenizer = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=48, pad_token="<|endoftext|>"
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=32, in_channels=24, out_channels=12, block_out_channels=(32, 32), layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), mid_block_type="UNetMidBlock2DCrossAttn",
            cross_attention_dim=32, attention_head_dim=8, norm_num_groups=8,
        )  # fmt: skip
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                num_attention_heads=2, max_position_embeddings=48, projection_dim=32, bos_token_id=0, eos_token_id=1,
                pad_token_id=1,
            )
        )  # fmt: skip
    scheduler = DDIMScheduler(
        prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False,
        set_alpha_to_one=False,
    )  # fmt: skip
    NanoPipeline(unet, text, tokenizer, scheduler).save_pretrained(folder)
    return folder
