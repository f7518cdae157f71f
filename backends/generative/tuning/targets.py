"""The RGB answers to draw, made in bulk on the training device: twins of the numpy codecs, one per code.

Drawings are float32 (B, 3, H, W) in [0, 1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.backends.generative.codecs.depth import WALK

KEYPOINTS = 17
LEFT_RIGHT = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""Keypoint i of a person is keypoint LEFT_RIGHT[i] of the mirrored person."""


def depth_drawing(depth_m: Tensor) -> Tensor:
    """Metres (B, H, W) on the cube walk; +inf is white. NaN is drawn as 0 m (give it no weight)."""
    walk = torch.as_tensor(WALK, device=depth_m.device).float() / 255
    share = 1 - (1 + depth_m.float().nan_to_num(0.0, posinf=math.inf) / 10) ** -2
    place = (share * (len(walk) - 1)).round().long().clamp(0, len(walk) - 1)
    return walk[place].permute(0, 3, 1, 2)


def normals_drawing(normals: Tensor) -> Tensor:
    """Vectors (B, 3, H, W), +x right, +y up, +z to the viewer, of any integer or float scale of 127 a unit:
    R = (1 - x) / 2, G = (1 + y) / 2, B = (1 + z) / 2. Where there is no normal (zero), mid gray."""
    x, y, z = (normals.float() / 127).unbind(1)
    return torch.stack([1 - x, 1 + y, 1 + z], 1) / 2


def region_drawing(region: Tensor, colours: Tensor) -> Tensor:
    """Regions (B, H, W) painted by their pictures' colour tables, uint8 (B, R, 3)."""
    batch, height, width = region.shape
    index = region.reshape(batch, -1, 1).long().expand(-1, -1, 3)
    painted = torch.gather(colours, 1, index).view(batch, height, width, 3)
    return painted.permute(0, 3, 1, 2).float() / 255


def pose_drawing(keypoints: Tensor, colours: Tensor, height: int, width: int) -> Tensor:
    """Visible keypoints (B, K, 17, 3: x, y, v) as discs of their joint's colour (uint8 (17, 3)) on black. The
    discs grow with the person; those of larger persons lie on top, and of one person's, those of lower index."""
    device, batch = keypoints.device, len(keypoints)
    shown = keypoints[..., 2] >= 2
    place = keypoints[..., :2]
    high = torch.where(shown[..., None], place, -torch.inf).amax(2)
    low = torch.where(shown[..., None], place, torch.inf).amin(2)
    extent = (high - low).amax(-1).nan_to_num(0, neginf=0).clamp_min(0)
    radius = disc_radius(extent, height)
    reach = int(disc_radius(torch.tensor(1e9), height).ceil())
    offsets = torch.arange(-reach, reach + 1, device=device)
    px = place[..., 0].floor().long()[..., None, None] + offsets
    py = place[..., 1].floor().long()[..., None, None] + offsets[:, None]
    distance = (
        (px + 0.5 - place[..., 0, None, None]) ** 2 + (py + 0.5 - place[..., 1, None, None]) ** 2
    ).sqrt()
    inside = (distance <= radius[..., None, None, None]) & shown[..., None, None]
    inside = inside & (px >= 0) & (px < width) & (py >= 0) & (py < height)
    picture = torch.arange(batch, device=device).view(-1, 1, 1, 1, 1)
    seat = torch.where(inside, (picture * height + py) * width + px, batch * height * width)
    rank = extent.argsort(1).argsort(1)[..., None, None, None]
    order = torch.arange(KEYPOINTS, 0, -1, device=device).view(1, 1, -1, 1, 1)
    key = torch.broadcast_to(rank * 32 + order, seat.shape)
    top = torch.zeros(batch * height * width + 1, dtype=torch.int64, device=device)
    top.scatter_reduce_(0, seat.flatten(), key.flatten(), "amax")
    table = torch.cat([torch.zeros_like(colours[:1]), colours.flip(0)])
    drawn = table[top[:-1].view(batch, height, width) % 32]
    return drawn.permute(0, 3, 1, 2).float() / 255


def disc_radius(extent: Tensor, height: int) -> Tensor:
    """Radius in pixels of the discs of a person whose visible keypoints span `extent` pixels."""
    scale = height / 256
    return (0.035 * extent).clamp(3 * scale, 7 * scale)


def mirror_keypoints(keypoints: Tensor, width: int) -> Tensor:
    """Keypoints (..., 17, 3) of the picture flipped left to right: x turns round, left and right change names."""
    flipped = keypoints[..., list(LEFT_RIGHT), :].clone()
    flipped[..., 0] = width - flipped[..., 0]
    return flipped


def balance(drawing: Tensor, most: float) -> Tensor:
    """Pixel weights (B, 1, H, W) that lend the drawn part of a mostly black drawing about a third of the whole,
    by at most `most` a pixel. All ones for a drawing that is all black."""
    drawn = (drawing.amax(1, keepdim=True) > 0.02).float()
    share = drawn.mean((2, 3), keepdim=True)
    return 1 + drawn * ((0.35 / share.clamp_min(1e-6)).clamp(1, most) - 1)
