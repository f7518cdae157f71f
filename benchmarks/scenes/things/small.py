"""Things that stand on a table or lie about."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import matmul, rotation_x, rotation_y, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly
from visionrouter.benchmarks.scenes.textures import Pattern
from visionrouter.benchmarks.scenes.things.vehicles import scalar


def _glossy(main: Tensor, specular: float = 0.6) -> Tensor:
    out = main.clone()
    out[:, 9], out[:, 10] = specular, 60.0
    return out


def bottle(draw: Draw, main: Tensor) -> Assembly:
    """Wine, water or sauce bottle with a label."""
    n = len(draw)
    a = Assembly(n)
    r, h = scalar(draw, 0.028, 0.048), scalar(draw, 0.07, 0.12)
    neck, slope = scalar(draw, 0.28, 0.5), scalar(draw, 0.02, 0.05)
    body = _glossy(main, 0.8)
    a.spindle((0, h, 0), (r, h, r), body, bulge=scalar(draw, -0.25, 0.1))
    a.spindle((0, 2 * h + slope, 0), (r, slope, r), body, top=neck)
    tall = scalar(draw, 0.015, 0.04)
    a.spindle((0, 2 * (h + slope) + tall, 0), (r * neck, tall, r * neck), body)
    a.spindle((0, 2 * (h + slope + tall), 0), (r * neck * 1.25, 0.012, r * neck * 1.25), mat.cloth(draw))
    label = draw.chance(0.6, 1)[:, 0]
    a.spindle(
        (0, h * 0.95, 0),
        (r * 1.02, h * 0.45, r * 1.02),
        mat.painted_like(draw, draw.uniform(0.4, 0.95, 3), 0.5),
        where=label,
    )
    return a


def wine_glass(draw: Draw, main: Tensor) -> Assembly:
    """Foot, stem and bowl; clear glass drawn as pale, some with wine."""
    n = len(draw)
    a = Assembly(n)
    r, stem = scalar(draw, 0.03, 0.045), scalar(draw, 0.035, 0.055)
    clear = _glossy(main, 0.9)
    clear[:, 13] = 0.35
    bowl = r * scalar(draw, 1.1, 1.6)
    a.spindle((0, 0.004, 0), (r * 0.9, 0.004, r * 0.9), clear, top=0.4)
    a.spindle((0, stem, 0), (0.005, stem, 0.005), clear)
    a.ball((0, stem * 2 + bowl, 0), (r, bowl, r), clear, cut=(-1.0, scalar(draw, 0.25, 0.7)), openness=1.0)
    wine = mat.material(mat.between(draw, (0.35, 0.02, 0.06), (0.9, 0.78, 0.4)), n, specular=0.6)
    a.ball(
        (0, stem * 2 + bowl, 0), (r * 0.95, bowl * 0.95, r * 0.95), wine, cut=(-1.0, scalar(draw, -0.4, 0.1))
    )
    return a


def cup(draw: Draw, main: Tensor) -> Assembly:
    """Mug, tea cup with a saucer, or paper cup."""
    n = len(draw)
    a = Assembly(n)
    r, h = scalar(draw, 0.03, 0.05), scalar(draw, 0.03, 0.065)
    china = _glossy(main)
    top = scalar(draw, 0.95, 1.45)
    saucer, handle = draw.chance(0.35, 1)[:, 0], draw.chance(0.75, 1)[:, 0]
    base = torch.where(saucer, 0.012, 0.0)
    a.spindle((0, 0.006, 0), (r * 1.2, 0.007, r * 1.2), china, top=1.6, where=saucer)
    a.spindle((0, base + h, 0), (r, h, r), china, top=top, bulge=scalar(draw, -0.1, 0.25), openness=1.0)
    drink = mat.material(mat.between(draw, (0.12, 0.06, 0.03), (0.75, 0.6, 0.4)), n, specular=0.5)
    a.spindle((0, base + h * 1.65, 0), (r * (0.1 + 0.85 * top), h * 0.03, r * (0.1 + 0.85 * top)), drink)
    edge = r * (1 + top) / 2
    for level, lean in ((1.45, 0.0), (0.75, 0.0)):
        a.box(
            (edge + r * 0.25, base + h * level, 0),
            (r * 0.35, h * 0.1, r * 0.13),
            china,
            where=handle,
            shear=lean,
        )
    a.box((edge + r * 0.55, base + h * 1.1, 0), (r * 0.1, h * 0.45, r * 0.13), china, where=handle)
    return a


def bowl(draw: Draw, main: Tensor) -> Assembly:
    """Empty or with food."""
    n = len(draw)
    a = Assembly(n)
    r, h = scalar(draw, 0.06, 0.13), scalar(draw, 0.05, 0.1)
    china = _glossy(main)
    a.ball((0, h, 0), (r, h, r), china, cut=(-0.97, 0.0), openness=1.0)
    a.spindle((0, 0.008, 0), (r * 0.4, 0.008, r * 0.4), china)
    food = mat.material(
        draw.uniform(0.1, 0.8, 3),
        n,
        second=draw.uniform(0.1, 0.8, 3),
        pattern=Pattern.NOISE,
        frequency=40.0,
        bump=0.5,
    )
    a.ball(
        (0, h * 0.6, 0),
        (r * 0.74, h * 0.4, r * 0.74),
        food,
        cut=(-0.1, 1.0),
        where=draw.chance(0.35, 1)[:, 0],
    )
    return a


def vase(draw: Draw, main: Tensor) -> Assembly:
    """Bellied or waisted, some with flowers."""
    n = len(draw)
    a = Assembly(n)
    r, h = scalar(draw, 0.035, 0.08), scalar(draw, 0.08, 0.17)
    china = _glossy(main)
    a.spindle(
        (0, h, 0), (r, h, r), china, top=scalar(draw, 0.5, 1.5), bulge=scalar(draw, -0.35, 1.2), openness=1.0
    )
    flowers = draw.chance(0.5, 1)[:, 0]
    leaves = mat.leaves(draw)
    for _ in range(5):
        tilt = matmul(rotation_y(scalar(draw, 0, 6.3)), rotation_x(scalar(draw, 0.0, 0.6)))
        long = h * scalar(draw, 0.7, 1.3)
        middle, tip = tilt[:, :, 1] * long[:, None], tilt[:, :, 1] * (2 * long)[:, None]
        a.spindle(
            (middle[:, 0], h * 1.6 + middle[:, 1], middle[:, 2]),
            (0.006, long, 0.006),
            leaves,
            turn=tilt,
            where=flowers,
        )
        petal = mat.material(draw.uniform(0.2, 0.98, 3), n, mottle=0.3)
        size = scalar(draw, 0.02, 0.05)
        a.ball(
            (tip[:, 0], h * 1.6 + tip[:, 1], tip[:, 2]),
            (size, size * 0.6, size),
            petal,
            turn=tilt,
            where=flowers,
        )
    return a


def fruit(draw: Draw, main: Tensor) -> Assembly:
    """Apple or orange: a slightly flattened ball with a stalk."""
    n = len(draw)
    a = Assembly(n)
    r = scalar(draw, 0.032, 0.048)
    body = _glossy(main, 0.35)
    flat = scalar(draw, 0.86, 1.05)
    a.ball((0, r * flat, 0), (r, r * flat, r), body)
    lean = matmul(rotation_y(scalar(draw, 0, 6.3)), rotation_x(scalar(draw, 0, 0.5)))
    a.spindle((0, r * 2.0 * flat, 0), (r * 0.06, r * 0.28, r * 0.06), mat.bark(draw), turn=lean)
    leaf = draw.chance(0.3, 1)[:, 0]
    a.ball((r * 0.35, r * 2.1 * flat, 0), (r * 0.4, r * 0.05, r * 0.18), mat.leaves(draw), where=leaf)
    return a


def banana(draw: Draw, main: Tensor) -> Assembly:
    """A bent chain of rods, one to three in a bunch."""
    n = len(draw)
    a = Assembly(n)
    r, bend = scalar(draw, 0.015, 0.021), scalar(draw, 0.06, 0.1)
    tips = mat.bark(draw)
    steps = [-1.1, -0.7, -0.35, 0.0, 0.35, 0.7, 1.1]
    for copy in range(2):
        there = torch.ones(n, dtype=torch.bool) if copy == 0 else draw.chance(0.4, 1)[:, 0]
        shift = r * 1.9 * copy
        points = []
        for s in steps:
            x, z = bend * math.sin(s), bend * (1 - math.cos(s)) + shift
            points.append(torch.stack([x, r.expand(n), z], -1))
        for k, (start, end) in enumerate(pairwise(points)):
            last = k in (0, len(steps) - 2)
            a.rod(start, end, r * (0.62 if last else 1.0), main, where=there)
        a.ball(points[0], (r * 0.5, r * 0.5, r * 0.5), tips, where=there)
    return a


def book(draw: Draw, main: Tensor) -> Assembly:
    """Closed, lying or standing, or a stack of two."""
    n = len(draw)
    a = Assembly(n)
    w, d, t = scalar(draw, 0.055, 0.11), scalar(draw, 0.08, 0.15), scalar(draw, 0.008, 0.028)
    paper = mat.material(
        (0.9, 0.88, 0.8), n, second=(0.7, 0.68, 0.6), pattern=Pattern.STRIPES, frequency=300.0
    )
    standing = draw.chance(0.3, 1)[:, 0]
    turn = rotation_z(torch.where(standing, math.pi / 2, 0.0))
    lift = torch.where(standing, w, t)
    for level, half, wide, stuff in ((-0.9, 0.1, 1.0, main), (0.9, 0.1, 1.0, main), (0.0, 0.8, 0.96, paper)):
        offset = level * t
        a.box(
            (torch.where(standing, -offset, 0.0), lift + torch.where(standing, 0.0, offset), 0),
            (w * wide, t * half, d * wide),
            stuff,
            turn=turn,
        )
    a.box(
        (torch.where(standing, 0.0, -w), torch.where(standing, 0.004, t), 0), (0.003, t, d), main, turn=turn
    )
    second = draw.chance(0.3, 1)[:, 0] & ~standing
    spin = rotation_y(scalar(draw, -0.5, 0.5))
    a.box((0, t * 3, 0), (w * 0.9, t * 0.9, d * 0.9), main, turn=spin, where=second)
    return a


def laptop(draw: Draw, main: Tensor) -> Assembly:
    """Open at some angle; the main colour is the case's."""
    n = len(draw)
    a = Assembly(n)
    w, d = scalar(draw, 0.14, 0.19), scalar(draw, 0.1, 0.125)
    a.box((0, 0.008, 0), (w, 0.008, d), main)
    keys = mat.material(
        (0.08, 0.08, 0.09), n, second=(0.25, 0.25, 0.25), pattern=Pattern.TILES, frequency=55.0
    )
    a.box((0, 0.0165, -d * 0.25), (w * 0.88, 0.0015, d * 0.45), keys)
    a.box((0, 0.0165, d * 0.6), (w * 0.3, 0.001, d * 0.28), mat.material((main[:, :3] * 0.85), n))
    lean = rotation_x(-scalar(draw, 0.0, 0.6))
    up = lean[:, :, 1] * d[:, None]
    place = (0.0, 0.016 + up[:, 1], -d + up[:, 2])
    a.box(place, (w, d, 0.005), main, turn=lean)
    picture = mat.material(
        draw.uniform(0.1, 0.95, 3),
        n,
        second=draw.uniform(0.1, 0.95, 3),
        pattern=Pattern.TILES,
        frequency=scalar(draw, 8, 40),
        emission=0.5,
    )
    front = lean[:, :, 2] * 0.0045
    a.box(
        (front[:, 0], place[1] + front[:, 1], place[2] + front[:, 2]),
        (w * 0.94, d * 0.9, 0.0015),
        picture,
        turn=lean,
    )
    return a


