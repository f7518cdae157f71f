"""Models to measure: each is written into a folder with random weights and loaded as a checkpoint would be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionrouter.backends.base import Backend
from visionrouter.backends.registry import create
from visionrouter.schema.task import Task


@dataclass(frozen=True, slots=True)
class Builder:
    """A row of the benchmark. `write` makes a checkpoint, small where it is told so, and gives more params."""

    use: str
    task: Task
    write: Callable[[Path, bool], dict[str, Any]]

    def make(self, folder: Path, device: str | None, batch: int, tiny: bool) -> Backend:
        params = self.write(folder, tiny)
        return create(
            self.use, params={"source": str(folder), "device": device, "batch_limit": batch, **params}
        )


def sam_vit_h(folder: Path, tiny: bool) -> dict[str, Any]:
    import transformers as hf

    vision = {
        "hidden_size": 1280,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "global_attn_indexes": [7, 15, 23, 31],
    }
    if tiny:
        vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "global_attn_indexes": [1], "image_size": 128, "mlp_dim": 64}  # fmt: skip
    prompts = {"image_size": 128, "image_embedding_size": 8} if tiny else {}
    hf.SamModel(hf.SamConfig(vision_config=vision, prompt_encoder_config=prompts)).save_pretrained(folder)
    return {}


def depth_vit_l(folder: Path, tiny: bool) -> dict[str, Any]:
    import transformers as hf

    size: dict[str, Any] = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
    stages, neck, side = ["stage5", "stage12", "stage18", "stage24"], [256, 512, 1024, 1024], 518
    if tiny:
        size = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
        stages, neck, side = ["stage1", "stage2", "stage3", "stage4"], [8, 8, 8, 8], 70
    backbone = hf.Dinov2Config(
        **size, image_size=side, patch_size=14, out_features=stages, reshape_hidden_states=False
    )
    config = hf.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=size["hidden_size"], neck_hidden_sizes=neck,
        fusion_hidden_size=neck[0], patch_size=14, max_depth=1,
    )  # fmt: skip
    hf.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    processor = hf.DPTImageProcessor(
        size={"height": side, "width": side}, keep_aspect_ratio=True, ensure_multiple_of=14
    )
    processor.save_pretrained(folder)
    return {}


def rt_detr_r101(folder: Path, tiny: bool) -> dict[str, Any]:
    import transformers as hf

    from visionrouter.backends.specialist import coco

    side = 64 if tiny else 640
    backbone = hf.RTDetrResNetConfig(
        depths=[1, 1, 1, 1] if tiny else [3, 4, 23, 3], layer_type="bottleneck",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = hf.RTDetrV2Config(
        backbone_config=backbone,
        num_denoising=0,
        num_queries=20 if tiny else 300,
        id2label=dict(enumerate(coco.CLASSES)),
        label2id={name: i for i, name in enumerate(coco.CLASSES)},
    )
    hf.RTDetrV2ForObjectDetection(config).save_pretrained(folder)
    hf.RTDetrImageProcessor(size={"height": side, "width": side}).save_pretrained(folder)
    return {}


def yolo26x(folder: Path, tiny: bool) -> dict[str, Any]:
    import yaml
    from safetensors.torch import save_file

    from visionrouter.backends.specialist import coco
    from visionrouter.backends.specialist.yolo.network import tasks

    with tasks("yolo") as library:
        config = library.yaml_model_load("yolo26x.yaml") | {"names": list(coco.CLASSES)}
        if tiny:
            config |= {"scales": {"t": [0.2, 0.05, 128]}, "scale": "t"}
        model = library.DetectionModel({**config}, ch=3, verbose=False)
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "model.yaml").write_text(yaml.safe_dump({k: v for k, v in config.items() if k != "yaml_file"}))
    return {"side": 64} if tiny else {}


BUILDERS: dict[str, Builder] = {
    "SAM ViT-H": Builder("sam", Task.PROMPTABLE, sam_vit_h),
    "YOLO26x": Builder("yolo", Task.DETECT, yolo26x),
    "Depth Anything ViT-L": Builder("depth_anything", Task.DEPTH, depth_vit_l),
    "RT-DETRv2 R101": Builder("rt_detr", Task.DETECT, rt_detr_r101),
}
