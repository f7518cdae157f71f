"""The pipeline on random weights of an unusual shape: what holds for any folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from visionrouter.backends.generative.nano.pipeline import NanoPipeline, load_pipeline

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), np.uint8)
PROMPTS = ["depth map", "the red car", "every person"]


@pytest.fixture(scope="module")
def pipeline(tiny_folder: Path) -> NanoPipeline:
    return load_pipeline(tiny_folder)


def test_sizes_come_from_the_folder(pipeline: NanoPipeline) -> None:
    assert (pipeline.patch, pipeline.stride, pipeline.working_size) == (2, 4, 64)
    assert pipeline.tokenizer.model_max_length == 48


def test_one_step_is_minus_the_velocity(pipeline: NanoPipeline) -> None:
    drawing = pipeline(IMAGES[:1], PROMPTS[:1], seeds=[5]).images[0]
    with torch.inference_mode():
        pixels = torch.from_numpy(IMAGES[:1]).permute(0, 3, 1, 2) / 255
        condition = pixel_unshuffle(pixels * 2 - 1, 2)
        noise = torch.randn(condition.shape, generator=torch.Generator().manual_seed(5))
        ids = pipeline.tokenizer(PROMPTS[:1], padding="max_length", max_length=48, return_tensors="pt")[
            "input_ids"
        ]
        text = pipeline.text_encoder(ids)[0]
        velocity = pipeline.unet(torch.cat([noise, condition], 1), 999, text).sample
        expected = (pixel_shuffle(-velocity, 2) / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0) * 255
    assert drawing.dtype == np.uint8
    assert np.abs(drawing - expected.numpy()).max() <= 0.51


def test_a_drawing_does_not_depend_on_its_batch(pipeline: NanoPipeline) -> None:
    together = pipeline(IMAGES, PROMPTS, seeds=[1, 2, 3]).images
    for i in range(3):
        alone = pipeline(IMAGES[i : i + 1], PROMPTS[i : i + 1], seeds=[i + 1]).images[0]
        assert np.abs(together[i].astype(int) - alone).max() <= 1


def test_seed_words_and_image_matter_and_nothing_else(pipeline: NanoPipeline) -> None:
    def draw(image: int = 0, prompt: int = 0, seed: int = 0) -> bytes:
        return bytes(pipeline(IMAGES[image][None], [PROMPTS[prompt]], seeds=[seed]).images)

    torch.manual_seed(1)
    first = draw()
    torch.manual_seed(2)
    assert draw() == first
    assert len({first, draw(image=1), draw(prompt=1), draw(seed=1)}) == 4


def test_tensors_and_arrays_are_the_same(pipeline: NanoPipeline) -> None:
    tensor = torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255
    assert (pipeline(tensor, PROMPTS).images == pipeline(IMAGES, PROMPTS).images).all()


def test_half_precision_draws_nearly_the_same(tiny_folder: Path, pipeline: NanoPipeline) -> None:
    half = load_pipeline(tiny_folder, dtype=torch.bfloat16)
    assert half.unet.dtype == half.text_encoder.dtype == torch.bfloat16
    differ = half(IMAGES, PROMPTS).images.astype(int) - pipeline(IMAGES, PROMPTS).images
    assert np.abs(differ).mean() < 2


def test_several_steps_differ_from_one(pipeline: NanoPipeline) -> None:
    one, four = (pipeline(IMAGES, PROMPTS, num_inference_steps=n).images for n in (1, 4))
    assert (one != four).any()


@pytest.mark.parametrize(
    ("images", "prompts", "match"),
    [
        (IMAGES[:, :30], PROMPTS, "multiples of 4"),
        (IMAGES[:2], PROMPTS, "2 images, 3 prompts"),
        (IMAGES.astype(np.float32), PROMPTS, "uint8"),
        (IMAGES[0], PROMPTS, "uint8"),
        (IMAGES[:1], ["the red car " * 30], "tokens"),
    ],
)
def test_what_it_cannot_draw_is_refused(
    pipeline: NanoPipeline, images: np.ndarray, prompts: list[str], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        pipeline(images, prompts)


def test_nan_is_never_drawn(tiny_folder: Path) -> None:
    broken = load_pipeline(tiny_folder)
    with torch.no_grad():
        broken.unet.conv_out.bias[3] = torch.nan
    with pytest.raises(FloatingPointError, match="NaN"):
        broken(IMAGES, PROMPTS)


def test_it_is_a_diffusers_pipeline(pipeline: NanoPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    again = NanoPipeline.from_pretrained(tmp_path, local_files_only=True, low_cpu_mem_usage=False)
    differ = again(IMAGES, PROMPTS).images.astype(int) - pipeline(IMAGES, PROMPTS).images
    assert np.abs(differ).max() <= 1  # by the order of sums: the one is channels-last
    assert set(again.components) == {"unet", "text_encoder", "tokenizer", "scheduler"}


def test_a_unet_of_the_wrong_channels_is_refused(pipeline: NanoPipeline) -> None:
    unet = UNet2DConditionModel(
        in_channels=24, out_channels=24, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
        mid_block_type=None,
    )  # fmt: skip
    with pytest.raises(ValueError, match="24 output channels"):
        NanoPipeline(unet, pipeline.text_encoder, pipeline.tokenizer, pipeline.scheduler)


def test_loading_says_nothing(tiny_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_pipeline(tiny_folder)
    assert capfd.readouterr() == ("", "")
