"""Ground truth of objects from silhouettes and instance maps; keypoints; digests."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.camera import project
from visionrouter.benchmarks.scenes.cast import TILE, Silhouettes
from visionrouter.benchmarks.scenes.motion import camera_at, posed_keypoints
from visionrouter.benchmarks.scenes.scene import Objects, Scenes, Views


def objects(
    scenes: Scenes,
    silhouettes: Silhouettes,
    owner: Tensor,
    depth: Tensor,
    height: int,
    width: int,
    time_s: float,
) -> Objects:
    """owner, depth: (B, T, RAYS) tiles of the object slot seen (-1 for none) and its depth."""
    b, k = scenes.class_id.shape
    s = silhouettes
    columns = -(-width // TILE)
    device = owner.device
    index = torch.arange(TILE * TILE, device=device)
    x = (s.tile % columns * TILE)[:, None] + index % TILE
    y = (s.tile // columns * TILE)[:, None] + index // TILE
    inside = s.covered & (x < width) & (y < height)
    seen = inside & (owner[s.scene, s.tile] == s.owner[:, None])
    seat = s.scene * k + s.owner

    def total(values: Tensor) -> Tensor:
        return torch.zeros(b * k, dtype=values.dtype, device=device).index_add_(0, seat, values)

    def box(mask: Tensor) -> Tensor:
        low = [
            torch.full((b * k,), 1 << 20, device=device).scatter_reduce_(
                0, seat, torch.where(mask, c, 1 << 20).amin(1), "amin"
            )
            for c in (x, y)
        ]
        high = [
            torch.full((b * k,), -1, device=device).scatter_reduce_(
                0, seat, torch.where(mask, c, -1).amax(1), "amax"
            )
            for c in (x, y)
        ]
        rect = torch.stack([low[0], low[1], high[0] + 1, high[1] + 1], -1).float()
        return torch.where(high[0][:, None] >= 0, rect, 0.0).view(b, k, 4)

    visible_px, full_px = total(seen.sum(1)), total(inside.sum(1))
    count = visible_px.clamp_min(1).double()
    millimetres = torch.where(seen, (depth[s.scene, s.tile] * 1000).round().clamp_max(1e9), 0).double().sum(1)
    mean_depth = (total(millimetres) / count / 1000).float()
    centroid = torch.stack(
        [(total(torch.where(seen, c, 0).sum(1)).double() / count + 0.5).float() for c in (x, y)], -1
    )
    some = visible_px > 0
    return Objects(
        class_id=scenes.class_id,
        colour=scenes.colour,
        visible_px=visible_px.view(b, k),
        full_px=full_px.view(b, k),
        occluded=(1 - visible_px / full_px.clamp_min(1)).view(b, k),
        visible_box=box(seen),
        full_box=box(inside),
        depth_m=torch.where(some, mean_depth, torch.inf).view(b, k),
        centroid=torch.where(some[:, None], centroid, 0.0).view(b, k, 2),
        keypoints=keypoints(scenes, owner, depth, height, width, time_s),
    )


def keypoints(scenes: Scenes, owner: Tensor, depth: Tensor, height: int, width: int, time_s: float) -> Tensor:
    """(B, K, 17, 3) x, y, v. A joint inside the frame is visible where its pixel shows its own person and
    nothing of that person lies more than a limb's thickness in front of it."""
    world = posed_keypoints(scenes, time_s)
    person = ~world.isnan().any(-1)
    seen = project(camera_at(scenes, time_s), world.nan_to_num(), height, width)
    x, y, z = seen.unbind(-1)
    inside = person & (z > 0.05) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    px, py = (torch.where(inside, c, 0.0).long() for c in (x, y))
    columns = -(-width // TILE)
    scene = torch.arange(len(z), device=z.device)[:, None, None]
    tile, ray = py // TILE * columns + px // TILE, py % TILE * TILE + px % TILE
    slot = torch.arange(world.shape[1], device=z.device)[None, :, None]
    own = owner[scene, tile, ray] == slot
    clear = depth[scene, tile, ray] > z - LIMB_M
    v = torch.where(inside, torch.where(own & clear, 2.0, 1.0), 0.0)
    return torch.stack([torch.where(inside, x, 0.0), torch.where(inside, y, 0.0), v], -1)


LIMB_M = 0.16
"""A joint lies at most this far behind the surface that shows it."""


def digest(views: Views) -> list[str]:
    """sha256 of each scene's quantised pictures and truth: RGB to 8 bits, depth to millimetres, normals to
    1/127, instances, classes and visible boxes. Equal across runs, processes and batches on one kind of
    device; devices differ by rounding."""
    v = views.to("cpu")
    o = v.objects
    layers = (
        (v.rgb * 255).round().to(torch.uint8),
        (v.depth_m.nan_to_num(posinf=1e6) * 1000).round().to(torch.int64),
        (v.normals * 127).round().to(torch.int8),
        v.instance,
        v.semantic,
        o.class_id,
        o.colour,
        o.visible_px,
        o.full_px,
        o.visible_box.to(torch.int64),
        (o.keypoints * 16).round().to(torch.int64),
    )
    out = []
    for i in range(len(v)):
        sha = hashlib.sha256()
        for layer in layers:
            sha.update(layer[i].contiguous().numpy().tobytes())
        out.append(sha.hexdigest())
    return out
