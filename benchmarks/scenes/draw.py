"""Counter-based random numbers: what a scene draws depends on its seed alone, never on its batch.

Each value is a hash of (key, counter, element), computed in wrapping int64 arithmetic (splitmix64, Steele,
Lea and Flood 2014), hence the same on every device and in every process.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_GAMMA = _signed(0x9E3779B97F4A7C15)
_MIX1 = _signed(0xBF58476D1CE4E5B9)
_MIX2 = _signed(0x94D049BB133111EB)


def mix(x: Tensor) -> Tensor:
    """splitmix64 of an int64 tensor."""
    x = x + _GAMMA
    x = (x ^ ((x >> 30) & ((1 << 34) - 1))) * _MIX1
    x = (x ^ ((x >> 27) & ((1 << 37) - 1))) * _MIX2
    return x ^ ((x >> 31) & ((1 << 33) - 1))


POOL = 96
"""Values drawn at a time for each key."""


class Draw:
    """A stream of random tensors for n independent keys; each call moves the stream on for all of them."""

    def __init__(self, keys: Tensor) -> None:
        self.keys = keys
        self._mixed = mix(keys)[:, None]
        self._pool = keys.new_zeros(len(keys), 0, dtype=torch.float32)
        self._block = 0

    def __len__(self) -> int:
        return len(self.keys)

    def fork(self, index: Tensor | int) -> Draw:
        """A stream of its own for each index (broadcast against the keys)."""
        index = torch.as_tensor(index, dtype=torch.int64, device=self.keys.device)
        return Draw(mix(self.keys ^ mix(index)))

    def _fill(self, count: int) -> Tensor:
        self._block += 1
        element = torch.arange(count, dtype=torch.int64, device=self.keys.device) + (self._block << 32)
        bits = mix(self._mixed ^ mix(element))
        return ((bits >> 40) & 0xFFFFFF).to(torch.float32).mul_(2.0**-24)

    def unit(self, *shape: int) -> Tensor:
        """(n, *shape) float32 in [0, 1)."""
        count = math.prod(shape)
        if count > POOL:
            return self._fill(count).view(-1, *shape)
        if self._pool.shape[1] < count:
            self._pool = self._fill(POOL)
        value, self._pool = self._pool[:, :count], self._pool[:, count:]
        return value.reshape(-1, *shape)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(n, *shape) uniform in [low, high)."""
        return self.unit(*shape) * (high - low) + low

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(n, *shape) with a uniform logarithm."""
        return torch.exp(self.uniform(math.log(low), math.log(high), *shape))

    def normal(self, *shape: int) -> Tensor:
        """(n, *shape) standard normal (Box and Muller)."""
        radius = torch.sqrt(-2 * torch.log(1 - self.unit(*shape)))
        return radius * torch.cos(2 * math.pi * self.unit(*shape))

    def chance(self, share: float | Tensor, *shape: int) -> Tensor:
        """(n, *shape) bool, true with the given probability."""
        return self.unit(*shape) < share

    def integer(self, count: int, *shape: int) -> Tensor:
        """(n, *shape) int64 in [0, count)."""
        return (self.unit(*shape) * count).long()

    def sign(self, *shape: int) -> Tensor:
        """(n, *shape) -1 or 1."""
        return torch.where(self.chance(0.5, *shape), 1.0, -1.0)

    def choose(self, weights: Tensor | list[float], *shape: int) -> Tensor:
        """(n, *shape) int64 with the given weights."""
        edges = torch.as_tensor(weights, dtype=torch.float32, device=self.keys.device).cumsum(-1)
        value = self.unit(*shape) * edges[-1]
        return torch.searchsorted(edges, value.contiguous(), right=True).clamp_max(len(edges) - 1)
