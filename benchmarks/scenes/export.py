"""Writing pictures and truth: PNG, COCO-style JSON, 16-bit depth; contact sheets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionrouter.benchmarks.scenes.damage import damage as apply_damage
from visionrouter.benchmarks.scenes.render import render
from visionrouter.benchmarks.scenes.scene import Views
from visionrouter.benchmarks.scenes.vocabulary import (
    CLASSES,
    COLOUR_NAMES,
    KEYPOINTS,
    SKELETON,
    STUFF,
    WORLDS,
)
from visionrouter.benchmarks.scenes.worlds import sample
from visionrouter.schema.errors import RequestError

DEPTH_CAP_M = 65.534
"""Depth PNGs hold millimetres as uint16: 65535 means the sky or anything at or beyond this cap. The exact
depth is in the npz beside it."""
FOLDERS = ("images", "depth", "exact", "instances", "semantic", "normals")


def coco_categories() -> list[dict[str, Any]]:
    """One category for each class, in the order of CLASSES; id = index + 1, so that 0 stays free."""
    out: list[dict[str, Any]] = []
    for index, name in enumerate(CLASSES):
        category = {
            "id": index + 1,
            "name": name,
            "supercategory": "stuff" if index < len(STUFF) else "thing",
        }
        if name == "person":
            category |= {"keypoints": list(KEYPOINTS), "skeleton": [[a + 1, b + 1] for a, b in SKELETON]}
        out.append(category)
    return out


def coco_annotations(views: Views, image_ids: list[int], first_id: int) -> list[dict[str, Any]]:
    """Annotations of the visible objects. `segmentation` is compressed RLE of the visible mask, `bbox` its
    xywh box; besides COCO's own keys: full_bbox (xywh, unoccluded), occluded, colour, distance_m."""
    from pycocotools import mask as rle

    v = views.to("cpu")
    objects = v.objects
    out: list[dict[str, Any]] = []
    for i, image_id in enumerate(image_ids):
        instance = v.instance[i].numpy()
        for k in (objects.visible_px[i] > 0).nonzero()[:, 0].tolist():
            code: dict[str, Any] = dict(rle.encode(np.asfortranarray(instance == k + 1).astype(np.uint8)))
            colour = int(objects.colour[i, k])
            annotation = {
                "id": first_id + len(out),
                "image_id": image_id,
                "category_id": int(objects.class_id[i, k]) + 1,
                "segmentation": {"size": code["size"], "counts": code["counts"].decode()},
                "area": int(objects.visible_px[i, k]),
                "bbox": _xywh(objects.visible_box[i, k]),
                "iscrowd": 0,
                "full_bbox": _xywh(objects.full_box[i, k]),
                "occluded": round(float(objects.occluded[i, k]), 4),
                "colour": COLOUR_NAMES[colour] if colour >= 0 else None,
                "distance_m": round(float(objects.depth_m[i, k]), 3),
            }
            if CLASSES[int(objects.class_id[i, k])] == "person":
                joints = objects.keypoints[i, k]
                annotation["keypoints"] = [round(value, 2) for value in joints.flatten().tolist()]
                annotation["num_keypoints"] = int((joints[:, 2] > 0).sum())
            out.append(annotation)
    return out


def _xywh(box: Tensor) -> list[float]:
    x0, y0, x1, y1 = box.tolist()
    return [x0, y0, x1 - x0, y1 - y0]


def write(views: Views, folder: str | Path) -> Path:
    """Write pictures with their truth and return the path of the COCO-style annotations.json.

    images/NAME.png; depth/NAME.png (16-bit, millimetres, see `DEPTH_CAP_M`); exact/NAME.npz (float32
    `depth_m`, inf at sky, and `normals` 3xHxW); instances/NAME.png (8-bit, 0 stuff, k + 1 object slot k);
    semantic/NAME.png (8-bit index into CLASSES); normals/NAME.png ((n + 1) / 2). NAME is world_seed.
    """
    from PIL import Image

    folder = Path(folder)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    v = views.to("cpu")
    names = [f"{WORLDS[w]}_{s}" for w, s in zip(v.world.tolist(), v.seed.tolist(), strict=True)]
    rgb = _bytes(v.rgb)
    normals = _bytes(v.normals * 0.5 + 0.5)
    for i, name in enumerate(names):
        depth = v.depth_m[i].numpy()
        millimetres = np.where(depth < DEPTH_CAP_M, depth * 1000, 65535).round().astype(np.uint16)
        layers = {
            "images": rgb[i],
            "depth": millimetres,
            "instances": v.instance[i].numpy(),
            "semantic": v.semantic[i].numpy(),
            "normals": normals[i],
        }
        for kind, pixels in layers.items():
            Image.fromarray(pixels).save(folder / kind / f"{name}.png")
        np.savez_compressed(folder / "exact" / f"{name}.npz", depth_m=depth, normals=v.normals[i].numpy())
    ids = list(range(1, len(v) + 1))
    images = [
        {
            "id": image_id,
            "file_name": f"images/{name}.png",
            "height": v.height,
            "width": v.width,
            "seed": int(v.seed[i]),
            "world": WORLDS[int(v.world[i])],
            "intrinsics": dict(
                zip(("fx", "fy", "cx", "cy", "k1", "k2"), v.intrinsics[i].tolist(), strict=True)
            ),
        }
        for i, (image_id, name) in enumerate(zip(ids, names, strict=True))
    ]
    path = folder / "annotations.json"
    document = {
        "info": {"description": "visionrouter proving ground", "depth_png_cap_m": DEPTH_CAP_M},
        "images": images,
        "categories": coco_categories(),
        "annotations": coco_annotations(v, ids, 1),
    }
    path.write_text(json.dumps(document))
    return path


def render_to_folder(
    world: str,
    n: int,
    seed: int,
    out: str | Path,
    size: tuple[int, int] = (256, 256),
    *,
    damage: str | None = None,
    severity: int = 3,
    ood: bool = False,
    device: str = "cpu",
) -> Path:
    """Render scenes of seeds seed .. seed + n - 1 at size (height, width) into a folder, with a contact sheet
    (contact_sheet.png); returns the path of annotations.json. Raises RequestError on an unknown world, damage,
    severity, or a count or size that is not positive."""
    from PIL import Image

    if n < 1:
        raise RequestError(f"{n} scenes cannot be rendered: ask for at least one")
    views = render(sample(world, range(seed, seed + n), ood=ood).to(device), *size)
    if damage is not None:
        views = replace(views, rgb=apply_damage(views.rgb, views.depth_m, damage, severity, views.seed))
    path = write(views, out)
    Image.fromarray(contact_sheet(views.rgb)).save(Path(out) / "contact_sheet.png")
    return path


def _bytes(images: Tensor) -> NDArray[np.uint8]:
    """(B, 3, H, W) in [0, 1] to uint8 (B, H, W, 3)."""
    pixels: NDArray[np.uint8] = (
        (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().contiguous().numpy()
    )
    return pixels


def contact_sheet(rgb: Tensor, columns: int = 8, gap: int = 2) -> NDArray[np.uint8]:
    """Lay (B, 3, H, W) pictures in [0, 1] out in rows; returns uint8 (rows, columns, 3)."""
    b, _, h, w = rgb.shape
    columns = min(columns, b)
    rows = -(-b // columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, np.uint8)
    for i, picture in enumerate(_bytes(rgb)):
        y, x = i // columns * (h + gap), i % columns * (w + gap)
        sheet[y : y + h, x : x + w] = picture
    return sheet
