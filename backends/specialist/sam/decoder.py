"""What every generation of Segment Anything does with an embedded image: one mask for each thing that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from visionrouter.backends.specialist.checkpoint import in_batches
from visionrouter.backends.specialist.sam import prompts
from visionrouter.backends.specialist.sam.prompts import Ask, Masked
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 32
"""Prompts of one image that a decoder answers in one run."""


class Decoder(Protocol):
    """The half of a network that answers prompts, on one image's embedding."""

    def masks(self, asks: Sequence[Ask]) -> tuple[Tensor, Tensor]:
        """Logits (A, M, h, w), as small as the network makes them, and how well each fits (A, M), of asks of one form:
        M is 3 where they are ambiguous, else 1."""

    def enlarged(self, logits: Tensor) -> Tensor:
        """Logits (N, h, w) at the image's size, float32 (N, H, W)."""


def prompted(decoder: Decoder, query: Query, name: str) -> Prediction:
    """One mask for each box, or for the thing that points mark. Raises `BackendError` where nothing says what is meant."""
    asked = prompts.read(query.prompts, name)
    masked = in_batches(asked.asks, lambda ask: ask.form, partial(_best, decoder))
    return prompts.as_prediction(query, masked, asked.notes)


def _best(decoder: Decoder, asks: list[Ask]) -> list[Masked]:
    """Of each ask's masks the one that the network thinks fits best."""
    import torch

    found: list[Masked] = []
    for first in range(0, len(asks), AT_ONCE):
        logits, fit = decoder.masks(asks[first : first + AT_ONCE])
        rows, best = torch.arange(len(fit), device=fit.device), fit.argmax(1)
        large = decoder.enlarged(logits[rows, best]).cpu().numpy()
        found += [Masked(mask, score) for mask, score in zip(large, fit[rows, best].tolist(), strict=True)]
    return found
