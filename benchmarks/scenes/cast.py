"""Ray casting by tiles: find which parts can touch which tile of the picture, then test only those pairs.

Both passes (camera rays, shadow rays) reduce to rectangles in a plane that every ray of a tile crosses: the
image plane of a pinhole at the camera or at a lamp, or a plane across sunlight. A part's rectangle is that of
its bounding cuboid's eight corners, which is exact for convex hulls, so no hit is ever lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.camera import rotate, rotate_back
from visionrouter.benchmarks.scenes.intersect import BOX, MISS, QUADRIC, Vec, hit_box, hit_quadric
from visionrouter.benchmarks.scenes.scene import Parts

TILE = 16
RAYS = TILE * TILE
PAIRS_AT_ONCE = {"cpu": 1 << 10, "cuda": 1 << 16}
FAR = 1e8
NOTHING = (int(np.float32(MISS).view(np.int32)) << 32) | 0xFFFFFFFF
"""A hit is packed as the bits of its distance, then its part, so that the least number is the nearest hit."""


def to_tiles(image: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, T, C, RAYS) for H and W multiples of TILE."""
    b, c, h, w = image.shape
    tiles = image.view(b, c, h // TILE, TILE, w // TILE, TILE).permute(0, 2, 4, 1, 3, 5)
    return tiles.reshape(b, -1, c, RAYS)


def from_tiles(tiles: Tensor, height: int, width: int) -> Tensor:
    """(B, T, C, RAYS) -> (B, C, H, W); the inverse of `to_tiles`."""
    b, _, c, _ = tiles.shape
    grid = tiles.view(b, height // TILE, width // TILE, c, TILE, TILE).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(b, c, height, width)


@dataclass(frozen=True)
class Solids:
    """Parts made ready for casting. All tensors are (B, P, ...)."""

    parts: Parts
    to_unit: Tensor
    """(B, P, 3, 3): world offset from the centre to unit-solid coordinates"""
    corners: Tensor
    """(B, P, 8, 3) world corners of the bounding cuboid"""

    @classmethod
    def of(cls, parts: Parts) -> Solids:
        to_unit = parts.rotation.transpose(-1, -2) / parts.half_size[..., :, None]
        a, b, c, shear = *parts.shape[..., :3].unbind(-1), parts.shape[..., 2]
        box = parts.kind == BOX
        vertex = torch.where(c < -1e-6, (-b / (2 * torch.where(c < -1e-6, c, -1.0))).clamp(-1, 1), 1.0)
        widest = (
            torch.stack([a + b + c, a - b + c, a + (b + c * vertex) * vertex]).amax(0).clamp_min(0).sqrt()
        )
        wide_x = torch.where(box, torch.ones_like(a), widest)
        wide_z = torch.where(box, 1 + shear.abs(), widest)
        signs = torch.tensor(
            [[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)], device=a.device
        )
        reach = torch.stack([wide_x, torch.ones_like(a), wide_z], -1) * parts.half_size
        corners = parts.centre[:, :, None] + rotate(parts.rotation[:, :, None], signs * reach[:, :, None])
        return cls(parts, to_unit, corners)


def bounds(u: Tensor, v: Tensor, usable: Tensor) -> Tensor:
    """Rectangles (u0, v0, u1, v1) over the last axis of the usable entries; empty where there are none."""
    lo = [torch.where(usable, t, FAR).amin(-1) for t in (u, v)]
    hi = [torch.where(usable, t, -FAR).amax(-1) for t in (u, v)]
    return torch.stack([*lo, *hi], -1)


def perspective_bounds(local: Tensor, depth: Tensor) -> Tensor:
    """Rectangle of points (..., n, 2) seen from the origin, their depth (..., n). The whole plane where a
    point lies beside or behind the eye."""
    behind = (depth < 1e-3).any(-1, keepdim=True)
    safe = depth.clamp_min(1e-3)
    rect = bounds(local[..., 0] / safe, local[..., 1] / safe, torch.ones_like(depth, dtype=torch.bool))
    whole = torch.tensor([-FAR, -FAR, FAR, FAR], device=rect.device)
    return torch.where(behind, whole, rect)


def overlaps(tile_rect: Tensor, part_rect: Tensor) -> Tensor:
    """(B, T, P) bool: which rectangles overlap."""
    t0, t1, t2, t3 = tile_rect[:, :, None].unbind(-1)
    p0, p1, p2, p3 = part_rect[:, None].unbind(-1)
    return (t0 <= p2) & (t1 <= p3) & (p0 <= t2) & (p1 <= t3)


def _batches(found: Tensor, kinds: Tensor) -> Iterator[tuple[int, Tensor]]:
    kind = kinds[found[:, 0], found[:, 2]]
    size = PAIRS_AT_ONCE.get(found.device.type, 1 << 12)
    for which in (BOX, QUADRIC):
        wanted = found[kind == which]
        for start in range(0, len(wanted), size):
            yield which, wanted[start : start + size]


def _hit(which: int, solids: Solids, batch: Tensor, origin: Tensor, direction: Tensor) -> Tensor:
    """(E, RAYS) distances for pairs of one kind. origin, direction: (B * T, 3, RAYS or 1)."""
    scene, tile, part = batch.unbind(-1)
    row = scene * (len(origin) // len(solids.to_unit)) + tile
    m = solids.to_unit[scene, part][..., None]
    centre = solids.parts.centre[scene, part][..., None]
    o_world, d_world = Vec(*(origin[row] - centre).unbind(1)), Vec(*direction[row].unbind(1))
    o = Vec(*(m[:, i, 0] * o_world.x + m[:, i, 1] * o_world.y + m[:, i, 2] * o_world.z for i in range(3)))
    d = Vec(*(m[:, i, 0] * d_world.x + m[:, i, 1] * d_world.y + m[:, i, 2] * d_world.z for i in range(3)))
    hit = hit_box if which == BOX else hit_quadric
    return hit(o, d, solids.parts.shape[scene, part])


@dataclass(frozen=True)
class Silhouettes:
    """Which pixels of which tile each object would cover if it stood alone; Q rows."""

    scene: Tensor
    tile: Tensor
    owner: Tensor
    covered: Tensor
    """(Q, RAYS) bool"""


def nearest(
    solids: Solids, found: Tensor, origin: Tensor, direction: Tensor, silhouettes: bool
) -> tuple[Tensor, Tensor, Silhouettes]:
    """Nearest hit of each ray among the pairs: distance and part, both (B * T, RAYS); MISS and -1 where
    nothing is hit. origin: (B * T, 3, 1), direction: (B * T, 3, RAYS)."""
    rows = len(direction)
    tiles = rows // len(solids.to_unit)
    key = torch.full((rows, RAYS), NOTHING, dtype=torch.int64, device=direction.device)
    owner = solids.parts.owner[found[:, 0], found[:, 2]]
    owned = owner >= 0
    group, place = torch.unique(
        ((found[:, 0] * tiles + found[:, 1]) << 8 | owner)[owned & silhouettes], return_inverse=True
    )
    place_of = torch.full_like(owner, -1)
    place_of[owned & silhouettes] = place
    covered = torch.zeros(len(group), RAYS, dtype=torch.uint8, device=direction.device)
    found = torch.cat([found, place_of[:, None]], 1)
    for which, batch in _batches(found, solids.parts.kind):
        t = _hit(which, solids, batch[:, :3], origin, direction)
        packed = (t.view(torch.int32).to(torch.int64) << 32) | batch[:, 2, None]
        row = (batch[:, 0] * tiles + batch[:, 1])[:, None].expand(-1, RAYS)
        key.scatter_reduce_(0, row, torch.where(t < MISS, packed, NOTHING), "amin")
        if silhouettes:
            mine = batch[:, 3] >= 0
            seat = batch[mine, 3, None].expand(-1, RAYS)
            covered.scatter_reduce_(0, seat, (t[mine] < MISS).to(torch.uint8), "amax")
    distance = (key >> 32).to(torch.int32).view(torch.float32)
    part = (key & 0xFFFFFFFF).to(torch.int32).to(torch.int64)
    row = group >> 8
    return distance, part, Silhouettes(row // tiles, row % tiles, group & 0xFF, covered > 0)


def blocked(solids: Solids, found: Tensor, origin: Tensor, direction: Tensor, reach: Tensor) -> Tensor:
    """(B * T, RAYS) bool: does a ray meet a part before `reach`? origin, direction: (B * T, 3, RAYS or 1)."""
    tiles = len(origin) // len(solids.to_unit)
    dark = torch.zeros(len(origin), RAYS, dtype=torch.uint8, device=origin.device)
    for which, batch in _batches(found, solids.parts.kind):
        t = _hit(which, solids, batch, origin, direction)
        row = batch[:, 0] * tiles + batch[:, 1]
        stops = (t < reach[row]).to(torch.uint8)
        dark.scatter_reduce_(0, row[:, None].expand(-1, RAYS), stops, "amax")
    return dark > 0


def camera_pairs(solids: Solids, position: Tensor, rotation: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """(E, 3) int64 rows of scene, tile, part that camera rays have to test, in ascending order. u, v:
    (B, T, RAYS) undistorted image-plane coordinates of the rays."""
    local = rotate_back(rotation[:, None, None], solids.corners - position[:, None, None])
    rect = perspective_bounds(local[..., :2], local[..., 2])
    in_front = (local[..., 2] > 0).any(-1)
    wanted = in_front & (solids.parts.kind >= 0)
    everything = torch.ones_like(u, dtype=torch.bool)
    return (overlaps(bounds(u, v, everything), rect) & wanted[:, None]).nonzero()


def light_pairs(solids: Solids, light: Tensor, points: Tensor, lit: Tensor) -> Tensor:
    """Pairs as above for shadow rays. light: (B, 4) direction to the sun with 0, or lamp position with 1.
    points: (B, T, 3, RAYS), lit: (B, T, RAYS) the points that ask."""
    is_lamp = light[:, 3] > 0.5
    down = torch.tensor([0.0, 1.0, 0.0], device=light.device).expand(len(light), 3)
    axis = torch.where(is_lamp[:, None], down, light[:, :3])
    side = torch.where(
        (axis[:, 1].abs() > 0.9)[:, None], torch.tensor([1.0, 0.0, 0.0], device=light.device), down
    )
    e1 = torch.nn.functional.normalize(torch.linalg.cross(axis, side), dim=-1)
    e2 = torch.linalg.cross(axis, e1)
    basis = torch.stack([e1, e2, -axis], -1)
    origin = torch.where(is_lamp[:, None], light[:, :3], 0.0)
    corner = rotate_back(basis[:, None, None], solids.corners - origin[:, None, None])
    everything = torch.ones_like(corner[..., 0], dtype=torch.bool)
    lamp_rect = perspective_bounds(corner[..., :2], corner[..., 2])
    sun_rect = bounds(corner[..., 0], corner[..., 1], everything)
    part_rect = torch.where(is_lamp[:, None, None], lamp_rect, sun_rect)
    moved = rotate_back(basis[:, None, None], points.transpose(2, 3) - origin[:, None, None])
    above = (moved[..., 2] < 1e-3) & is_lamp[:, None, None]
    scale = torch.where(is_lamp[:, None, None], moved[..., 2].clamp_min(1e-3), 1.0)
    tile_rect = bounds(moved[..., 0] / scale, moved[..., 1] / scale, lit & ~above)
    whole = torch.tensor([-FAR, -FAR, FAR, FAR], device=light.device)
    tile_rect = torch.where((above & lit).any(-1, keepdim=True), whole, tile_rect)
    farthest = torch.where(lit, moved[..., 2], -FAR).amax(-1)
    before = corner[..., 2].amin(-1)[:, None] <= farthest[:, :, None]
    wanted = before & (solids.parts.kind >= 0)[:, None]
    return (overlaps(tile_rect, part_rect) & wanted).nonzero()
