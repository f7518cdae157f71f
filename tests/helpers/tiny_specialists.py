"""Specialists of the real architectures at tiny size, with random weights, saved as their libraries and the hub have them.

`BUILDERS`: what writes the checkpoint of each registered backend into a folder and gives its other params.
"""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch
import timm
import torch
import transformers as hf
import yaml
from safetensors.torch import save_file

from visionrouter.backends.specialist import coco
from visionrouter.backends.specialist.yolo.network import tasks

CLASSES = ("person", "car", "dog")
_CHARACTERS = (*string.ascii_lowercase, *string.digits, ".", ",", "'", "-")
_SMALL: dict[str, Any] = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
_LABELS: dict[str, Any] = {
    "id2label": dict(enumerate(CLASSES)),
    "label2id": {name: i for i, name in enumerate(CLASSES)},
}


def lively(model: Any, seed: int = 0) -> Any:
    """The model with weights of unit gain, so that its answers differ from place to place."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                gain = (parameter[0].numel() or 1) ** -0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * gain)
            elif name.endswith("bias"):
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


def _save(folder: Path, model: Any, *processors: Any, seed: int = 0) -> Path:
    for part in (lively(model, seed), *processors):
        part.save_pretrained(folder)
    return folder


def _save_segmenter(folder: Path, model: Any, *processors: Any) -> dict[str, Any]:
    """With masks as decided as a trained network's, or none is stable; and params that keep some of them."""
    lively(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "hypernetworks" in name and "proj_out" in name:
                parameter.mul_(100)
    for part in (model, *processors):
        part.save_pretrained(folder)
    return {"points_per_side": 3, "least_iou": 0.0, "least_stability": 0.2}


def clip_tokenizer() -> Any:
    pieces = [*_CHARACTERS, *(f"{c}</w>" for c in _CHARACTERS), "<|startoftext|>", "<|endoftext|>", "!"]
    return hf.CLIPTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], pad_token="!", model_max_length=32
    )


def _clip_text(tokenizer: Any) -> dict[str, Any]:
    ids = tokenizer.convert_tokens_to_ids(["<|startoftext|>", "<|endoftext|>", "!"])
    special = dict(zip(("bos_token_id", "eos_token_id", "pad_token_id"), ids, strict=True))
    size = {"vocab_size": len(tokenizer), "max_position_embeddings": 32, "num_hidden_layers": 1}
    return {**_SMALL, **size, **special, "projection_dim": 16}


def rt_detr(folder: Path) -> dict[str, Any]:
    backbone = hf.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1],
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = hf.RTDetrV2Config(
        backbone_config=backbone, encoder_hidden_dim=32, encoder_in_channels=[16, 24, 32], d_model=32,
        encoder_ffn_dim=32, encoder_attention_heads=2, num_queries=12, decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=32, decoder_layers=2, decoder_attention_heads=2, num_denoising=0, **_LABELS,
    )  # fmt: skip
    _save(folder, hf.RTDetrV2ForObjectDetection(config), hf.RTDetrImageProcessor(size=_square(64)))
    return {"threshold": 0.3}


def d_fine(folder: Path) -> dict[str, Any]:
    backbone = hf.HGNetV2Config(
        stem_channels=[3, 4, 8], stage_in_channels=[8, 16, 16, 16], stage_mid_channels=[4, 4, 4, 4],
        stage_out_channels=[16, 16, 16, 16], stage_num_blocks=[1, 1, 1, 1], stage_numb_of_layers=[1, 1, 1, 1],
        stage_light_block=[False, False, True, True], stage_downsample=[False, True, True, True],
        stage_kernel_size=[3, 3, 5, 5], hidden_sizes=[16, 16, 16, 16], embedding_size=8, depths=[1, 1, 1, 1],
        out_indices=[2, 3, 4],
    )  # fmt: skip
    config = hf.DFineConfig(
        backbone_config=backbone, encoder_hidden_dim=32, encoder_in_channels=[16, 16, 16], d_model=32,
        encoder_ffn_dim=32, encoder_attention_heads=2, num_queries=12, decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=32, decoder_layers=2, decoder_attention_heads=2, num_denoising=0, **_LABELS,
    )  # fmt: skip
    _save(folder, hf.DFineForObjectDetection(config), hf.RTDetrImageProcessor(size=_square(64)))
    return {"threshold": 0.3}


