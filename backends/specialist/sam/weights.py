"""Weights of Segment Anything as its own library names them, and the architecture that their shapes tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionrouter.backends.libraries import require
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

NAME = "sam"
_MEND = "name another source, or the backend sam2 or sam3"
_NECK = ("conv1", "layer_norm1", "conv2", "layer_norm2")
_RENAMES = (
    (r"^shared_image_embedding\.positional_embedding$", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^vision_encoder\.patch_embed\.projection", "image_encoder.patch_embed.proj"),
    (r"^vision_encoder\.layers\.(\d+)\.layer_norm", r"image_encoder.blocks.\1.norm"),
    (r"^vision_encoder\.layers", "image_encoder.blocks"),
    (r"^vision_encoder\.neck\.(\w+)", lambda m: f"image_encoder.neck.{_NECK.index(m[1])}"),
    (r"^vision_encoder", "image_encoder"),
    (r"^prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
    (r"^prompt_encoder\.mask_embed\.conv(\d)", lambda m: f"prompt_encoder.mask_downscaling.{3 * int(m[1]) - 3}"),
    (r"^prompt_encoder\.mask_embed\.layer_norm(\d)", lambda m: f"prompt_encoder.mask_downscaling.{3 * int(m[1]) - 2}"),
    (r"^mask_decoder\.upscale_conv1", "mask_decoder.output_upscaling.0"),
    (r"^mask_decoder\.upscale_layer_norm", "mask_decoder.output_upscaling.1"),
    (r"^mask_decoder\.upscale_conv2", "mask_decoder.output_upscaling.3"),
    (r"layer_norm_final_attn", "norm_final_attn"),
    (r"(transformer\.layers\.\d+)\.layer_norm(\d)", r"\1.norm\2"),
    (r"(mlps\.\d+|iou_prediction_head)\.layers\.(\d+)", lambda m: f"{m[1]}.layers.{int(m[2]) + 1}"),
    (r"(mlps\.\d+|iou_prediction_head)\.proj_in", r"\1.layers.0"),
    (r"(mlps\.\d+|iou_prediction_head)\.proj_out", r"\1.layers.last"),
)  # fmt: skip
"""From transformers' names to the library's own, in this order."""


def read(path: Path, *, allow_pickle: bool) -> dict[str, Tensor]:
    """The state of a file, under the library's names. Raises `WeightsError`.

    A `.pth` is a pickle: it is read only by consent, and then by torch's restricted reader, which makes tensors and
    nothing else.
    """
    if path.suffix == ".safetensors":
        files = require("safetensors.torch", NAME, "sam")
        with tell_broken(f"{path}: cannot be read", "fetch it anew"):
            state: dict[str, Tensor] = files.load_file(path)
        return _renamed(state) if any(key.startswith("vision_encoder.") for key in state) else state
    if not allow_pickle:
        raise WeightsError(
            f"{path}: is a pickle, which can run code as it is read; set allow_pickle: true if you trust where it "
            "came from, or give the safetensors of facebook/sam-vit-base"
        )
    torch = require("torch", NAME, "sam")
    with tell_broken(f"{path}: is no checkpoint of tensors", "fetch it anew"):
        tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        return tensors


def side_of(file: Any, where: Path) -> int:
    """Pixels of the square that the network of an opened safetensors file sees. Raises `WeightsError`."""
    keys = set(file.keys())
    for stem, proj in (("image_encoder", "proj"), ("vision_encoder", "projection")):
        if f"{stem}.pos_embed" in keys:
            grid = file.get_slice(f"{stem}.pos_embed").get_shape()[1]
            return int(grid * file.get_slice(f"{stem}.patch_embed.{proj}.weight").get_shape()[-1])
    raise WeightsError(f"{where}: not weights of Segment Anything 1; {_MEND}")


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith("prompt_encoder.shared_embedding."):
            continue  # the same tensor as the shared image embedding
        name = key
        for pattern, to in _RENAMES:
            name = re.sub(pattern, to, name)
        found[name] = value
    return {_numbered(name, found): value for name, value in found.items()}


def _numbered(name: str, names: Mapping[str, Tensor]) -> str:
    """A name with the number of the last layer of its part instead of "last"."""
    stem, last, rest = name.partition("last.")
    return f"{stem}{_count(names, stem.removesuffix('.')) - 1}.{rest}" if last else name


def build(state: Mapping[str, Tensor], where: Path) -> Any:
    """A `Sam` with these weights: widths, depths, windows and the side of its picture are read off their shapes.

    Raises `WeightsError` for the weights of anything else, `MissingExtraError` without the library.
    """
    parts = require("segment_anything.modeling", NAME, "sam")
    torch = require("torch", NAME, "sam")
    with tell_broken(f"{where}: not weights of Segment Anything 1", _MEND):
        with torch.random.fork_rng(devices=[]):
            sam = _empty(parts, torch.nn.LayerNorm, state)
        sam.load_state_dict(state, strict=False)
        unset = set(sam.state_dict()) - set(state) - {"pixel_mean", "pixel_std"}
    if unset:
        raise WeightsError(f"{where}: lacks {len(unset)} weights, {min(unset)} among them; fetch it anew")
    return sam.eval()


def _empty(parts: Any, norm: Any, state: Mapping[str, Tensor]) -> Any:
    _, grid, _, width = state["image_encoder.pos_embed"].shape
    patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
    breadth = state["image_encoder.neck.0.weight"].shape[0]
    reach = [
        state[f"image_encoder.blocks.{i}.attn.rel_pos_h"].shape
        for i in range(_count(state, "image_encoder.blocks"))
    ]
    spans = [(length + 1) // 2 for length, _ in reach]
    windows = [span for span in spans if span != grid]
    encoder = parts.ImageEncoderViT(
        img_size=grid * patch,
        patch_size=patch,
        embed_dim=width,
        depth=len(reach),
        num_heads=width // reach[0][1],
        mlp_ratio=state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0] / width,
        out_chans=breadth,
        norm_layer=partial(norm, eps=1e-6),
        use_rel_pos=True,
        window_size=windows[0] if windows else 0,
        global_attn_indexes=tuple(i for i, span in enumerate(spans) if span == grid),
    )
    prompts = parts.PromptEncoder(
        embed_dim=breadth,
        image_embedding_size=(grid, grid),
        input_image_size=(grid * patch, grid * patch),
        mask_in_chans=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
    )
    transformer = parts.TwoWayTransformer(
        depth=_count(state, "mask_decoder.transformer.layers"),
        embedding_dim=breadth,
        num_heads=8,
        mlp_dim=state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
    )
    decoder = parts.MaskDecoder(
        transformer_dim=breadth,
        transformer=transformer,
        num_multimask_outputs=state["mask_decoder.mask_tokens.weight"].shape[0] - 1,
        iou_head_depth=_count(state, "mask_decoder.iou_prediction_head.layers"),
        iou_head_hidden_dim=state["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
    )
    return parts.Sam(encoder, prompts, decoder)


def _count(state: Mapping[str, Tensor], stem: str) -> int:
    """How many numbered parts there are under a name."""
    return len({key[len(stem) + 1 :].partition(".")[0] for key in state if key.startswith(f"{stem}.")})
