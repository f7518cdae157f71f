"""Pictures for training a small specialist: rendered once, kept on the disk, held on the device, mirrored and zoomed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from visionrouter.backends.generative.tuning.labelled import Labelled, Source, Vocabulary
from visionrouter.backends.generative.tuning.targets import mirror_keypoints

RENDERED_AT_ONCE = 64


def gather(
    source: Source, start: int, count: int, size: int, device: str, folder: Path | None = None
) -> Labelled:
    """Pictures [start, start + count) of a source, square of `size` pixels, all on the device; kept in a folder."""

    def render() -> dict[str, Tensor]:
        place = torch.device(device)
        parts = [
            source.pictures(start + begin, min(RENDERED_AT_ONCE, count - begin), size, place)
            for begin in range(0, count, RENDERED_AT_ONCE)
        ]
        return vars(Labelled.joined(parts))

    if folder is None:
        return Labelled(**render())
    name = hashlib.sha256(repr((source, start, count, size)).encode()).hexdigest()[:16]
    return Labelled(**kept(folder / f"pictures-{name}.safetensors", render, device))


def kept(path: Path, make: Callable[[], dict[str, Tensor]], device: str) -> dict[str, Tensor]:
    """Tensors read from a file where an earlier run wrote it, else made and written: a run that goes on does not make
    them anew."""
    from safetensors.torch import load_file, save_file

    if path.is_file():
        read: dict[str, Tensor] = load_file(path, device)
        return read
    made = make()
    partial = path.with_suffix(".partial")
    save_file({name: value.contiguous() for name, value in made.items()}, partial)
    partial.replace(path)
    return made


def mirrored(some: Labelled) -> Labelled:
    """The pictures seen in a mirror."""
    normals = some.normals.flip(-1).clone()
    normals[:, 0].neg_()
    return replace(
        some,
        rgb=some.rgb.flip(-1),
        depth_m=some.depth_m.flip(-1),
        normals=normals,
        region=some.region.flip(-1),
        keypoints=mirror_keypoints(some.keypoints, some.rgb.shape[-1]),
    )


def zoomed(some: Labelled, least: float, most: float, noise: torch.Generator) -> Labelled:
    """Every picture enlarged by its own factors along x and y, both between `least` and `most`, about a random place.

    What lies beyond the picture is black and unlabelled. Normals stay as they are: no specialist that zooms reads them.
    """
    count, place = len(some), some.rgb.device
    factor = least * (most / least) ** torch.rand(count, 1, generator=noise, device=place)
    factors = (factor * torch.empty(count, 2, device=place).uniform_(0.8, 1.25, generator=noise)).clamp(
        least, most
    )
    room = 1 - 1 / factors
    theta = torch.zeros(count, 2, 3, device=place)
    theta[:, 0, 0], theta[:, 1, 1] = (1 / factors).unbind(1)
    theta[:, :, 2] = room * (2 * torch.rand(count, 2, generator=noise, device=place) - 1)
    grid = affine_grid(theta, list(some.rgb.shape), align_corners=False)
    exact = torch.stack([some.region.float(), some.depth_m.float()], 1)
    region, depth_m = grid_sample(exact, grid, mode="nearest", align_corners=False).unbind(1)
    rgb = grid_sample(some.rgb.float(), grid, mode="bilinear", align_corners=False)
    return replace(
        some,
        rgb=rgb.round().to(torch.uint8),
        depth_m=depth_m.half(),
        region=region.to(some.region.dtype),
        keypoints=_moved(some.keypoints, factors, theta[:, :, 2], rgb.shape[-1]),
    )


def _moved(keypoints: Tensor, factors: Tensor, shift: Tensor, size: int) -> Tensor:
    """Keypoints (B, K, 17, 3) of pictures enlarged by `factors` (B, 2) about what `shift` (B, 2) says in half sides; those
    that leave the picture are unlabelled."""
    place = 2 * keypoints[..., :2] / size - 1
    place = (place - shift[:, None, None]) * factors[:, None, None]
    inside = (place.abs() <= 1).all(-1)
    seen = torch.where(inside, keypoints[..., 2], 0)
    return torch.cat([(place + 1) * size / 2, seen[..., None]], -1)


def visible(region: Tensor, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """What is seen of each object: boxes float32 (B, K, 4) xyxy in pixels, zeros where nothing is; pixels int64 (B, K).

    `region` uint8 (B, H, W).
    """
    objects = torch.arange(
        vocabulary.first_object, vocabulary.regions, device=region.device, dtype=region.dtype
    )
    boxes, pixels = [], []
    for some in torch.split(region, 32):
        masks = some[..., None] == objects
        (left, right), (top, bottom) = _extent(masks.any(1)), _extent(masks.any(2))
        boxes.append(torch.stack([left, top, right, bottom], -1))
        pixels.append(masks.sum((1, 2)))
    return torch.cat(boxes), torch.cat(pixels)


def _extent(seen: Tensor) -> tuple[Tensor, Tensor]:
    """First and one past the last true place along axis 1 of bool (B, L, K); zeros where there is none."""
    places = torch.arange(seen.shape[1], device=seen.device)[None, :, None]
    first = torch.where(seen, places, seen.shape[1]).amin(1)
    end = torch.where(seen, places + 1, 0).amax(1)
    return torch.minimum(first, end).float(), end.float()
