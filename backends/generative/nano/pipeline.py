"""The nano backbone as a diffusers pipeline: an image and an instruction in, an RGB drawing out.

There is no autoencoder. The UNet sees the image as patches (`pixel_unshuffle`) beside the noise, and its output is
folded back (`pixel_shuffle`), so that colours come out as exactly as the UNet makes them. Trained with v-prediction at
zero terminal SNR (Lin et al., arXiv:2305.08891) and trailing timesteps (Garcia et al., arXiv:2409.11355), it draws in
one step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.utils.outputs import BaseOutput
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

from visionrouter.backends.generative.pretrained import quiet


@dataclass
class NanoPipelineOutput(BaseOutput):  # type: ignore[misc]
    """`images`: uint8 (B, H, W, 3), the drawings."""

    images: npt.NDArray[np.uint8]


class NanoPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Instruction-tuned image-to-image drawing on pixel patches.

    Everything that a retrained model may change is read from its folder: the patch from the UNet's channels, the
    working size from its `sample_size`, the longest prompt from the tokenizer.
    """

    model_cpu_offload_seq = "text_encoder->unet"

    def __init__(
        self,
        unet: UNet2DConditionModel,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        scheduler: DDIMScheduler,
    ) -> None:
        super().__init__()
        channels = unet.config.out_channels
        patch = math.isqrt(channels // 3)
        if 3 * patch * patch != channels or unet.config.in_channels != 2 * channels:
            raise ValueError(
                f"the UNet has {unet.config.in_channels} input and {channels} output channels; "
                "a patch of p x p pixels needs 6p² and 3p²"
            )
        self.register_modules(unet=unet, text_encoder=text_encoder, tokenizer=tokenizer, scheduler=scheduler)

    @property
    def patch(self) -> int:
        """Side of a patch, pixels."""
        return math.isqrt(self.unet.config.out_channels // 3)

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this many pixels."""
        return self.patch * int(2 ** (len(self.unet.config.block_out_channels) - 1))

    @property
    def working_size(self) -> int:
        """Side of the square images the model was tuned on, pixels."""
        return self.patch * int(self.unet.config.sample_size)

    def tokens(self, prompt: str) -> int:
        """Number of tokens of a prompt, its start and end marks included."""
        return len(self.tokenizer(prompt)["input_ids"])

    @torch.inference_mode()
    def __call__(
        self,
        images: npt.NDArray[np.uint8] | torch.Tensor,
        prompts: Sequence[str],
        num_inference_steps: int = 1,
        seeds: Sequence[int] | None = None,
    ) -> NanoPipelineOutput:
        """Draw one answer an image.

        `images`: uint8 (B, H, W, 3) RGB, or a float tensor (B, 3, H, W) in [0, 1]; sides multiples of `stride`.
        `prompts`: B instructions of at most `tokenizer.model_max_length` tokens. `seeds`: B seeds of the starting
        noise (default 0), drawn on the CPU image by image, so that a drawing depends neither on its batch nor on the
        device. Raises `ValueError` for other shapes or a prompt that is too long.
        """
        pixels = self._pixels(images)
        batch = len(pixels)
        seeds = [0] * batch if seeds is None else seeds
        if len(prompts) != batch or len(seeds) != batch:
            raise ValueError(
                f"{batch} images, {len(prompts)} prompts and {len(seeds)} seeds; give as many of each"
            )
        text = self._encode(prompts)
        condition = pixel_unshuffle(pixels * 2 - 1, self.patch)
        sample = torch.stack(
            [
                torch.randn(condition.shape[1:], generator=torch.Generator().manual_seed(seed))
                for seed in seeds
            ]
        ).to(condition)
        self.scheduler.set_timesteps(num_inference_steps, device=self.device)
        # The last step's prediction is the drawing: `prev_sample` holds 3 % of noise still, since the schedule's own
        # first timestep is not free of it.
        for timestep in self.scheduler.timesteps:
            model_input = torch.cat([sample, condition], 1).to(memory_format=torch.channels_last)
            velocity = self.unet(model_input, timestep, text).sample
            step = self.scheduler.step(velocity.float(), timestep, sample.float())
            sample = step.prev_sample.to(condition)
        drawing = pixel_shuffle(step.pred_original_sample, self.patch) / 2 + 0.5
        if not torch.isfinite(drawing).all():
            raise FloatingPointError("the UNet gave NaN or infinite values; check its weights and dtype")
        levels = (drawing.clamp(0, 1) * 255).round().to(torch.uint8)
        return NanoPipelineOutput(images=levels.permute(0, 2, 3, 1).contiguous().cpu().numpy())

    def _pixels(self, images: npt.NDArray[np.uint8] | torch.Tensor) -> torch.Tensor:
        if isinstance(images, np.ndarray):
            if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
                raise ValueError(f"images are uint8 (B, H, W, 3), got {images.dtype} {images.shape}")
            images = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2) / 255
        height, width = images.shape[2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"images of {width}x{height} pixels; sides must be multiples of {self.stride}")
        return images.to(self.device, self.unet.dtype)

    def _encode(self, prompts: Sequence[str]) -> torch.Tensor:
        longest = self.tokenizer.model_max_length
        ids = self.tokenizer(list(prompts), padding="max_length", max_length=longest, return_tensors="pt")[
            "input_ids"
        ]
        if ids.shape[1] > longest:
            raise ValueError(f"a prompt has {ids.shape[1]} tokens, the longest the model reads has {longest}")
        states: torch.Tensor = self.text_encoder(ids.to(self.device))[0]
        return states


def load_pipeline(
    folder: Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> NanoPipeline:
    """The pipeline of a folder of weights, in evaluation mode, without a word on stderr."""
    with quiet():
        pipeline: NanoPipeline = NanoPipeline.from_pretrained(
            folder, local_files_only=True, low_cpu_mem_usage=False
        )
        pipeline.unet.to(device, dtype, memory_format=torch.channels_last).eval()
        pipeline.text_encoder.to(device, dtype).eval()
    return pipeline
