"""Clips: a moving camera and moving objects, with exact optical flow from each frame to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.camera import project, rotate, rotate_back
from visionrouter.benchmarks.scenes.intersect import MISS
from visionrouter.benchmarks.scenes.motion import camera_at, posed, take
from visionrouter.benchmarks.scenes.render import look, render
from visionrouter.benchmarks.scenes.scene import Scenes, Views
from visionrouter.schema.errors import RequestError

VISIBLE_SHARE = 0.02
"""A point counts as seen in the next frame if the depth found there differs by at most this share."""


@dataclass(frozen=True)
class Clip:
    """T frames of B scenes."""

    times_s: tuple[float, ...]
    views: tuple[Views, ...]
    flow: tuple[Tensor, ...]
    """T - 1 tensors (B, 2, H, W): dx, dy in pixels from a pixel centre in frame t to where the same surface
    point appears in frame t + 1; NaN where it passes behind the camera"""
    valid: tuple[Tensor, ...]
    """T - 1 tensors (B, H, W) bool: the point lies inside frame t + 1 and nothing hides it there"""


def render_clip(
    scenes: Scenes, times_s: Sequence[float], height: int = 256, width: int = 256, *, shadows: bool = True
) -> Clip:
    """Render the scenes at each time, with flow between neighbours. Raises RequestError on no times."""
    if not times_s:
        raise RequestError("a clip needs at least one time")
    views = tuple(render(scenes, height, width, shadows=shadows, time_s=t) for t in times_s)
    flows, valids = [], []
    for now, then, seen in zip(times_s[:-1], times_s[1:], views[1:], strict=True):
        flow, valid = optical_flow(scenes, now, then, seen)
        flows.append(flow)
        valids.append(valid)
    return Clip(tuple(times_s), views, tuple(flows), tuple(valids))


def optical_flow(scenes: Scenes, now_s: float, then_s: float, then: Views) -> tuple[Tensor, Tensor]:
    """Flow (B, 2, H, W) from the view at `now_s` to `then`, the view at `then_s`, and where it is valid. Every
    surface point rides on its solid; the sky moves with the camera's turning alone."""
    height, width = then.height, then.width
    with torch.no_grad():
        parts = [
            _flow(scenes[i : i + 1], now_s, then_s, then.depth_m[i : i + 1], height, width)
            for i in range(len(scenes))
        ]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


def _flow(
    scenes: Scenes, now_s: float, then_s: float, depth_then: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    before, after = posed(scenes, now_s), posed(scenes, then_s)
    camera = camera_at(scenes, then_s)
    surface, ray = look(scenes, height, width, now_s)
    point = torch.stack([*surface.position], -1)[:, :height, :width]
    sky = surface.sky[:, :height, :width]
    row = surface.row[:, :height, :width]
    moves = row < before.kind.shape[1]
    part = torch.where(moves, row, 0)
    local = rotate_back(take(before.rotation, part), point - take(before.centre, part))
    moved = take(after.centre, part) + rotate(take(after.rotation, part), local)
    point = torch.where(moves[..., None], moved, point)
    far = camera.position[:, None, None] + MISS * torch.stack([*ray], -1)[:, :height, :width]
    there = project(camera, torch.where(sky[..., None], far, point), height, width)
    x, y, z = there.unbind(-1)
    u = torch.arange(width, device=x.device) + 0.5
    v = torch.arange(height, device=x.device)[:, None] + 0.5
    ahead = z > 1e-3
    flow = torch.where(ahead[:, None], torch.stack([x - u, y - v], 1), torch.nan)
    inside = ahead & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    px, py = (torch.where(inside, c, 0.0).long() for c in (x, y))
    found = depth_then.flatten(1).gather(1, (py * width + px).flatten(1)).view_as(x)
    same = torch.where(sky, found.isinf(), (found - z).abs() <= VISIBLE_SHARE * z)
    return flow, inside & same
