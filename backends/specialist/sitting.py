"""Training a small specialist in one sitting: pictures held on the device, by time, a moving average of the weights."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from visionrouter.backends.generative.tuning.labelled import Labelled, Source, Vocabulary
from visionrouter.backends.weights import sha256_of

RENDERED_AT_ONCE = 64
WARM_UP_STEPS = 200
DECAY = 0.999


def gather(source: Source, start: int, count: int, size: int, device: str) -> Labelled:
    """Pictures [start, start + count) of a source, square of `size` pixels, all on the device."""
    place = torch.device(device)
    return Labelled.joined(
        [
            source.pictures(start + begin, min(RENDERED_AT_ONCE, count - begin), size, place)
            for begin in range(0, count, RENDERED_AT_ONCE)
        ]
    )


def mirrored(some: Labelled) -> Labelled:
    """The pictures seen in a mirror. Keypoints stay as they are: no specialist trained here reads them."""
    normals = some.normals.flip(-1).clone()
    normals[:, 0].neg_()
    return replace(
        some,
        rgb=some.rgb.flip(-1),
        depth_m=some.depth_m.flip(-1),
        normals=normals,
        region=some.region.flip(-1),
    )


def zoomed(some: Labelled, least: float, most: float, noise: torch.Generator) -> Labelled:
    """Every picture enlarged by its own factors along x and y, both between `least` and `most`, about a random place.

    What lies beyond the picture is black and unlabelled. Colours, depth and regions only: normals stay as they are.
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
        some, rgb=rgb.round().to(torch.uint8), depth_m=depth_m.half(), region=region.to(some.region.dtype)
    )


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


def fit(
    network: torch.nn.Module,
    loss_of_batch: Callable[[], Tensor],
    *,
    minutes: float,
    rate: float,
    weight_decay: float = 0.01,
) -> int:
    """Train by AdamW for `minutes`, the rate falling to 1 % along a cosine; returns the number of steps.

    `loss_of_batch` draws a batch and gives its loss. The network ends in eval mode with the moving average.
    """
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=weight_decay)
    state = network.state_dict()
    moving = [v for v in state.values() if v.is_floating_point()]
    average = [v.detach().clone() for v in moving]
    start_s, step, share = time.perf_counter(), 0, 0.0
    network.train()
    while share < 1:
        warm = min(1.0, (step + 1) / WARM_UP_STEPS)
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * max(0.01, 0.5 * (1 + math.cos(math.pi * share)))
        loss = loss_of_batch()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0, error_if_nonfinite=False)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, moving, 1 - min(DECAY, (1 + step) / (10 + step)))
        step += 1
        if step % 100 == 0:
            print(f"{share:5.1%} step {step} loss {loss.item():.4f}", flush=True)  # noqa: T201
        share = (time.perf_counter() - start_s) / (60 * minutes)
    with torch.no_grad():
        torch._foreach_copy_(moving, average)
    network.eval()
    return step


def save(network: torch.nn.Module, folder: Path, name: str, card: Mapping[str, object]) -> None:
    """Write `name`.safetensors in float16, and `name`.json: its digest, its size and the rest of the card."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    state = {
        k: (v.half() if v.is_floating_point() else v).cpu().contiguous()
        for k, v in network.state_dict().items()
    }
    save_file(state, path)
    path.chmod(0o644)
    whole = {"sha256": sha256_of(path), "bytes": path.stat().st_size, **card}
    path.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n")
