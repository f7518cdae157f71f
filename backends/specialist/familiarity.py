"""How far a picture is from what a specialist was trained on: its own features against their statistics.

The mean and the deviation over the picture of each channel are held against their mean and covariance over training
pictures (a Mahalanobis distance, as in Lee et al. 2018, arXiv 1807.03888). It costs no pass of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from visionrouter.backends.generative.nano.familiarity import QUANTILE, shrunk_covariance
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.arrays import F32

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "familiarity."


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """`mean` float32 (C,); `whitening` float32 (C, C), scaled so that 99 % of pictures like the training's, but unseen,
    lie within a distance of 1."""

    mean: F32
    whitening: F32

    def distance(self, row: F32) -> float:
        """Distance of the features (C,) of one picture; above 1 it is unlike the training's."""
        return float(np.linalg.norm((row - self.mean) @ self.whitening))

    @classmethod
    def fit(cls, seen: F32, unseen: F32) -> Self:
        """From the features (N, C) of training pictures; those of unseen ones (M, C) set the scale."""
        mean = seen.mean(0)
        inverse = np.linalg.inv(shrunk_covariance((seen - mean).astype(np.float64)))
        unscaled = cls(mean, np.linalg.cholesky(inverse).astype(np.float32))
        scale = np.quantile([unscaled.distance(row) for row in unseen], QUANTILE)
        return cls(mean, (unscaled.whitening / scale).astype(np.float32))

    def signal(self, rows: Tensor) -> dict[str, float]:
        """The evidence's `familiarity` from the features (1, C) of one picture."""
        return {"familiarity": self.distance(rows[0].float().cpu().numpy())}

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """From a file of weights or a file of its own; None where it is not in it. Raises `WeightsError`."""
        from safetensors.numpy import load_file

        with tell_broken(f"{path}: cannot be read", "measure it or train it anew"):
            held = load_file(path)
        names = [f"{PREFIX}{name}" for name in ("mean", "whitening")]
        return cls(*(held[name] for name in names)) if all(n in held for n in names) else None

    def write(self, path: Path) -> None:
        """To a file of its own."""
        from safetensors.numpy import save

        path.write_bytes(save(dict(self.tensors())))

    def tensors(self) -> Mapping[str, F32]:
        """To be kept beside the network's weights, in one file with them."""
        return {f"{PREFIX}mean": self.mean, f"{PREFIX}whitening": self.whitening}


def pooled(maps: Tensor) -> Tensor:
    """(B, 2 C) float32: mean and deviation over the pictures of feature maps (B, C, h, w)."""
    from torch import cat

    exact = maps.float()
    return cat([exact.mean((2, 3)), exact.std((2, 3))], 1)
