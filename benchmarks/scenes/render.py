"""Rendering scenes with their ground truth, on the device where the scenes are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import cast, shading, truth
from visionrouter.benchmarks.scenes.camera import pixel_rays
from visionrouter.benchmarks.scenes.cast import TILE, Solids
from visionrouter.benchmarks.scenes.develop import develop
from visionrouter.benchmarks.scenes.intersect import MISS, Vec, dot
from visionrouter.benchmarks.scenes.motion import camera_at, posed
from visionrouter.benchmarks.scenes.scene import Camera, Scenes, Views, concatenate
from visionrouter.benchmarks.scenes.surface import Surface, class_table, meet
from visionrouter.schema.errors import RequestError

SHADOWS_TO_M = 250.0
"""Beyond this distance nothing is seen in shadow."""


@dataclass(frozen=True)
class Sight:
    """What the camera sees, before it is coloured, on a grid rounded up to whole tiles."""

    surface: Surface
    ray: Vec
    """times the surface's distance the way from the camera in world axes"""
    lit: Tensor
    """(B, H, W) 1 where the key light arrives, 0 in shadow"""
    intrinsics: Tensor
    """(B, 6) as in Views"""
    height: int
    """of the picture, pixels"""
    width: int


Paint = Callable[[Scenes, Sight], Tensor]
"""Gives sRGB (B, 3, height, width) in [0, 1]."""


def photograph(scenes: Scenes, sight: Sight) -> Tensor:
    """The look of the four worlds: textures, lamps, contact shade, and a camera that develops the picture."""
    surface, ray, intrinsics = sight.surface, sight.ray, sight.intrinsics
    footprint = surface.distance.clamp_max(1e4) / intrinsics[:, 0, None, None]
    cosine = dot(surface.normal, ray).abs() / dot(ray, ray).sqrt()
    albedo, normal = shading.albedo_and_normal(
        surface.material,
        surface.local,
        surface.u,
        surface.v,
        surface.normal,
        footprint / cosine.clamp_min(0.1),
    )
    lit = shading.soften(sight.lit, surface.distance, scenes.environment.shadow_blur * sight.height)
    openness = shading.contact_shade(
        surface.distance, surface.position, surface.normal, surface.sky, intrinsics[:, 0]
    )
    light = shading.illuminate(scenes.environment, surface, ray, albedo, normal, lit, openness)
    if bool(surface.sky.any()):
        sky = shading.sky(scenes.environment, ray)
        light = [torch.where(surface.sky, s, c) for s, c in zip(sky, light, strict=True)]
    picture = torch.stack(light, 1)[:, :, : sight.height, : sight.width]
    return develop(picture, scenes.sensor, scenes.seed)


def render(
    scenes: Scenes,
    height: int = 256,
    width: int = 256,
    *,
    shadows: bool = True,
    time_s: float = 0.0,
    paint: Paint = photograph,
) -> Views:
    """Draw B scenes as they are at `time_s`, with the truth of every pixel and object, and coloured by `paint`.

    On the CPU each of torch's threads draws scenes of its own (many threads on one small scene would wait for
    each other more than work), which makes no difference to the result; on a GPU all scenes are drawn at once
    (about 40 MiB a scene of 256x256). Raises RequestError on a size that is not positive.
    """
    if height < 1 or width < 1:
        raise RequestError(f"a picture of {width}x{height} pixels cannot be rendered: both must be positive")
    if scenes.seed.device.type != "cpu":
        return _render(scenes, height, width, shadows, time_s, paint)
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            groups = list(
                pool.map(
                    lambda i: _render(scenes[i : i + 1], height, width, shadows, time_s, paint),
                    range(len(scenes)),
                )
            )
    finally:
        torch.set_num_threads(threads)
    return groups[0] if len(groups) == 1 else concatenate(groups)


