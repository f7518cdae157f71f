"""What can be said about the regions of a picture: how large, where, how far. Phrases are written from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from visionrouter.backends.generative.tuning.labelled import Labelled, Vocabulary

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Facts:
    """Facts of B pictures, on the CPU. R regions, K object slots; region `first_object + k` is slot k."""

    thing: Ints
    """(B, K) index into `Vocabulary.things`, -1 empty"""
    colour: Ints
    """(B, K) index into `Vocabulary.colours`, -1 unnamed"""
    area: Floats
    """(B, R) share of the picture"""
    x: Floats
    """(B, R) mean x of the region's pixels as a share of the width"""
    y: Floats
    """(B, R) mean y as a share of the height"""
    depth_m: Floats
    """(B, R) mean z-depth of the region's pixels with a finite depth; NaN where there are none"""
    answers: npt.NDArray[np.bool_]
    """(B, len(TASKS))"""

    def __len__(self) -> int:
        return len(self.thing)

    def __getitem__(self, index: slice) -> Self:
        return replace(self, **{name: value[index] for name, value in vars(self).items()})

    def mirrored(self) -> Self:
        """Facts of the pictures flipped left to right."""
        return replace(self, x=1 - self.x)


def measure(pictures: Labelled, vocabulary: Vocabulary) -> Facts:
    """Facts of a batch, counted on its device in one pass over the pixels."""
    count, height, width = pictures.region.shape
    regions, device = vocabulary.regions, pictures.region.device
    seat = pictures.region.long() + torch.arange(count, device=device)[:, None, None] * regions
    finite = torch.isfinite(pictures.depth_m)
    columns = ((torch.arange(width, device=device) + 0.5) / width).expand(count, height, width)
    rows = ((torch.arange(height, device=device) + 0.5) / height)[:, None].expand(count, height, width)
    depth = torch.where(finite, pictures.depth_m.float(), 0.0)

    def total(values: torch.Tensor) -> torch.Tensor:
        sums = torch.zeros(count * regions, dtype=torch.float64, device=device)
        return sums.scatter_add_(0, seat.flatten(), values.flatten().double()).view(count, regions)

    pixels, measured = total(torch.ones_like(depth)), total(finite.float())
    return Facts(
        thing=pictures.thing.cpu().numpy(),
        colour=pictures.colour.cpu().numpy(),
        area=_numpy(pixels / (height * width)),
        x=_numpy(total(columns) / pixels.clamp_min(1)),
        y=_numpy(total(rows) / pixels.clamp_min(1)),
        depth_m=_numpy(torch.where(measured > 0, total(depth) / measured.clamp_min(1), torch.nan)),
        answers=pictures.answers.cpu().numpy(),
    )


def _numpy(values: torch.Tensor) -> Floats:
    return values.float().cpu().numpy()