def owlv2(folder: Path) -> dict[str, Any]:
    tokenizer = clip_tokenizer()
    vision = {**_SMALL, "num_hidden_layers": 1, "image_size": 64, "patch_size": 16}
    config = hf.Owlv2Config(text_config=_clip_text(tokenizer), vision_config=vision, projection_dim=16)
    processor = hf.Owlv2Processor(hf.Owlv2ImageProcessor(size=_square(64)), tokenizer)
    _save(folder, hf.Owlv2ForObjectDetection(config), processor)
    return {"threshold": 0.1, "vocabulary": list(CLASSES)}


def grounding_dino(folder: Path) -> dict[str, Any]:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_CHARACTERS, *(f"##{c}" for c in _CHARACTERS)]
    tokenizer = hf.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
    backbone = hf.SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = hf.GroundingDinoConfig(
        backbone_config=backbone, d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        text_config={"model_type": "bert", "vocab_size": len(pieces), "num_hidden_layers": 1, **_SMALL},
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=12,
    )  # fmt: skip
    images = hf.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 160})
    _save(folder, hf.GroundingDinoForObjectDetection(config), hf.GroundingDinoProcessor(images, tokenizer))
    return {"threshold": 0.1, "vocabulary": list(CLASSES)}


def sam(folder: Path) -> dict[str, Any]:
    """As transformers saves it; the backend reads it into segment-anything's own network."""
    vision = {
        **_SMALL, "output_channels": 16, "num_hidden_layers": 2, "image_size": 64, "patch_size": 8, "window_size": 3,
        "global_attn_indexes": [1], "mlp_dim": 32, "num_pos_feats": 8,
    }  # fmt: skip
    prompts = {
        "hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4, "image_embedding_size": 8,
    }  # fmt: skip
    decoder = _mask_decoder(num_attention_heads=8)
    model = hf.SamModel(
        hf.SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    )
    return _save_segmenter(folder, model)


def sam2(folder: Path) -> dict[str, Any]:
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1, "image_size": [64, 64],
        "window_positional_embedding_background_size": [4, 4], "blocks_per_stage": [1, 2, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 1, 1],
        "window_size_per_stage": [4, 4, 4, 4], "global_attention_blocks": [4],
    }  # fmt: skip
    vision = {
        "model_type": "sam2_vision_model", "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]], "fpn_hidden_size": 16, "fpn_top_down_levels": [2, 3],
    }  # fmt: skip
    prompts = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 4}
    config = hf.Sam2Config(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=_mask_decoder()
    )
    images = hf.Sam2ImageProcessor(size=_square(64), mask_size=_square(16))
    return _save_segmenter(folder, hf.Sam2Model(config), images)


def _sam3_vision() -> dict[str, Any]:
    backbone = {
        **_SMALL, "model_type": "sam3_vit_model", "num_hidden_layers": 2, "image_size": 56, "patch_size": 14,
        "window_size": 2, "global_attn_indexes": [1], "pretrain_image_size": 28,
    }  # fmt: skip
    return {
        "model_type": "sam3_vision_model", "backbone_config": backbone, "fpn_hidden_size": 16,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]], "scale_factors": [4.0, 2.0, 1.0, 0.5],
    }  # fmt: skip


