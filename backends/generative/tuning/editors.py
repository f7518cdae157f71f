"""A diffusers InstructPix2Pix pipeline (SD 1.5 or SDXL class) for training: LoRA adapters or the whole UNet.

Most samples are at the last timestep, to give the answer in one step (Garcia et al. 2025, arXiv 2409.11355), and
timesteps are spaced from the end ("trailing"). A pipeline with v-prediction is given zero
terminal SNR (Lin et al. 2024, arXiv 2305.08891), so that the last timestep sees nothing of the answer; with
epsilon-prediction the answer could not be told from pure noise, so its own last SNR stays.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import adaptive_avg_pool2d

from visionrouter.backends.generative.tuning.config import EditorModel
from visionrouter.schema.errors import MissingExtraError, RequestError, WeightsError

PIPELINES = ("StableDiffusionInstructPix2PixPipeline", "StableDiffusionXLInstructPix2PixPipeline")
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
OTHER_STEPS_WEIGHT = 0.4
"""Weight of the timesteps before the last."""


@dataclass(frozen=True)
class EditorTokenize:
    """Picklable words-to-tokens of every tokenizer of a pipeline, side by side."""

    folders: tuple[str, ...]

    def __call__(self, words: Sequence[str]) -> npt.NDArray[np.int32]:
        parts = []
        for folder in self.folders:
            tokenizer = _tokenizer(folder)
            longest = tokenizer.model_max_length
            encoded = tokenizer(list(words), padding="max_length", max_length=longest)["input_ids"]
            for text, tokens in zip(words, encoded, strict=True):
                if len(tokens) > longest:
                    raise RequestError(
                        f"'{text}' has {len(tokens)} tokens, over {longest}; shorten the class names"
                    )
            parts.append(np.asarray(encoded, np.int32))
        return np.concatenate(parts, axis=1)


@cache
def _tokenizer(folder: str) -> Any:
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder)


class EditorLearner:
    """The pipeline as the trainer sees it. Text encoders and VAE stay as they are."""

    def __init__(self, model: EditorModel, device: torch.device) -> None:
        """Read the pipeline. Raises `WeightsError` where the folder holds none of these pipelines, and
        `MissingExtraError` where LoRA is asked for without peft."""
        self.device = device
        self.dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        self.pipeline = read_pipeline(model.folder).to(device, self.dtype)
        self.unet, self.vae = self.pipeline.unet, self.pipeline.vae
        self.adapted = model.adapter_rank is not None
        for module in self._encoders():
            module.requires_grad_(False).eval()
        self.vae.requires_grad_(False).eval()
        if model.adapter_rank is not None:
            self.unet.requires_grad_(False)
            add_adapters(self.unet, model.adapter_rank)
        if device.type == "cuda":
            self.unet.enable_gradient_checkpointing()
        self.unet.train()
        self.scheduler = one_step_scheduler(self.pipeline.scheduler)
        self.signal = self.scheduler.alphas_cumprod.to(device)
        parts = [n for n in ("tokenizer", "tokenizer_2") if getattr(self.pipeline, n, None) is not None]
        self.tokenize = EditorTokenize(tuple(str(model.folder / part) for part in parts))

    def _encoders(self) -> list[Any]:
        names = ("text_encoder", "text_encoder_2")
        return [e for e in (getattr(self.pipeline, name, None) for name in names) if e is not None]

    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The adapters, or the whole UNet."""
        yield from ((name, p) for name, p in self.unet.named_parameters() if p.requires_grad)

    def compile(self) -> None:
        """Compile the UNet in place."""
        self.unet.compile()

    def loss(
        self,
        pictures: Tensor,
        tokens: Tensor,
        drawings: Tensor,
        weights: Tensor,
        last: Tensor,
        noise: torch.Generator,
    ) -> Tensor:
        """Squared error of what the model predicts, latents weighted by their pixels. At one timestep that is the
        answer's own error but for a factor."""
        with torch.no_grad():
            condition, answer = (
                self._latents(pictures),
                self._latents(drawings) * self.vae.config.scaling_factor,
            )
            text = self._read(tokens, pictures.shape[-2:])
        steps = len(self.signal)
        timestep = torch.randint(0, steps, (len(answer),), generator=noise, device=self.device)
        timestep = torch.where(last, steps - 1, timestep)
        start = torch.randn(answer.shape, generator=noise, device=self.device)
        keep = self.signal[timestep].view(-1, 1, 1, 1)
        noisy = keep.sqrt() * answer + (1 - keep).sqrt() * start
        predicted = self._predict(noisy, condition, timestep, text)
        velocity = self.scheduler.config.prediction_type == "v_prediction"
        wanted = keep.sqrt() * start - (1 - keep).sqrt() * answer if velocity else start
        error = (predicted - wanted) ** 2
        share = adaptive_avg_pool2d(weights, answer.shape[-2:])
        return (error * share).mean((1, 2, 3)) * torch.where(last, 1.0, OTHER_STEPS_WEIGHT)

    @torch.no_grad()
    def draw(self, pictures: Tensor, tokens: Tensor, steps: int = 1, seed: int = 0) -> Tensor:
        """Answers from noise that depends on the seed alone, without guidance."""
        condition = self._latents(pictures)
        generator = torch.Generator().manual_seed(seed)
        sample = torch.randn(condition.shape[1:], generator=generator).to(self.device).expand_as(condition)
        text = self._read(tokens, pictures.shape[-2:])
        self.scheduler.set_timesteps(steps, device=self.device)
        for timestep in self.scheduler.timesteps:
            predicted = self._predict(sample, condition, timestep, text)
            sample = self.scheduler.step(predicted, timestep, sample).prev_sample
        latents = (sample / self.vae.config.scaling_factor).to(self.dtype)
        drawn: Tensor = self.vae.decode(latents, return_dict=False)[0].float()
        return (drawn / 2 + 0.5).clamp(0, 1)

    def _latents(self, images: Tensor) -> Tensor:
        latents: Tensor = self.vae.encode((images * 2 - 1).to(self.dtype)).latent_dist.mode()
        return latents.float()

    def _read(self, tokens: Tensor, size: Sequence[int]) -> tuple[Tensor, dict[str, Tensor] | None]:
        """What the UNet is told of the words: their states, and for SDXL the pooled ones and the picture's size."""
        encoders = self._encoders()
        parts = tokens.chunk(len(self.tokenize.folders), dim=1)
        if self.unet.config.addition_embed_type != "text_time":
            return encoders[0](parts[0])[0], None
        outcomes = [
            encoder(part, output_hidden_states=True) for encoder, part in zip(encoders, parts, strict=True)
        ]
        states = torch.cat([outcome.hidden_states[-2] for outcome in outcomes], -1)
        height, width = size
        place = torch.tensor([[height, width, 0, 0, height, width]], dtype=states.dtype, device=self.device)
        return states, {"text_embeds": outcomes[-1][0], "time_ids": place.expand(len(tokens), -1)}

    def _predict(
        self,
        noisy: Tensor,
        condition: Tensor,
        timestep: Tensor,
        text: tuple[Tensor, dict[str, Tensor] | None],
    ) -> Tensor:
        joined = torch.cat([noisy, condition], 1).to(self.dtype)
        states, added = text
        out: Tensor = self.unet(joined, timestep, states, added_cond_kwargs=added, return_dict=False)[0]
        return out.float()

    def export(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """With adapters: `pytorch_lora_weights.safetensors`, which the pipeline's `load_lora_weights` reads, and
        scheduler/. Else the whole pipeline in fp16."""
        unet = copy.deepcopy(self.unet).float()
        unet.load_state_dict(weights, strict=False)
        unet.half()
        if self.adapted:
            from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
            from peft.utils import get_peft_model_state_dict

            layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
            self.pipeline.save_lora_weights(folder, unet_lora_layers=layers)
            self.scheduler.save_pretrained(folder / "scheduler")
            return
        parts = {
            name: part for name, part in self.pipeline.components.items() if name not in ("unet", "scheduler")
        }
        halved = {
            n: copy.deepcopy(p).half() if isinstance(p, torch.nn.Module) else p for n, p in parts.items()
        }
        whole = type(self.pipeline)(**halved, unet=unet, scheduler=self.scheduler)
        whole.save_pretrained(folder, safe_serialization=True)


def read_pipeline(folder: Path) -> Any:
    """The pipeline of a local folder. Raises `WeightsError`."""
    import diffusers

    index = folder / "model_index.json"
    try:
        name = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{index}: cannot be read ({error}); give a folder in diffusers' layout"
        ) from error
    if name not in PIPELINES:
        raise WeightsError(f"{folder}: holds a {name}; give one of {', '.join(PIPELINES)}")
    try:
        return getattr(diffusers, name).from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder}: cannot be loaded ({error}); download the whole pipeline") from error


def one_step_scheduler(scheduler: Any) -> DDIMScheduler:
    """A DDIM scheduler with the pipeline's noise levels, trailing timesteps, and zero terminal SNR if it predicts v."""
    velocity = scheduler.config.get("prediction_type", "epsilon") == "v_prediction"
    made: DDIMScheduler = DDIMScheduler.from_config(
        scheduler.config,
        timestep_spacing="trailing",
        rescale_betas_zero_snr=velocity,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=0,
    )
    return made


def add_adapters(unet: Any, rank: int) -> None:
    """LoRA (Hu et al. 2022, arXiv 2106.09685) on the attention of a UNet; the adapted model starts as the original."""
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise MissingExtraError("LoRA needs peft; pip install 'visionrouter[tuning]'") from error
    unet.add_adapter(
        LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(ATTENTION))
    )