@torch.no_grad()
def _render(scenes: Scenes, height: int, width: int, shadows: bool, time_s: float, paint: Paint) -> Views:
    solids, camera = Solids.of(posed(scenes, time_s)), camera_at(scenes, time_s)
    surface, ray, silhouettes = _look(scenes, solids, camera, height, width)
    b = len(scenes)

    intrinsics = camera.intrinsics(height, width)
    lit = _shadow(scenes, solids, surface) if shadows else torch.ones_like(surface.distance)
    rgb = paint(scenes, Sight(surface, ray, lit, intrinsics, height, width))

    classes = class_table(solids, scenes.environment)
    semantic = torch.gather(classes, 1, surface.row.view(b, -1)).view_as(surface.row)
    semantic = torch.where(surface.sky, 0, semantic).to(torch.uint8)
    on_part = ~surface.sky & (surface.row < solids.parts.kind.shape[1])
    owner = torch.gather(solids.parts.owner, 1, torch.where(on_part, surface.row, 0).view(b, -1))
    owner = torch.where(on_part, owner.view_as(surface.row), -1)
    tiles = cast.to_tiles(torch.stack([owner.float(), surface.distance], 1))
    normals = _to_camera(camera, surface.normal)
    return Views(
        rgb=rgb,
        depth_m=torch.where(surface.sky, torch.inf, surface.distance)[:, :height, :width].contiguous(),
        normals=torch.where(surface.sky[:, None], 0.0, normals)[:, :, :height, :width].contiguous(),
        instance=(owner + 1).to(torch.uint8)[:, :height, :width].contiguous(),
        semantic=semantic[:, :height, :width].contiguous(),
        objects=truth.objects(
            scenes, silhouettes, tiles[:, :, 0].long(), tiles[:, :, 1], height, width, time_s
        ),
        intrinsics=intrinsics,
        seed=scenes.seed,
        world=scenes.world,
    )


def look(scenes: Scenes, height: int, width: int, time_s: float = 0.0) -> tuple[Surface, Vec]:
    """The surfaces that the camera's rays meet, and the rays, on a grid rounded up to whole tiles. A ray times
    its distance is the way from the camera in world axes."""
    solids, camera = Solids.of(posed(scenes, time_s)), camera_at(scenes, time_s)
    return _look(scenes, solids, camera, height, width, silhouettes=False)[:2]


def _look(
    scenes: Scenes, solids: Solids, camera: Camera, height: int, width: int, *, silhouettes: bool = True
) -> tuple[Surface, Vec, cast.Silhouettes]:
    rows, columns = (-(-size // TILE) * TILE for size in (height, width))
    u, v = pixel_rays(camera, height, width, rows, columns)
    local = Vec(u, v, torch.ones_like(u))
    r = camera.rotation[:, :, :, None, None]
    ray = Vec(*(r[:, i, 0] * local.x + r[:, i, 1] * local.y + r[:, i, 2] * local.z for i in range(3)))
    tiles = cast.to_tiles(torch.stack([*ray, u, v], 1))
    b, t = tiles.shape[:2]
    found = cast.camera_pairs(solids, camera.position, camera.rotation, tiles[:, :, 3], tiles[:, :, 4])
    origin = camera.position[:, None].expand(b, t, 3).reshape(-1, 3, 1)
    distance, part, outlines = cast.nearest(
        solids, found, origin, tiles[:, :, :3].flatten(0, 1).contiguous(), silhouettes
    )
    hits = torch.stack([distance.view(b, t, -1), part.view(b, t, -1).float()], 2)
    image = cast.from_tiles(hits, rows, columns)
    eye = Vec(*(c[:, None, None] for c in camera.position.unbind(-1)))
    surface = meet(solids, scenes.environment, eye, ray, image[:, 0], image[:, 1].long())
    return surface, ray, outlines


def _shadow(scenes: Scenes, solids: Solids, surface: Surface) -> Tensor:
    """(B, H, W): 1 where the key light reaches the surface, 0 where something stands between."""
    towards, length, _ = shading.key_direction(scenes.environment, surface.position)
    lift = 2e-3 + 1e-3 * surface.distance.clamp_max(1e4)
    start = Vec(*(p + n * lift for p, n in zip(surface.position, surface.normal, strict=True)))
    asks = (surface.distance < SHADOWS_TO_M) & (dot(surface.normal, towards) > 0)
    packed = cast.to_tiles(
        torch.stack([*start, *(c.expand_as(lift) for c in towards), length.expand_as(lift), asks.float()], 1)
    )
    asking = packed[:, :, 7] > 0.5
    found = cast.light_pairs(solids, scenes.environment.key_light, packed[:, :, :3], asking)
    flat = packed.flatten(0, 1)
    reach = torch.where(flat[:, 7] > 0.5, flat[:, 6] - 0.02, 0.0).clamp_max(MISS / 2)
    dark = cast.blocked(solids, found, flat[:, :3].contiguous(), flat[:, 3:6].contiguous(), reach)
    h, w = lift.shape[1:]
    return 1 - cast.from_tiles(dark.view(*asking.shape)[:, :, None].float(), h, w)[:, 0]


def _to_camera(camera: Camera, normal: Vec) -> Tensor:
    """World normals as (B, 3, H, W) in the delivered frame: +x right, +y up, +z to the viewer."""
    r = camera.rotation[:, :, :, None, None]
    x, y, z = (r[:, 0, i] * normal.x + r[:, 1, i] * normal.y + r[:, 2, i] * normal.z for i in range(3))
    return torch.stack([x, y, -z], 1)