def sam3(folder: Path) -> dict[str, Any]:
    tokenizer = clip_tokenizer()
    layer = {**_SMALL, "num_layers": 1}
    config = hf.Sam3Config(
        vision_config=_sam3_vision(), text_config=_clip_text(tokenizer), geometry_encoder_config=layer,
        detr_encoder_config=layer, detr_decoder_config={**layer, "num_queries": 8},
        mask_decoder_config={"hidden_size": 16, "num_attention_heads": 2, "num_upsampling_stages": 3},
    )  # fmt: skip
    images = hf.Sam3ImageProcessor(size=_square(56), mask_size=_square(16))
    _save(folder, hf.Sam3Model(config), hf.Sam3Processor(images, tokenizer))
    return {"threshold": 0.1}


def sam3_tracker(folder: Path) -> dict[str, Any]:
    prompts = {"hidden_size": 16, "image_size": 56, "patch_size": 14, "mask_input_channels": 4}
    config = hf.Sam3TrackerConfig(
        vision_config=_sam3_vision(), prompt_encoder_config=prompts, mask_decoder_config=_mask_decoder()
    )
    images = hf.Sam3ImageProcessor(size=_square(56), mask_size=_square(16))
    return _save_segmenter(folder, hf.Sam3TrackerModel(config), images)


def _mask_decoder(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "iou_head_hidden_dim": 16, "attention_downsample_rate": 2, **more,
    }  # fmt: skip


def depth_anything(folder: Path, kind: str = "metric") -> dict[str, Any]:
    backbone = hf.Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=70, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False,
        apply_layernorm=True,
    )  # fmt: skip
    config = hf.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        head_hidden_size=8, patch_size=14, depth_estimation_type=kind, max_depth=20 if kind == "metric" else 1,
    )  # fmt: skip
    processor = hf.DPTImageProcessor(size=_square(70), keep_aspect_ratio=True, ensure_multiple_of=14)
    _save(folder, hf.DepthAnythingForDepthEstimation(config), processor)
    return {}


def depth_pro(folder: Path) -> dict[str, Any]:
    encoder = {
        **_SMALL, "model_type": "dinov2", "num_hidden_layers": 2, "image_size": 16, "patch_size": 8,
        "use_mask_token": False,
    }  # fmt: skip
    config = hf.DepthProConfig(
        image_model_config=encoder, patch_model_config=encoder, fov_model_config=encoder, patch_size=16,
        fusion_hidden_size=8, intermediate_hook_ids=[1, 0], intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.5, 1.0], scaled_images_overlap_ratios=[0.0, 0.25], num_fov_head_layers=0,
        scaled_images_feature_dims=[8, 8], merge_padding_value=1, use_fov_model=True,
    )  # fmt: skip
    _save(folder, hf.DepthProForDepthEstimation(config), hf.DepthProImageProcessor(size=_square(32)))
    return {}


def zoedepth(folder: Path) -> dict[str, Any]:
    backbone = hf.BeitConfig(
        image_size=32, patch_size=16, num_hidden_layers=4, use_relative_position_bias=True,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, **_SMALL,
    )  # fmt: skip
    bins = [{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}]
    config = hf.ZoeDepthConfig(
        backbone_config=backbone, backbone_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        bottleneck_features=8, num_attractors=[2, 2, 2, 2], bin_embedding_dim=8, bin_configurations=bins,
        num_relative_features=4, patch_transformer_hidden_size=16, patch_transformer_intermediate_size=16,
        patch_transformer_num_attention_heads=2, use_batch_norm_in_fusion_residual=False,
    )  # fmt: skip
    processor = hf.ZoeDepthImageProcessor(size=_square(64), ensure_multiple_of=32)
    _save(folder, hf.ZoeDepthForDepthEstimation(config), processor)
    return {}


