"""The nano model for training: a UNet on pixel patches, a small text encoder, v-prediction at zero terminal SNR."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

from visionrouter.backends.generative.nano.prompts import MAX_TOKENS, corpus
from visionrouter.backends.generative.tuning.channels_last import use_channels_last
from visionrouter.backends.generative.tuning.config import NanoModel
from visionrouter.backends.generative.tuning.labelled import Vocabulary
from visionrouter.backends.generative.tuning.words import make_tokenizer
from visionrouter.schema.errors import WeightsError
from visionrouter.schema.palette import NAMED_COLOURS


def make_unet(model: NanoModel, size: int) -> UNet2DConditionModel:
    """The UNet. Levels that read words attend to themselves and to the words; the finest of them, where there are
    more than two, attends to the words alone, which costs little."""
    levels = len(model.channels)
    reads = [level >= levels - model.text_levels for level in range(levels)]
    words_only = [model.text_levels > 2 and level == levels - model.text_levels for level in range(levels)]
    values = 3 * model.patch**2
    return UNet2DConditionModel(
        sample_size=size // model.patch,
        in_channels=2 * values,
        out_channels=values,
        block_out_channels=model.channels,
        layers_per_block=2,
        down_block_types=tuple("CrossAttnDownBlock2D" if r else "DownBlock2D" for r in reads),
        up_block_types=tuple("CrossAttnUpBlock2D" if r else "UpBlock2D" for r in reversed(reads)),
        mid_block_type="UNetMidBlock2DCrossAttn",
        only_cross_attention=tuple(words_only),
        cross_attention_dim=model.text_width,
        attention_head_dim=8,
        norm_num_groups=model.norm_groups,
    )


def make_text_encoder(model: NanoModel, words: int) -> CLIPTextModel:
    """The text encoder."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=words,
            hidden_size=model.text_width,
            intermediate_size=3 * model.text_width,
            num_hidden_layers=model.text_layers,
            num_attention_heads=4,
            max_position_embeddings=MAX_TOKENS,
            projection_dim=model.text_width,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )


