"""Rays of a pinhole with radial distortion, and the projection back to pixels (OpenCV's k1, k2)."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.scene import Camera


def _square(entries: list[Tensor]) -> Tensor:
    return torch.stack(entries, -1).view(*entries[0].shape, 3, 3)


def rotation_x(angle: Tensor) -> Tensor:
    """(..., 3, 3) turn about +x that takes +y towards +z."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _square([one, zero, zero, zero, c, -s, zero, s, c])


def rotation_y(angle: Tensor) -> Tensor:
    """(..., 3, 3) turn about +y that takes +z towards +x."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _square([c, zero, s, zero, one, zero, -s, zero, c])


def rotation_z(angle: Tensor) -> Tensor:
    """(..., 3, 3) turn about +z that takes +x towards +y."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _square([c, -s, zero, s, c, zero, zero, zero, one])


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """(..., 3, 3) @ (..., 3, 3), element by element so that a scene's result never depends on its batch."""
    return sum_of_three(a[..., :, :, None] * b[..., None, :, :], -2)


def rotate(matrix: Tensor, v: Tensor) -> Tensor:
    """(..., 3, 3) applied to (..., 3)."""
    return sum_of_three(matrix * v[..., None, :], -1)


def rotate_back(matrix: Tensor, v: Tensor) -> Tensor:
    """Transpose of (..., 3, 3) applied to (..., 3)."""
    return sum_of_three(matrix * v[..., :, None], -2)


def sum_of_three(t: Tensor, dim: int) -> Tensor:
    """Sum over an axis of length three in a fixed order."""
    a, b, c = t.unbind(dim)
    return a + b + c


def pixel_rays(camera: Camera, height: int, width: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Undistorted image-plane coordinates (x right, y up at z = 1) of a grid of rows x columns pixel centres
    of a height x width picture (the grid may be larger than the picture). Two (B, rows, columns) tensors."""
    fx, fy, cx, cy, k1, k2 = (v[:, None, None] for v in camera.intrinsics(height, width).unbind(-1))
    device = fx.device
    u = torch.arange(columns, device=device, dtype=torch.float32) + 0.5
    v = torch.arange(rows, device=device, dtype=torch.float32)[:, None] + 0.5
    xd, yd = (u - cx) / fx, (v - cy) / fy
    xd, yd = xd.expand(-1, rows, -1), yd.expand(-1, -1, columns)
    rd = xd * xd + yd * yd
    r2 = rd
    for _ in range(12):
        scale = 1 + r2 * (k1 + k2 * r2)
        r2 = rd / (scale * scale)
    scale = 1 + r2 * (k1 + k2 * r2)
    return xd / scale, -yd / scale


def project(camera: Camera, points: Tensor, height: int, width: int) -> Tensor:
    """World points (B, ..., 3) to (B, ..., 3): x, y in pixels and z-depth in metres. Behind the camera the
    depth is <= 0 and x, y mean nothing."""
    lead = (slice(None), *([None] * (points.dim() - 2)))
    local = rotate_back(camera.rotation[lead], points - camera.position[lead])
    fx, fy, cx, cy, k1, k2 = (v[lead] for v in camera.intrinsics(height, width).unbind(-1))
    z = local[..., 2]
    safe = torch.where(z.abs() < 1e-6, 1e-6, z)
    x, y = local[..., 0] / safe, -local[..., 1] / safe
    r2 = x * x + y * y
    scale = 1 + r2 * (k1 + k2 * r2)
    return torch.stack([x * scale * fx + cx, y * scale * fy + cy, z], -1)