def vitpose(folder: Path, experts: int = 1) -> dict[str, Any]:
    backbone = hf.VitPoseBackboneConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=[64, 48], patch_size=[16, 16],
        out_indices=[2], num_experts=experts, part_features=8,
    )  # fmt: skip
    names = {i: name.replace("left_", "L_").replace("right_", "R_") for i, name in enumerate(coco.KEYPOINTS)}
    config = hf.VitPoseConfig(
        backbone_config=backbone, id2label=names, label2id={n: i for i, n in names.items()}, edges=coco.EDGES
    )
    processor = hf.VitPoseImageProcessor(size={"height": 64, "width": 48})
    _save(folder, hf.VitPoseForPoseEstimation(config), processor, seed=1)  # peaks that rounding does not move
    return {}


def unet(folder: Path) -> dict[str, Any]:
    model = segmentation_models_pytorch.Unet(
        "tu-mobilenetv3_small_050",
        encoder_weights=None,
        encoder_depth=3,
        decoder_channels=(8, 8, 8),
        classes=3,
    )
    _save(folder, model)
    (folder / "card.json").write_text(json.dumps({"classes": ["sky", *CLASSES[:2]], "side": 64}))
    return {}


def timm_hub(folder: Path) -> dict[str, Any]:
    names = {"label_names": list(CLASSES), "num_classes": 3}
    model = timm.create_model("mobilenetv3_small_050", num_classes=3)
    timm.models.save_for_hf(
        lively(model), folder, model_config=names, safe_serialization=True, model_args={"in_chans": 3}
    )
    return {}


def yolo(folder: Path, architecture: str = "yolo11-seg", names: tuple[str, ...] = CLASSES) -> dict[str, Any]:
    """From the library's yaml, narrower than its narrowest."""
    with tasks("yolo") as library:
        config = library.yaml_model_load(f"{architecture}.yaml")
        config |= {"scales": {"t": [0.2, 0.05, 128]}, "scale": "t", "nc": len(names), "names": list(names)}
        task = library.guess_model_task(config)
        kind = _YOLO_CLASSES[task]
        if "world" in architecture:
            kind = "WorldModel"
        elif "yoloe" in architecture:
            kind = "YOLOESegModel" if task == "segment" else "YOLOEModel"
        torch.manual_seed(0)
        model = getattr(library, kind)({**config}, ch=3, nc=len(names), verbose=False)
    if "yoloe" in architecture:
        sure_of_words(model)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "model.yaml").write_text(yaml.safe_dump({k: v for k, v in config.items() if k != "yaml_file"}))
    return {"side": 64, "threshold": 0.001}


_YOLO_CLASSES = {
    "detect": "DetectionModel",
    "segment": "SegmentationModel",
    "pose": "PoseModel",
    "obb": "OBBModel",
    "classify": "ClassificationModel",
}


def sure_of_words(model: Any) -> None:
    """Make a YOLOE tell words apart as far as a trained one does."""
    head = model.model[-1]
    before = {name: value.clone() for name, value in head.dfl.state_dict().items()}
    lively(model)
    head.dfl.load_state_dict(before)  # it counts, and has learnt nothing
    head.bias_init()
    with torch.no_grad():
        for part in (*head.cv2, *getattr(head, "one2one_cv2", ())):
            part[-1].weight.mul_(0.1)  # or some boxes are inside out
        for part in (*head.cv4, *getattr(head, "one2one_cv4", ())):
            part.logit_scale.fill_(1.0)
            part.bias.fill_(-1.0)


