"""Diffusion pipelines to measure, with random weights: SDXL InstructPix2Pix and Marigold, each drawing in one step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visionrouter.backends.generative.instructed.wording import PAPER
from visionrouter.backends.generative.tuning.words import make_tokenizer
from visionrouter.benchmarks.backends.builders import Builder
from visionrouter.schema.task import Task

LONGEST = 77


def sdxl_instruct_pix2pix(folder: Path, tiny: bool) -> dict[str, Any]:
    import diffusers as hf
    import transformers

    wide = 16 if tiny else 2048
    unet = hf.UNet2DConditionModel(
        in_channels=8, out_channels=4, cross_attention_dim=wide, use_linear_projection=True,
        addition_embed_type="text_time",
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        **(
            {
                "sample_size": 8, "block_out_channels": (8, 8, 16), "layers_per_block": 1, "norm_num_groups": 4,
                "attention_head_dim": (1, 2, 2), "addition_time_embed_dim": 8,
                "projection_class_embeddings_input_dim": 6 * 8 + 8,
            }
            if tiny
            else {
                "sample_size": 128, "block_out_channels": (320, 640, 1280), "attention_head_dim": (5, 10, 20),
                "transformer_layers_per_block": (1, 2, 10), "addition_time_embed_dim": 256,
                "projection_class_embeddings_input_dim": 6 * 256 + 1280,
            }
        ),
    )  # fmt: skip
    small, large = (
        (_text(8, 1, 2, 8), _text(8, 1, 2, 8))
        if tiny
        else (_text(768, 12, 12, 768), _text(1280, 32, 20, 1280))
    )
    tokenizer = _tokenizer(folder)
    pipeline = hf.StableDiffusionXLInstructPix2PixPipeline(
        vae=_autoencoder(tiny, 0.13025), unet=unet, tokenizer=tokenizer, tokenizer_2=tokenizer,
        text_encoder=transformers.CLIPTextModel(small),
        text_encoder_2=transformers.CLIPTextModelWithProjection(large),
        scheduler=hf.EulerDiscreteScheduler(timestep_spacing="trailing"),
    )  # fmt: skip
    _save(pipeline, folder)
    side = {"long_side": 64} if tiny else {}
    return {"source": str(folder / "pipeline"), "steps": 1, "guidance": 1.0, **side}


def marigold_depth(folder: Path, tiny: bool) -> dict[str, Any]:
    import diffusers as hf
    import transformers

    unet = hf.UNet2DConditionModel(
        in_channels=8, out_channels=4, use_linear_projection=True,
        **(
            {
                "sample_size": 8, "block_out_channels": (8, 8, 16, 16), "layers_per_block": 1, "norm_num_groups": 4,
                "attention_head_dim": (1, 1, 2, 2), "cross_attention_dim": 8,
            }
            if tiny
            else {"sample_size": 96, "attention_head_dim": (5, 10, 20, 20), "cross_attention_dim": 1024}
        ),
    )  # fmt: skip
    pipeline = hf.MarigoldDepthPipeline(
        vae=_autoencoder(tiny, 0.18215), unet=unet, tokenizer=_tokenizer(folder),
        text_encoder=transformers.CLIPTextModel(_text(8, 1, 2, 8) if tiny else _text(1024, 23, 16, 1024)),
        scheduler=hf.DDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing"),
        prediction_type="depth", default_denoising_steps=1, default_processing_resolution=64 if tiny else 768,
    )  # fmt: skip
    _save(pipeline, folder)
    return {"source": str(folder / "pipeline"), "noise": "zeros"}


def _text(width: int, layers: int, heads: int, projection: int) -> Any:
    import transformers

    return transformers.CLIPTextConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=heads,
        projection_dim=projection, max_position_embeddings=LONGEST, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip


def _autoencoder(tiny: bool, scaling: float) -> Any:
    import diffusers as hf

    size = {"layers_per_block": 1, "norm_num_groups": 4} if tiny else {"layers_per_block": 2}
    return hf.AutoencoderKL(
        block_out_channels=(4, 4, 8, 8) if tiny else (128, 256, 512, 512), latent_channels=4, scaling_factor=scaling,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, force_upcast=False,
        **size,
    )  # fmt: skip


def _tokenizer(folder: Path) -> Any:
    return make_tokenizer([PAPER[Task.DEPTH]], LONGEST, folder / "words")


def _save(pipeline: Any, folder: Path) -> None:
    """In half precision: a benchmark's disk holds no more than it must."""
    import torch

    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.to(torch.float16)
    pipeline.save_pretrained(folder / "pipeline", safe_serialization=True)


PIPELINES: dict[str, Builder] = {
    "SDXL InstructPix2Pix, 1 step": Builder("instruct_editor", Task.DEPTH, sdxl_instruct_pix2pix),
    "Marigold depth, 1 step": Builder("marigold", Task.DEPTH, marigold_depth),
}
"""Rows of the benchmark."""
