"""Diffusers pipelines of the real architectures at tiny size, with random weights, saved as the hub has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    MarigoldDepthPipeline,
    MarigoldIntrinsicsPipeline,
    MarigoldNormalsPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLInstructPix2PixPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from visionrouter.backends.generative.nano.prompts import corpus
from visionrouter.backends.generative.tuning.words import make_tokenizer
from visionrouter.schema.palette import NAMED_COLOURS

LONGEST, WIDTH = 77, 16
SPECIAL = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def text_parts(folder: Path) -> tuple[Any, CLIPTextConfig]:
    words = corpus(("sky", "floor", "person", "car", "cup"), (*NAMED_COLOURS, "red"))
    tokenizer = make_tokenizer(words, LONGEST, folder / "words")
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=LONGEST, projection_dim=WIDTH, bos_token_id=0,
        eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    return tokenizer, config


def unet(**more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=4, attention_head_dim=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), **{"in_channels": 8, "out_channels": 4, "cross_attention_dim": WIDTH, **more},
    )  # fmt: skip


def autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip


def editor(kind: str, prediction: str, folder: Path) -> Path:
    """InstructPix2Pix: "sd" or "xl"."""
    torch.manual_seed(0)
    tokenizer, text = text_parts(folder)
    scheduler = EulerDiscreteScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type=prediction
    )
    parts = {
        "vae": autoencoder(),
        "tokenizer": tokenizer,
        "scheduler": scheduler,
        "text_encoder": CLIPTextModel(text),
    }
    if kind == "sd":
        pipeline: Any = StableDiffusionInstructPix2PixPipeline(
            **parts, unet=unet(), safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    else:
        wide = unet(
            cross_attention_dim=2 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        )  # fmt: skip
        pipeline = StableDiffusionXLInstructPix2PixPipeline(
            **parts, unet=wide, text_encoder_2=CLIPTextModelWithProjection(text), tokenizer_2=tokenizer
        )
    return saved(pipeline, folder)


def marigold(draws: str, folder: Path, prediction_type: str | None = None) -> Path:
    torch.manual_seed(0)
    tokenizer, text = text_parts(folder)
    cls = MarigoldDepthPipeline if draws == "depth" else MarigoldNormalsPipeline
    pipeline = cls(
        unet=unet(), vae=autoencoder(), scheduler=DDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing"),
        text_encoder=CLIPTextModel(text), tokenizer=tokenizer, prediction_type=prediction_type or draws,
        default_denoising_steps=1, default_processing_resolution=64,
    )  # fmt: skip
    return saved(pipeline, folder)


COLOUR, ENCODED, NUMBER = (
    {"prediction_space": "linear", "up_to_scale": False},
    {"prediction_space": "srgb"},
    {"prediction_space": "linear", "up_to_scale": False},
)
TARGETS: dict[str, dict[str, Any]] = {
    "appearance": {
        "target_names": ["albedo", "material"],
        "albedo": ENCODED,
        "material": {"prediction_space": "stack", "sub_target_names": ["roughness", "metallicity", None]},
        "roughness": NUMBER,
        "metallicity": NUMBER,
    },
    "lighting": {
        "target_names": ["albedo", "shading", "residual"],
        "albedo": COLOUR,
        "shading": {**COLOUR, "up_to_scale": True},
        "residual": {**COLOUR, "up_to_scale": True},
    },
}
"""As the two checkpoints of Marigold's intrinsics are laid out."""


def marigold_intrinsics(properties: dict[str, Any] | None, pictures: int, folder: Path) -> Path:
    """Weights that draw so many pictures, and say so much of them."""
    torch.manual_seed(0)
    tokenizer, text = text_parts(folder)
    pipeline = MarigoldIntrinsicsPipeline(
        unet=unet(in_channels=4 * (1 + pictures), out_channels=4 * pictures), vae=autoencoder(),
        scheduler=DDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing"),
        text_encoder=CLIPTextModel(text), tokenizer=tokenizer, prediction_type="intrinsics",
        target_properties=properties, default_denoising_steps=1, default_processing_resolution=64,
    )  # fmt: skip
    return saved(pipeline, folder)


def tiny_vae(folder: Path) -> Path:
    AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1), latent_channels=4,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def klein(folder: Path) -> Path:
    """FLUX.2 klein."""
    from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    tokenizer = chat_tokenizer()
    text = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=28,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=1024,
    )  # fmt: skip
    vae = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4,
        block_out_channels=(8, 8), layers_per_block=1, latent_channels=4, sample_size=32,
    )  # fmt: skip
    pipeline = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=Qwen3ForCausalLM(text), tokenizer=tokenizer,
        transformer=Flux2Transformer2DModel(**klein_transformer()), is_distilled=True,
    )  # fmt: skip
    return saved(pipeline, folder)


def klein_transformer() -> dict[str, Any]:
    return {
        "patch_size": 1, "in_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16,
        "num_attention_heads": 2, "joint_attention_dim": 3 * WIDTH, "timestep_guidance_channels": 16,
        "axes_dims_rope": (4, 4, 4, 4), "guidance_embeds": False,
    }  # fmt: skip


def qwen(folder: Path) -> Path:
    """Qwen-Image-Edit."""
    from diffusers import AutoencoderKLQwenImage, QwenImageEditPlusPipeline, QwenImageTransformer2DModel
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    torch.manual_seed(0)
    tokenizer = chat_tokenizer()
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2], "rope_type": "default"},
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16,
            "patch_size": 14, "spatial_merge_size": 2, "window_size": 112, "fullatt_block_indexes": [0],
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(), tokenizer=tokenizer, video_processor=Qwen2VLVideoProcessor()
    )
    vae = AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 1], num_res_blocks=1, temperal_downsample=[False],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip
    transformer = QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=1,
        joint_attention_dim=16, axes_dims_rope=(4, 6, 6),
    )  # fmt: skip
    pipeline = QwenImageEditPlusPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, tokenizer=tokenizer, processor=processor,
        text_encoder=Qwen2_5_VLForConditionalGeneration(config), transformer=transformer,
    )  # fmt: skip
    return saved(pipeline, folder)


def chat_tokenizer() -> Any:
    """A byte-level Qwen2 tokenizer without merges."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2TokenizerFast

    vocabulary = {word: i for i, word in enumerate([*sorted(ByteLevel.alphabet()), *SPECIAL])}
    tokenizer = Qwen2TokenizerFast(
        vocab=vocabulary,
        merges=[],
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    tokenizer.chat_template = CHAT
    return tokenizer


def saved(pipeline: Any, folder: Path) -> Path:
    pipeline.save_pretrained(folder / "pipeline", safe_serialization=True)
    return folder / "pipeline"


BUILDERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "instruct_editor": lambda folder: {
        "source": str(editor("sd", "epsilon", folder)),
        "steps": 1,
        "long_side": 64,
    },
    "marigold": lambda folder: {
        "source": str(marigold("depth", folder)),
        "ensemble": 3,
        "licence": "Apache-2.0",
    },
}
"""Params of a backend by its registered name."""
FURTHER: dict[str, Callable[[Path], dict[str, Any]]] = {
    "marigold_intrinsics": lambda folder: {
        "source": str(marigold_intrinsics(TARGETS["appearance"], 2, folder)),
        "draws": "intrinsics",
        "ensemble": 3,
        "licence": "Apache-2.0",
    },
}
"""Params of a backend whose weights do something else than those in `BUILDERS`."""
