"""What a world wants to stand where."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.vocabulary import MAX_OBJECTS


@dataclass
class Plan:
    """What a world wants: K slots for each of B scenes. Earlier slots win where two collide."""

    class_id: Tensor
    """(B, K) int64, -1 for none"""
    position: Tensor
    """(B, K, 3)"""
    heading: Tensor
    """(B, K)"""
    scale: Tensor
    """(B, K)"""
    velocity: Tensor
    """(B, K, 3)"""
    parent: Tensor
    """(B, K) int64 earlier slot on whose top this one stands, -1 for none"""

    @classmethod
    def empty(cls, b: int) -> Plan:
        k = MAX_OBJECTS
        return cls(
            torch.full((b, k), -1),
            torch.zeros(b, k, 3),
            torch.zeros(b, k),
            torch.ones(b, k),
            torch.zeros(b, k, 3),
            torch.full((b, k), -1),
        )
