"""The editors that can be told to draw, and how each of them is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from visionrouter.backends.placement import Precision
from visionrouter.schema.arrays import U8


@dataclass(frozen=True, slots=True)
class Family:
    """How one of diffusers' pipelines is run where the user leaves it open.

    `steps` of the sampler; `guidance` by the words; `image_guidance` by the picture, None where the pipeline has none.
    `long_side`: of the canvas, pixels. `stride`: of its sides, in latent pixels. `half`: the precision off the CPU.
    `tokens`: the longest prompt. `classes`: most of one palette. `batches`: whether one call takes several pictures.
    """

    steps: int
    guidance: float
    image_guidance: float | None
    long_side: int
    stride: int
    half: Precision
    tokens: int
    classes: int
    batches: bool = False


FAMILIES: Mapping[str, Family] = {
    "StableDiffusionInstructPix2PixPipeline": Family(20, 7.5, 1.5, 512, 8, "float16", 77, 5, batches=True),
    "StableDiffusionXLInstructPix2PixPipeline": Family(20, 5.0, 1.5, 768, 8, "float16", 77, 5, batches=True),
    "Flux2KleinPipeline": Family(28, 4.0, None, 1024, 2, "bfloat16", 480, 12),
    "QwenImageEditPlusPipeline": Family(40, 4.0, None, 1024, 2, "bfloat16", 960, 12),
}
"""By the class that `model_index.json` names."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Steps and guidance as they are run."""

    steps: int
    guidance: float
    image_guidance: float | None


def draw(
    pipeline: Any, canvases: Sequence[U8], prompts: Sequence[str], seeds: Sequence[int], sampling: Sampling
) -> tuple[npt.NDArray[np.float32], bool]:
    """One drawing a canvas: float32 (B, H, W, 3) in [0, 1], and whether the model's safety checker held any back.

    `canvases`: uint8 (H, W, 3) of one size, several only for a family that `batches`. Noise is drawn on the CPU by each
    drawing's own seed, so that it depends neither on the batch nor on the device.
    """
    import torch

    name = type(pipeline).__name__
    images = [Pillow.fromarray(canvas) for canvas in canvases]
    height, width = canvases[0].shape[:2]
    options: dict[str, Any] = {"num_inference_steps": sampling.steps, "output_type": "np"}
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    if name == "Flux2KleinPipeline":
        options |= {"image": images[0], "prompt": prompts[0], "generator": generators[0]}
        options |= {"guidance_scale": sampling.guidance, "height": height, "width": width}
    elif name == "QwenImageEditPlusPipeline":
        negative = " " if sampling.guidance > 1 else None
        options |= {
            "image": images,
            "prompt": prompts[0],
            "generator": generators[0],
            "negative_prompt": negative,
        }
        options |= {"true_cfg_scale": sampling.guidance, "height": height, "width": width}
    else:
        options |= {"image": images, "prompt": list(prompts), "generator": generators}
        options |= {"guidance_scale": sampling.guidance, "image_guidance_scale": sampling.image_guidance}
        if "XL" in name:
            options |= {"height": height, "width": width}
    with torch.inference_mode():
        made = pipeline(**options)
    held_back = any(getattr(made, "nsfw_content_detected", None) or ())
    return np.asarray(made.images, np.float32), held_back