def keyboard(draw: Draw, main: Tensor) -> Assembly:
    """Full-size or compact."""
    n = len(draw)
    a = Assembly(n)
    w, d = scalar(draw, 0.14, 0.22), scalar(draw, 0.055, 0.075)
    a.box((0, 0.01, 0), (w, 0.01, d), main, taper=(0.02, 0.05), shear=-0.05)
    cap = main[:, :3] * draw.uniform(0.85, 1.0, 1)
    keys = mat.material(cap, n, second=cap * 0.35, pattern=Pattern.TILES, frequency=52.0)
    a.box((0, 0.02, 0), (w * 0.95, 0.004, d * 0.85), keys)
    return a


def sports_ball(draw: Draw, main: Tensor) -> Assembly:
    """From tennis ball to beach ball."""
    n = len(draw)
    a = Assembly(n)
    r = draw.log_uniform(0.035, 0.32, 1)[:, 0]
    spin = matmul(rotation_y(scalar(draw, 0, 6.3)), rotation_x(scalar(draw, 0, 3.0)))
    a.ball((0, r, 0), (r, r, r), _glossy(main, 0.3), turn=spin)
    band = mat.material((0.9, 0.9, 0.9), n)
    a.ball(
        (0, r, 0),
        (r * 1.003, r * 1.003, r * 1.003),
        band,
        cut=(-0.16, 0.16),
        openness=2.0,
        turn=spin,
        where=draw.chance(0.3, 1)[:, 0],
    )
    return a


