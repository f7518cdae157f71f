"""What stands in streets: buildings, street furniture, fences, crates."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import rotation_x, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly, stack
from visionrouter.benchmarks.scenes.textures import Pattern
from visionrouter.benchmarks.scenes.things.vehicles import scalar


def building(draw: Draw, _main: Tensor) -> Assembly:
    """House with a gable or hip roof, block, tower or shed."""
    n = len(draw)
    a = Assembly(n)
    wide, deep = scalar(draw, 2.5, 7.0), scalar(draw, 2.5, 6.0)
    kind = draw.choose([0.4, 0.45, 0.15], 1)[:, 0]
    house, tower = kind == 0, kind == 2
    storeys = torch.where(
        house,
        1.0 + draw.integer(2, 1)[:, 0],
        torch.where(tower, 7.0 + draw.integer(8, 1)[:, 0], 2.0 + draw.integer(5, 1)[:, 0]),
    )
    floor = scalar(draw, 2.6, 3.4)
    height = storeys * floor
    wall = mat.plaster(draw)
    window = mat.material(
        wall[:, :3],
        n,
        second=draw.uniform(0.05, 0.3, 1) + draw.uniform(0, 0.08, 3),
        pattern=Pattern.WINDOWS,
        frequency=1 / scalar(draw, 1.6, 2.8),
        phase=0.0,
        mottle=0.08,
        mirror=0.05,
    )
    facade = torch.where(draw.chance(0.72, 1), window, wall)
    a.box((0, height / 2, 0), (wide, height / 2, deep), facade)
    a.box((0, floor * 0.12, 0), (wide * 1.01, floor * 0.12, deep * 1.01), mat.plaster(draw))
    roof = mat.material(
        mat.between(draw, (0.25, 0.12, 0.08), (0.6, 0.32, 0.22), 0.06),
        n,
        pattern=Pattern.TILES,
        frequency=3.0,
        mottle=0.3,
    )
    pitch = scalar(draw, 0.5, 1.4)
    hip = torch.where(draw.chance(0.4, 1)[:, 0], scalar(draw, 0.3, 0.9), 0.0)
    a.box((0, height + pitch, 0), (wide * 1.08, pitch, deep * 1.1), roof, taper=(hip, 0.98), where=house)
    a.box((0, height + 0.15, 0), (wide * 1.04, 0.2, deep * 1.04), mat.plaster(draw), where=~house)
    a.box((wide * 0.4, height + 0.9, 0.2), (0.9, 0.9, 0.9), mat.plaster(draw), where=~house)
    a.box(
        (wide * 0.5, height + pitch * 1.5, deep * 0.3),
        (0.3, pitch * 0.9, 0.3),
        mat.plaster(draw),
        where=house,
    )
    door = mat.painted_like(draw, draw.uniform(0.05, 0.6, 3), 0.2)
    for face in (-1.0, 1.0):
        a.box((wide * scalar(draw, -0.6, 0.6), 1.05, face * deep), (0.55, 1.05, 0.06), door)
    awning = draw.chance(0.25, 1)[:, 0]
    a.box(
        (0, 2.7, -deep - 0.6),
        (wide * 0.7, 0.25, 0.7),
        mat.cloth(draw),
        taper=(0.0, 0.6),
        shear=0.5,
        where=awning,
    )
    balcony = draw.chance(0.3, 1)[:, 0] & ~house
    for k in range(2):
        a.box((0, floor * (k + 1.2), -deep - 0.4), (wide * 0.75, 0.35, 0.5), mat.plaster(draw), where=balcony)
    return a


def cone(draw: Draw, main: Tensor) -> Assembly:
    """Traffic cone."""
    n = len(draw)
    a = Assembly(n)
    h, r = scalar(draw, 0.22, 0.45), scalar(draw, 0.13, 0.2)
    band = mat.material((0.9, 0.9, 0.88), n)
    a.spindle((0, h + 0.03, 0), (r, h, r), main, top=0.18)
    low, high = scalar(draw, 0.35, 0.5), scalar(draw, 0.62, 0.78)
    middle, half = (low + high) * h + 0.03, (high - low) * h
    wide = r * (1 - 0.82 * low) * 1.03
    a.spindle((0, middle, 0), (wide, half, wide), band, top=(1 - 0.82 * high) / (1 - 0.82 * low))
    a.box((0, 0.02, 0), (r * 1.25, 0.025, r * 1.25), torch.where(draw.chance(0.5, 1), main, mat.rubber(draw)))
    return a


def crate(draw: Draw, main: Tensor) -> Assembly:
    """Wooden crate or cardboard box."""
    n = len(draw)
    a = Assembly(n)
    x, y, z = (scalar(draw, 0.15, 0.55) for _ in range(3))
    a.box((0, y, 0), (x, y, z), main)
    slats = draw.chance(0.45, 1)[:, 0]
    trim = mat.material((main[:, :3] * 0.75).clamp(0, 1), n, mottle=0.3)
    for level in (0.12, 1.88):
        a.box((0, y * level, 0), (x * 1.03, y * 0.1, z * 1.03), trim, where=slats)
    for side in (-1.0, 1.0):
        a.box((side * x * 0.94, y, 0), (x * 0.1, y * 0.98, z * 1.03), trim, where=slats)
    a.box(
        (0, y, 0),
        (x * 0.13, y * 1.005, z * 1.005),
        mat.material((0.7, 0.6, 0.42), n, specular=0.3),
        where=~slats,
    )
    return a


def fence(draw: Draw, main: Tensor) -> Assembly:
    """Pickets, rails or a low wall."""
    n = len(draw)
    a = Assembly(n)
    half, h = scalar(draw, 1.2, 3.2), scalar(draw, 0.35, 0.75)
    kind = draw.choose([0.4, 0.35, 0.25], 1)[:, 0]
    material = torch.where(draw.chance(0.5, 1), mat.wood(draw), main)
    a.box((0, h, 0), (half, h, 0.1), mat.plaster(draw), where=kind == 2)
    count = 9
    for k in range(count):
        x = half * (2 * k / (count - 1) - 1)
        wide = torch.where(kind == 0, half * 0.07, 0.05)
        tall = torch.where((kind == 0) | torch.tensor(k % 2 == 0), h, h * 0.02)
        a.box((x, tall, 0), (wide, tall, 0.025), material, taper=(0.0, 0.0), where=kind < 2)
    for level in (0.55, 1.5):
        a.box((0, h * level, 0.03), (half, 0.045, 0.02), material, where=kind < 2)
    return a


def bench(draw: Draw, main: Tensor) -> Assembly:
    """Slatted, with or without a back."""
    n = len(draw)
    a = Assembly(n)
    half, seat = scalar(draw, 0.6, 1.05), scalar(draw, 0.4, 0.5)
    plank = torch.where(draw.chance(0.55, 1), mat.wood(draw), main)
    leg = torch.where(draw.chance(0.5, 1), mat.metal(draw), mat.plaster(draw))
    for k in range(3):
        a.box((0, seat, -0.16 + 0.16 * k), (half, 0.025, 0.065), plank)
    backed = draw.chance(0.75, 1)[:, 0]
    for k in range(2):
        a.box((0, seat + 0.2 + 0.17 * k, -0.26 - 0.05 * k), (half, 0.065, 0.02), plank, where=backed)
    for side in (-1.0, 1.0):
        a.box((side * half * 0.8, seat / 2, 0), (0.04, seat / 2, 0.2), leg)
        a.box((side * half * 0.8, seat + 0.2, -0.27), (0.03, 0.25, 0.025), leg, where=backed)
    return a


def traffic_light(draw: Draw, main: Tensor) -> Assembly:
    """On a pole; one lamp is lit. The main colour is the casing's."""
    n = len(draw)
    a = Assembly(n)
    h, w = scalar(draw, 2.3, 4.2), scalar(draw, 0.13, 0.2)
    a.spindle((0, h / 2, 0), (0.06, h / 2, 0.06), mat.metal(draw))
    a.box((0, h, 0.02), (w, w * 2.8, w * 0.75), main)
    lit = draw.integer(3, 1)[:, 0]
    for k, colour in enumerate(((0.95, 0.08, 0.06), (0.98, 0.7, 0.08), (0.1, 0.85, 0.3))):
        glow = torch.where(lit == k, 1.0, 0.0)
        lamp = mat.material(torch.tensor(colour) * (0.25 + 0.75 * glow[:, None]), n, emission=glow * 0.9)
        a.ball((0, h + w * 1.75 * (1 - k), w * 0.78), (w * 0.62, w * 0.62, w * 0.2), lamp)
    return a


