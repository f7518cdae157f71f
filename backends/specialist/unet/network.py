"""The network: one encoder and decoder, one head for all three tasks.

Architecture: `segmentation_models_pytorch.Unet` on timm's EfficientNet-Lite0, stopped at a quarter of the side, where
half the work of a full one would only begin. Channels of the output, in order: logarithm of z-depth in metres,
logarithm of its Laplace scale (Kendall and Gal 2017, arXiv 1703.04977, with a Laplace likelihood), three of the normal
(+x right, +y up, +z to the viewer, not yet of unit length), then one logit a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.familiarity import pooled

if TYPE_CHECKING:
    import torch

ENCODER = "tu-tf_efficientnet_lite0"
DECODER = (160, 96, 64)
STRIDE = 4
"""Side of the input over the side of the output."""
MULTIPLE = 32
LOG_DEPTH = (-3.0, 7.0)
"""Range of the logarithm of depth: 5 cm to 1.1 km."""
LOG_SCALE = (-5.0, 2.0)


@dataclass(frozen=True, slots=True)
class Heads:
    """The output by task. `log_depth` and `log_scale` (B, H, W); `normals` (B, 3, H, W) unit; `logits` (B, C, H, W)."""

    log_depth: torch.Tensor
    log_scale: torch.Tensor
    normals: torch.Tensor
    logits: torch.Tensor


def build(classes: int, name: str = "unet") -> Any:
    """The network with random weights. Raises `MissingExtraError` without its library."""
    smp = require("segmentation_models_pytorch", name, "nano")
    unused = (1,) * (5 - len(DECODER))
    network = smp.Unet(ENCODER, encoder_weights=None, decoder_channels=(*DECODER, *unused), classes=1)
    network.decoder.blocks = network.decoder.blocks[: len(DECODER)]
    network.segmentation_head = smp.base.SegmentationHead(DECODER[-1], 5 + classes)
    return network


def normalise(rgb: torch.Tensor) -> torch.Tensor:
    """sRGB in [0, 1] to what the encoder was trained on."""
    return (rgb - 0.5) / 0.5


def split(output: torch.Tensor) -> Heads:
    """The network's output (B, 5 + C, H, W) by task."""
    from torch.nn.functional import normalize

    values = output.float()
    return Heads(
        log_depth=values[:, 0].clamp(*LOG_DEPTH),
        log_scale=values[:, 1].clamp(*LOG_SCALE),
        normals=normalize(values[:, 2:5], dim=1, eps=1e-4),
        logits=values[:, 5:],
    )


def encode(network: Any, rgb: torch.Tensor) -> list[torch.Tensor]:
    """The encoder's stages for pictures (B, 3, H, W), sRGB in [0, 1]: maps at 1/4, 1/8, 1/16 and 1/32 of the side."""
    stages: list[torch.Tensor] = network.encoder(normalise(rgb))
    return stages[2:]


def decode(network: Any, stages: Sequence[torch.Tensor]) -> torch.Tensor:
    """The output (B, 5 + C, H / 4, W / 4) from the encoder's stages."""
    output: torch.Tensor = network.segmentation_head(network.decoder([stages[0], stages[0], *stages]))
    return output


def answer(network: Any, rgb: torch.Tensor) -> tuple[Heads, list[torch.Tensor]]:
    """The heads for pictures (B, 3, H, W), sRGB in [0, 1], at their size, and the encoder's stages."""
    from torch.nn.functional import interpolate

    stages = encode(network, rgb)
    output = decode(network, stages).float()
    return split(interpolate(output, scale_factor=STRIDE, mode="bilinear")), stages


def pooled_stages(stages: Sequence[torch.Tensor]) -> torch.Tensor:
    """(B, F): texture and shape, from the stages at an eighth and a sixteenth of the side."""
    from torch import cat

    return cat([pooled(stage) for stage in stages[1:3]], 1)
