"""The model that is tuned, seen by the trainer: words to tokens, one loss, one drawing, one export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from visionrouter.backends.generative.tuning.instructions import Tokenize


class Learner(Protocol):
    """What the trainer asks of a model. Pictures and drawings are float (B, 3, H, W) in [0, 1]."""

    @property
    def tokenize(self) -> Tokenize:
        """Picklable: instructions to int32 (N, L) token ids."""

    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters that are tuned, by unique name, always in the same order."""

    def compile(self) -> None:
        """Make `loss` faster at the cost of a slow first call a size."""

    def loss(
        self,
        pictures: Tensor,
        tokens: Tensor,
        drawings: Tensor,
        weights: Tensor,
        last: Tensor,
        noise: torch.Generator,
    ) -> Tensor:
        """Loss of each sample, (B,). `weights`: (B, 1, H, W), 0 where the answer is unknown. `last`: (B,) bool, the
        samples at the last timestep (one-step drawing); the others are at random ones."""

    def draw(self, pictures: Tensor, tokens: Tensor, steps: int = 1, seed: int = 0) -> Tensor:
        """Answers drawn in so many steps."""

    def export(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """Write the model in diffusers' folder layout, fp16 safetensors, with these values of its parameters."""
