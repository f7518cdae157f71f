"""What each pixel shows: the surface it meets, its position, normal, class and material."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.cast import Solids
from visionrouter.benchmarks.scenes.intersect import BOX, MISS, Vec, box_normal, dot, quadric_normal
from visionrouter.benchmarks.scenes.scene import OPEN_M, Environment

SHELL = 2
FLOOR = 2


@dataclass(frozen=True)
class Surface:
    """Per pixel; every tensor is (B, H, W) unless said otherwise."""

    distance: Tensor
    """multiple of the ray, which is the z-depth for camera rays; MISS at the sky"""
    sky: Tensor
    position: Vec
    normal: Vec
    """unit, world, towards the viewer"""
    local: Vec
    """position in the part's own metric frame; world position for walls and ground"""
    u: Tensor
    """metres across the surface"""
    v: Tensor
    row: Tensor
    """int64: part, then P + side of the cuboid, then P + 6 + region of the ground"""
    material: Tensor
    """(MATERIAL_SIZE, B, H, W)"""


def shell_hit(bounds: Tensor, o: Vec, d: Vec) -> tuple[Tensor, Tensor]:
    """Where rays leave the cuboid (B, 6): distance and side in the order of `bounds`."""
    best, side = torch.full_like(d.x, MISS), torch.zeros_like(d.x, dtype=torch.int64)
    for axis, (origin, step) in enumerate(zip(o, d, strict=True)):
        low, high = (bounds[:, 2 * axis + k, None, None] for k in range(2))
        safe = torch.where(step.abs() < 1e-9, 1e-9, step)
        t = (torch.where(safe > 0, high, low) - origin) / safe
        which = torch.where(safe > 0, 2 * axis + 1, 2 * axis)
        closer = (t < best) & (t > 0)
        best, side = torch.where(closer, t, best), torch.where(closer, which, side)
    return best, side


def region_of(environment: Environment, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ground region (int64, -1 for none) and the coordinates across and along its strip."""
    which = torch.full_like(x, -1, dtype=torch.int64)
    across, along = x, z
    for i in range(environment.region.shape[1]):
        px, pz, heading, half, amplitude, frequency = (
            t[:, None, None] for t in environment.region[:, i].unbind(-1)
        )
        sin, cos = heading.sin(), heading.cos()
        dx, dz = x - px, z - pz
        a, s = dx * cos - dz * sin, dx * sin + dz * cos
        phase = s * frequency * 6.2832
        wobble = amplitude * (phase.sin() + 0.5 * (2.3 * phase + 1.7).sin())
        inside = ((a + wobble).abs() < half) & (environment.region_class[:, i, None, None] >= 0)
        which = torch.where(inside, i, which)
        across, along = torch.where(inside, a, across), torch.where(inside, s, along)
    return which, across, along


def meet(
    solids: Solids, environment: Environment, origin: Vec, ray: Vec, distance: Tensor, part: Tensor
) -> Surface:
    """Complete the nearest hits with walls and ground. origin: (B, 1, 1) components, ray: (B, H, W)."""
    parts = solids.parts
    b, p = parts.kind.shape
    shell_distance, side = shell_hit(environment.bounds, origin, ray)
    on_shell = shell_distance < distance
    distance = torch.where(on_shell, shell_distance, distance)
    sky_side = torch.gather(environment.face_class, 1, side.view(b, -1)).view_as(side) < 0
    sky = on_shell & (sky_side | (distance > OPEN_M))
    reach = distance.clamp_max(OPEN_M)
    position = Vec(*(o + reach * d for o, d in zip(origin, ray, strict=True)))
    region, across, along = region_of(environment, position.x, position.z)
    painted = on_shell & (side == FLOOR) & (region >= 0)
    row = torch.where(on_shell, p + side, part.clamp_min(0))
    row = torch.where(painted, p + 6 + region, row)

    table = _table(solids, environment)
    flat = row.view(b, -1) + torch.arange(b, device=row.device)[:, None] * table.shape[1]
    value = table.flatten(0, 1)[flat.flatten()].view(*row.shape, -1).permute(3, 0, 1, 2).contiguous()
    m, centre, half, shape = value[0:9], value[9:12], value[12:15], value[15:19]
    kind, material = value[19], value[20:]
    away = Vec(*(x - c for x, c in zip(position, centre, strict=True)))
    unit = Vec(*(m[3 * i] * away.x + m[3 * i + 1] * away.y + m[3 * i + 2] * away.z for i in range(3)))
    box = box_normal(unit, shape[0], shape[1], shape[2])
    quadric = quadric_normal(unit, shape[0], shape[1], shape[2], shape[3])
    gradient = Vec(*(torch.where(kind == BOX, a, c) for a, c in zip(box, quadric, strict=True)))
    axis = side // 2
    towards = torch.where(side % 2 == 0, 1.0, -1.0)
    wall = Vec(*(torch.where(axis == k, towards, 0.0) for k in range(3)))
    gradient = Vec(*(torch.where(on_shell, w, g) for w, g in zip(wall, gradient, strict=True)))
    normal = Vec(*(m[k] * gradient.x + m[3 + k] * gradient.y + m[6 + k] * gradient.z for k in range(3)))
    length = dot(normal, normal).clamp_min(1e-20).sqrt() * torch.where(dot(normal, ray) > 0, -1.0, 1.0)
    normal = Vec(*(c / length for c in normal))
    local = Vec(*(c * h for c, h in zip(unit, half, strict=True)))
    u, v = _across(local, Vec(*(g / h for g, h in zip(gradient, half, strict=True))))
    return Surface(
        distance=torch.where(sky, MISS, distance),
        sky=sky,
        position=position,
        normal=normal,
        local=local,
        u=torch.where(painted, across, u),
        v=torch.where(painted, along, v),
        row=row,
        material=material,
    )


def _across(local: Vec, gradient: Vec) -> tuple[Tensor, Tensor]:
    """Two coordinates of a point along the axes that its normal points least along."""
    gx, gy, gz = gradient.x.abs(), gradient.y.abs(), gradient.z.abs()
    flat = (gy >= gx) & (gy >= gz)
    u = torch.where(gx > torch.maximum(gy, gz), local.z, local.x)
    return u, torch.where(flat, local.z, local.y)


def _table(solids: Solids, environment: Environment) -> Tensor:
    """(B, P + 6 + G, 20 + MATERIAL_SIZE): per surface to_unit, centre, half_size, shape, kind, material."""
    parts = solids.parts
    b = len(parts.kind)
    rows = torch.cat(
        [
            solids.to_unit.flatten(2),
            parts.centre,
            parts.half_size,
            parts.shape,
            parts.kind[..., None].float(),
            parts.material,
        ],
        -1,
    )
    material = torch.cat([environment.face_material, environment.region_material], 1)
    frame = rows.new_zeros(b, material.shape[1], 20)
    frame[..., 0:9:4] = 1
    frame[..., 12:15] = 1
    frame[..., 15] = 1
    frame[..., 19] = SHELL
    return torch.cat([rows, torch.cat([frame, material], -1)], 1)


def class_table(solids: Solids, environment: Environment) -> Tensor:
    """(B, P + 6 + G) int64 class of each row of `Surface.row`."""
    return torch.cat([solids.parts.class_id, environment.face_class, environment.region_class], 1)
