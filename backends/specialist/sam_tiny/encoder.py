"""The image encoder: EfficientNet-Lite0, whose maps are summed from coarse to fine at an eighth of the side.

The ViT of Segment Anything learns too slowly for a network of this size. A small convolutional encoder in its place is
the way of MobileSAM (Zhang et al. 2023, arXiv 2306.14289); the sum is that of feature pyramids (Lin et al. 2017,
arXiv 1612.03144).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

ENDS = (3, 5, 7)
"""Blocks of EfficientNet-Lite0 after which the map has an eighth, a sixteenth, a thirty-second of the side."""
CHANNELS = (40, 112, 320)


class Encoder(nn.Module):
    """Pictures (B, 3, S, S) in [-1, 1] to (B, `width`, S / 8, S / 8). `norm` makes a layer that normalises channels."""

    def __init__(self, side: int, width: int, trunk: Any, norm: Any) -> None:
        super().__init__()
        self.img_size = side
        self.stem = nn.Sequential(trunk.conv_stem, trunk.bn1)
        begins = (0, *ENDS[:-1])
        self.stages = nn.ModuleList(trunk.blocks[a:b] for a, b in zip(begins, ENDS, strict=True))
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in CHANNELS)
        self.neck = nn.Sequential(
            norm(width), nn.Conv2d(width, width, 3, padding=1, bias=False), norm(width), nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), norm(width),
        )  # fmt: skip

    def forward(self, rgb: Tensor) -> Tensor:
        x = self.stem(rgb)
        maps = []
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            x = stage(x)
            maps.append(lateral(x))
        fine, *coarser = maps
        for coarse in coarser:
            fine = fine + interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
        features: Tensor = self.neck(fine)
        return features


@torch.no_grad()
def start_from(encoder: Encoder, trunk: dict[str, Tensor]) -> None:
    """ImageNet's weights, by timm's names."""
    stem = {k: v.float() for k, v in trunk.items() if k.startswith(("conv_stem.", "bn1."))}
    renamed = {k.replace("conv_stem.", "0.").replace("bn1.", "1."): v for k, v in stem.items()}
    encoder.stem.load_state_dict(renamed)
    for stage in encoder.stages:
        names = {f"blocks.{name}": name for name in stage.state_dict()}
        stage.load_state_dict({name: trunk[full].float() for full, name in names.items()})