def yoloe(folder: Path, architecture: str = "yoloe-11-seg") -> dict[str, Any]:
    """With a text encoder beside it, in open_clip's layout."""
    import open_clip

    config = {
        "embed_dim": 512, "custom_text": True,
        "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 16, "head_width": 8, "layers": 1},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }  # fmt: skip
    text = folder / "text"
    params = yolo(folder, architecture)
    text.mkdir()
    encoder = lively(open_clip.CustomTextCLIP(512, config["vision_cfg"], config["text_cfg"]))
    save_file(encoder.state_dict(), text / "open_clip_model.safetensors")
    (text / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    return {
        **params,
        "file": "model.safetensors",
        "text_source": str(text),
        "vocabulary": list(CLASSES),
        "threshold": 0.3,
    }


def yolo_world(folder: Path) -> dict[str, Any]:
    params = yolo(folder / "boxes", "yolov8s-worldv2")
    tokenizer = clip_tokenizer()
    text = hf.CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=32, projection_dim=512, bos_token_id=80, eos_token_id=81,
        pad_token_id=82,
    )  # fmt: skip
    _save(folder / "text", hf.CLIPTextModelWithProjection(text), tokenizer)
    places = {"source": str(folder / "boxes"), "text_source": str(folder / "text")}
    return {**params, **places, "vocabulary": ["dog"]}


def scene_yolo(folder: Path) -> dict[str, Any]:
    from visionrouter.backends.specialist.scene_yolo.network import build

    torch.manual_seed(0)
    path = folder / "scene_yolo.safetensors"
    save_file(build(len(CLASSES)).state_dict(), path)
    data = path.read_bytes()
    card = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "classes": CLASSES}
    path.with_suffix(".json").write_text(json.dumps(card))
    return {"source": None, "folder": str(folder), "long_side": 64, "threshold": 0.001}


def depth_anything3(folder: Path) -> dict[str, Any]:
    """The metric network, on a ViT-S instead of its ViT-L, under a name of its own in the library's registry."""
    from visionrouter.backends.specialist.depth_anything3 import _quiet

    with _quiet():
        from depth_anything_3.cfg import create_object, load_config
        from depth_anything_3.registry import MODEL_REGISTRY
        from omegaconf import OmegaConf

        config = load_config(MODEL_REGISTRY["da3metric-large"])
        config.net.name, config.net.out_layers = "vits", [2, 5, 8, 11]
        config.head.dim_in, config.head.features, config.head.out_channels = 384, 16, [16, 16, 16, 16]
        path = folder / "da3metric-tiny.yaml"
        OmegaConf.save(config, path)
        MODEL_REGISTRY["da3metric-tiny"] = str(path)
        state = lively(create_object(config)).state_dict()
    weights = {f"model.{key}": value.contiguous().clone() for key, value in state.items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_name": "da3metric-tiny"}))
    return {"side": 70}


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


BUILDERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "d_fine": d_fine,
    "depth_anything": depth_anything,
    "depth_anything3": depth_anything3,
    "depth_pro": depth_pro,
    "grounding_dino": grounding_dino,
    "owlv2": owlv2,
    "rt_detr": rt_detr,
    "sam": sam,
    "sam2": sam2,
    "sam3": sam3,
    "sam3_tracker": sam3_tracker,
    "scene_yolo": scene_yolo,
    "timm_hub": timm_hub,
    "unet": unet,
    "vitpose": vitpose,
    "yolo": yolo,
    "yolo_world": yolo_world,
    "yoloe": yoloe,
    "zoedepth": zoedepth,
}
_BY_HAND = {
    "depth_anything3": ("depth_anything_3",),
    "scene_yolo": ("ultralytics",),
    "yolo": ("ultralytics",),
    "yolo_world": ("ultralytics",),
    "yoloe": ("ultralytics", "open_clip"),
}
"""Libraries that are never installed unless somebody asks for them, by the backends that need them."""
_NEEDED = {
    name: pytest.mark.skipif(
        any(find_spec(library) is None for library in libraries),
        reason=f"{' or '.join(libraries)} is not installed",
    )
    for name, libraries in _BY_HAND.items()
}


def each(rows: Iterable[str | tuple[Any, ...]]) -> list[Any]:
    """Rows of a parametrised test, each a backend's name or beginning with one; skipped without their library."""
    listed = [row if isinstance(row, tuple) else (row,) for row in rows]
    return [pytest.param(*row, marks=_NEEDED.get(row[0], ())) for row in listed]