def stop_sign(draw: Draw, main: Tensor) -> Assembly:
    """An octagon on a post, white-rimmed."""
    n = len(draw)
    a = Assembly(n)
    h, r = scalar(draw, 1.7, 2.4), scalar(draw, 0.3, 0.42)
    a.spindle((0, h / 2, 0), (0.035, h / 2, 0.035), mat.metal(draw))
    white = mat.material((0.93, 0.93, 0.93), n, mottle=0.03)
    flat = r * math.tan(math.pi / 8)
    for scale, depth, paint in ((1.0, 0.012, white), (0.92, 0.02, main)):
        a.box((0, h, 0.05), (r * scale, flat * scale, depth), paint)
        a.box((0, h, 0.05), (flat * scale, r * scale, depth), paint)
        for turn in (math.pi / 4, -math.pi / 4):
            a.box(
                (0, h, 0.05), (r * scale, flat * scale, depth), paint, turn=rotation_z(torch.full((n,), turn))
            )
    a.box((0, h, 0.075), (r * 0.6, r * 0.16, 0.006), white)
    return a


def fire_hydrant(draw: Draw, main: Tensor) -> Assembly:
    """Barrel, bonnet and outlets."""
    n = len(draw)
    a = Assembly(n)
    h, r = scalar(draw, 0.28, 0.4), scalar(draw, 0.1, 0.14)
    cap = torch.where(draw.chance(0.5, 1), main, mat.metal(draw))
    a.spindle((0, 0.03, 0), (r * 1.5, 0.04, r * 1.5), main)
    a.spindle((0, h, 0), (r, h, r), main, top=0.9)
    a.spindle((0, h * 1.6, 0), (r * 1.25, 0.03, r * 1.25), main)
    a.ball((0, h * 1.95, 0), (r * 1.05, r * 1.1, r * 1.05), cap, cut=(0.0, 1.0))
    a.spindle((0, h * 1.95 + r * 1.2, 0), (r * 0.25, r * 0.25, r * 0.25), cap)
    across = rotation_z(torch.full((n,), math.pi / 2))
    a.spindle((0, h * 1.35, 0), (r * 0.45, r * 1.7, r * 0.45), cap, turn=across)
    a.spindle(
        (0, h * 1.2, r), (r * 0.55, r * 0.5, r * 0.55), cap, turn=rotation_x(torch.full((n,), math.pi / 2))
    )
    return a


def street_light(draw: Draw, main: Tensor) -> Assembly:
    """Tall pole with an arm or a globe."""
    n = len(draw)
    a = Assembly(n)
    h, arm = scalar(draw, 3.0, 7.0), scalar(draw, 0.5, 1.5)
    globe = draw.chance(0.4, 1)[:, 0]
    glow = mat.material((0.97, 0.93, 0.8), n, emission=draw.uniform(0, 0.6, 1)[:, 0])
    zero = torch.zeros(n)
    a.spindle((0, h / 2, 0), (0.08, h / 2, 0.08), main, top=0.6)
    a.spindle((0, 0.25, 0), (0.14, 0.25, 0.14), main, top=0.7)
    a.rod(stack(n, zero, h - 0.05, zero), stack(n, zero, h + 0.15, arm), 0.04, main, where=~globe)
    a.box((0, h + 0.15, arm + 0.2), (0.13, 0.06, 0.32), main, taper=(0.4, 0.2), where=~globe)
    a.box((0, h + 0.08, arm + 0.2), (0.1, 0.02, 0.26), glow, where=~globe)
    a.ball((0, h + 0.2, 0), (0.24, 0.26, 0.24), glow, where=globe)
    return a
