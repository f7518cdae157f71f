"""The network: Segment Anything (Kirillov et al. 2023, arXiv 2304.02643) of 5 M parameters.

The prompt encoder, the two-way mask decoder and the whole are the classes of `segment_anything.modeling`; the image
encoder is convolutional and begins with ImageNet's weights. Logits come at half the side of the input. Only points and
boxes are prompts; masks are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from visionrouter.backends.libraries import require

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 256
PATCH = 8
"""Pixels of the input's side to one of the features."""
PROMPT_WIDTH = 128
TRUNK = "tf_efficientnet_lite0"
MIDDLE = 127.5
"""The trunk saw pixels from -1 to 1."""


def build(side: int = SIDE, name: str = "sam_tiny") -> Any:
    """A `Sam` with random weights that sees squares of `side` pixels. Raises `MissingExtraError` without its library."""
    parts = require("segment_anything.modeling", name, "sam")
    common = require("segment_anything.modeling.common", name, "sam")
    timm = require("timm", name, "sam")
    from visionrouter.backends.specialist.sam_tiny.encoder import Encoder

    grid = side // PATCH
    encoder = Encoder(side, PROMPT_WIDTH, timm.create_model(TRUNK), common.LayerNorm2d)
    prompts = parts.PromptEncoder(
        embed_dim=PROMPT_WIDTH,
        image_embedding_size=(grid, grid),
        input_image_size=(side, side),
        mask_in_chans=16,
    )
    transformer = parts.TwoWayTransformer(depth=2, embedding_dim=PROMPT_WIDTH, num_heads=8, mlp_dim=512)
    decoder = parts.MaskDecoder(
        transformer_dim=PROMPT_WIDTH,
        transformer=transformer,
        iou_head_depth=3,
        iou_head_hidden_dim=PROMPT_WIDTH,
    )
    return parts.Sam(encoder, prompts, decoder, pixel_mean=[MIDDLE] * 3, pixel_std=[MIDDLE] * 3)


def encode(sam: Any, rgb: Tensor) -> Tensor:
    """Features (B, C, side / 8, side / 8) of pictures (B, 3, side, side), sRGB in [0, 1]."""
    features: Tensor = sam.image_encoder((rgb * 255 - sam.pixel_mean) / sam.pixel_std)
    return features


def decode(sam: Any, features: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, 4, side / 2, side / 2) of four masks a prompt and their predicted IoU (N, 4).

    `features` (N, C, h, w), a row a prompt; `points` (N, P, 2) x y in input pixels, `labels` (N, P): 1 on the thing,
    0 off it, 2 and 3 the corners of a box, -1 none. The first mask is meant for prompts that leave no doubt.

    The decoder repeats one picture for all prompts and adds the dense prompt to it. The sum is symmetric, so the
    features go in as the dense prompt and the embedding of "no mask" as the picture: prompts of many pictures in one run.
    """
    from torch import autocast

    encoder = sam.prompt_encoder
    with autocast(points.device.type, enabled=False):  # places do not survive half precision
        places = encoder.pe_layer.forward_with_coords(points, encoder.input_image_size)
        grid = encoder.get_dense_pe()
    sparse = places * (labels >= 0)[..., None] + _embeddings(encoder)[labels + 1]
    height, width = features.shape[-2:]
    no_mask = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(-1, -1, height, width)
    masks, iou = sam.mask_decoder.predict_masks(
        image_embeddings=no_mask,
        image_pe=grid,
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=features,
    )
    return masks, iou


def _embeddings(encoder: Any) -> Tensor:
    """(5, C): of no point, a point off and on the thing, and the two corners of a box."""
    from torch import cat

    return cat([encoder.not_a_point_embed.weight, *(e.weight for e in encoder.point_embeddings)])