def clock(draw: Draw, main: Tensor) -> Assembly:
    """A standing dial with hands; the main colour is the case's."""
    n = len(draw)
    a = Assembly(n)
    r = draw.log_uniform(0.05, 0.2, 1)[:, 0]
    forward = rotation_x(torch.full((n,), math.pi / 2))
    a.spindle((0, r * 1.15, 0), (r, r * 0.22, r), main, turn=forward)
    a.spindle(
        (0, r * 1.15, r * 0.2),
        (r * 0.88, r * 0.04, r * 0.88),
        mat.material((0.93, 0.92, 0.88), n, mottle=0.02),
        turn=forward,
    )
    dark = mat.rubber(draw)
    for long, wide in ((0.7, 0.035), (0.48, 0.05)):
        turn = rotation_z(scalar(draw, 0, 6.3))
        along = turn[:, :, 1] * (r * long / 2)[:, None]
        a.box(
            (along[:, 0], r * 1.15 + along[:, 1], r * 0.26),
            (r * wide, r * long / 2, r * 0.015),
            dark,
            turn=turn,
        )
    for k in range(4):
        x, y = math.sin(k * math.pi / 2) * 0.75, math.cos(k * math.pi / 2) * 0.75
        a.box((r * x, r * (1.15 + y), r * 0.245), (r * 0.05, r * 0.05, r * 0.012), dark)
    a.box((0, r * 0.12, 0), (r * 0.6, r * 0.14, r * 0.3), main, taper=(0.2, 0.2))
    return a