def make_scheduler() -> DDIMScheduler:
    """Zero terminal SNR (arXiv 2305.08891), trailing timesteps (arXiv 2409.11355)."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=False,
    )


def warm_start(unet: UNet2DConditionModel, folder: Path) -> None:
    """Copy a UNet's weights; attention that it lacks starts as the identity. Raises `WeightsError` where a weight
    has no place or another shape. Reads fp16, or int8 with a scale a row (`<name>.scale`)."""
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; give a folder with unet/ in diffusers' layout")
    stored = load_file(path)
    weights = {
        name: value.float() * stored[f"{name}.scale"].float() if f"{name}.scale" in stored else value.float()
        for name, value in stored.items()
        if not name.endswith(".scale")
    }
    fresh = [name for name in unet.state_dict() if name not in weights]
    with torch.no_grad():
        for name, value in unet.state_dict().items():
            if name in fresh and ".proj_out." in name:
                value.zero_()
    try:
        outcome = unet.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise WeightsError(f"{path}: does not fit the model: {error}") from error
    foreign = outcome.unexpected_keys + [name for name in outcome.missing_keys if ".attentions." not in name]
    if foreign:
        raise WeightsError(
            f"{path}: does not fit the model at {', '.join(foreign[:5])}; use the same channels"
        )


@dataclass(frozen=True)
class PatchTokenize:
    """Picklable words-to-tokens: the tokenizer is read from its folder in whatever process it is used."""

    folder: str

    def __call__(self, words: Sequence[str]) -> npt.NDArray[np.int32]:
        encoded = _tokenizer(self.folder)(list(words), padding="max_length", max_length=MAX_TOKENS)[
            "input_ids"
        ]
        longest = max(map(len, encoded))
        if longest > MAX_TOKENS:
            text = words[[len(e) for e in encoded].index(longest)]
            raise ValueError(f"'{text}' has {longest} tokens, over {MAX_TOKENS}; shorten the wording")
        return np.asarray(encoded, np.int32)


_TOKENIZERS: dict[str, CLIPTokenizer] = {}


def _tokenizer(folder: str) -> CLIPTokenizer:
    if folder not in _TOKENIZERS:
        _TOKENIZERS[folder] = CLIPTokenizer.from_pretrained(folder)
    return _TOKENIZERS[folder]


class PatchLearner:
    """The nano model as the trainer sees it."""

    def __init__(
        self, model: NanoModel, size: int, vocabulary: Vocabulary, work: Path, device: torch.device
    ) -> None:
        self.device = device
        classes = (*vocabulary.stuff, *vocabulary.things)
        lines = corpus(classes, (*NAMED_COLOURS, *vocabulary.colours))
        self.tokenizer = make_tokenizer(lines, MAX_TOKENS, work / "vocabulary")
        self.tokenizer.save_pretrained(work / "tokenizer")
        self.tokenize = PatchTokenize(str(work / "tokenizer"))
        self.patch = model.patch
        self.unet = make_unet(model, size)
        self.text_encoder = make_text_encoder(model, len(self.tokenizer))
        if model.start_from is not None:
            warm_start(self.unet, model.start_from)
        self.dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        use_channels_last(self.unet)
        self.unet.to(device, self.dtype, memory_format=torch.channels_last)
        self.text_encoder.to(device, self.dtype)
        self.scheduler = make_scheduler()
        self.signal = self.scheduler.alphas_cumprod.to(device)
        self._unet: Callable[..., Any] = self.unet

    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """UNet and text encoder."""
        for prefix, module in (("unet", self.unet), ("text_encoder", self.text_encoder)):
            for name, parameter in module.named_parameters():
                yield f"{prefix}.{name}", parameter

    def compile(self) -> None:
        """Compile the UNet."""
        self._unet = torch.compile(self.unet)

    def loss(
        self,
        pictures: Tensor,
        tokens: Tensor,
        drawings: Tensor,
        weights: Tensor,
        last: Tensor,
        noise: torch.Generator,
    ) -> Tensor:
        """|dv| + |dv|^2 / 2 of the velocity, folded back to pixels so that each has its weight."""
        condition, answer = (pixel_unshuffle(image * 2 - 1, self.patch) for image in (pictures, drawings))
        steps = len(self.signal)
        timestep = torch.randint(0, steps, (len(answer),), generator=noise, device=self.device)
        timestep = torch.where(last, steps - 1, timestep)
        start = torch.randn(answer.shape, generator=noise, device=self.device)
        keep = self.signal[timestep].view(-1, 1, 1, 1)
        noisy = keep.sqrt() * answer + (1 - keep).sqrt() * start
        velocity = keep.sqrt() * start - (1 - keep).sqrt() * answer
        predicted = self._velocity(noisy, condition, timestep, self.text_encoder(tokens)[0])
        error = (predicted.float() - velocity).abs()
        error = pixel_shuffle(error + 0.5 * error * error, self.patch)
        return (error * weights).mean((1, 2, 3)) * torch.where(last, 1.0, 0.4)

    @torch.no_grad()
    def draw(self, pictures: Tensor, tokens: Tensor, steps: int = 1, seed: int = 0) -> Tensor:
        """Answers from noise that depends on the seed alone."""
        condition = pixel_unshuffle(pictures * 2 - 1, self.patch)
        noise = torch.Generator().manual_seed(seed)
        sample = torch.randn(condition.shape[1:], generator=noise).to(self.device).expand_as(condition)
        self.scheduler.set_timesteps(steps, device=self.device)
        text = self.text_encoder(tokens)[0]
        for timestep in self.scheduler.timesteps:
            velocity = self._velocity(sample, condition, timestep, text)
            sample = self.scheduler.step(velocity.float(), timestep, sample).prev_sample
        return (pixel_shuffle(sample, self.patch) / 2 + 0.5).clamp(0, 1)

    def _velocity(self, noisy: Tensor, condition: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        joined = torch.cat([noisy, condition], 1).to(self.dtype, memory_format=torch.channels_last)
        velocity: Tensor = self._unet(joined, timestep, text, return_dict=False)[0]
        return velocity

    def export(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """unet/, text_encoder/, tokenizer/, scheduler/ and model_index.json."""
        for part, module in (("unet", self.unet), ("text_encoder", self.text_encoder)):
            halved = copy.deepcopy(module).float()
            halved.load_state_dict(
                {n.removeprefix(f"{part}."): v for n, v in weights.items() if n.startswith(f"{part}.")},
                strict=False,
            )
            halved.half().save_pretrained(folder / part, safe_serialization=True)
        self.tokenizer.save_pretrained(folder / "tokenizer")
        self.scheduler.save_pretrained(folder / "scheduler")
        index = {
            "_class_name": "NanoPipeline",
            "scheduler": ["diffusers", "DDIMScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
        }
        (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
