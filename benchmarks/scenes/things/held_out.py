"""Things that training worlds never show."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import matmul, rotation_x, rotation_y, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly, stack
from visionrouter.benchmarks.scenes.things.vehicles import scalar


def elephant(draw: Draw, main: Tensor) -> Assembly:
    """Pillar legs, ears, trunk and tusks."""
    n = len(draw)
    a = Assembly(n)
    s = scalar(draw, 0.75, 1.3)
    a.ball((0, s * 1.55, 0), (s * 0.72, s * 0.75, s * 1.1), main)
    ivory = mat.material((0.93, 0.9, 0.8), n)
    for x in (-1.0, 1.0):
        for z in (-1.0, 1.0):
            a.spindle((x * s * 0.42, s * 0.55, z * s * 0.65), (s * 0.2, s * 0.55, s * 0.2), main, top=1.1)
        a.ball(
            (x * s * 0.58, s * 1.9, s * 1.1),
            (s * 0.42, s * 0.5, s * 0.09),
            main,
            turn=rotation_y(torch.full((n,), -x * 0.5)),
        )
        a.rod(
            stack(n, x * s * 0.2, s * 1.55, s * 1.5),
            stack(n, x * s * 0.26, s * 1.3, s * 2.0),
            s * 0.06,
            ivory,
            top=0.3,
        )
    a.ball((0, s * 1.9, s * 1.25), (s * 0.42, s * 0.48, s * 0.45), main)
    knee = stack(n, scalar(draw, -0.3, 0.3) * s, s * 1.1, s * 1.85)
    a.rod(stack(n, 0.0, s * 1.8, s * 1.6), knee, s * 0.17, main, top=0.7)
    a.rod(
        knee,
        stack(n, scalar(draw, -0.4, 0.4) * s, s * scalar(draw, 0.2, 1.1), s * 2.1),
        s * 0.12,
        main,
        top=0.6,
    )
    return a


def giraffe(draw: Draw, main: Tensor) -> Assembly:
    """Long neck and legs."""
    n = len(draw)
    a = Assembly(n)
    s = scalar(draw, 1.5, 2.2)
    a.ball((0, s * 1.15, 0), (s * 0.24, s * 0.3, s * 0.52), main)
    for left in (-1.0, 1.0):
        for end in (-1.0, 1.0):
            a.rod(
                stack(n, left * s * 0.15, s * 1.1, end * s * 0.35),
                stack(n, left * s * 0.15, 0.0, end * s * 0.38),
                s * 0.07,
                main,
                top=0.6,
            )
    head = stack(n, 0.0, s * scalar(draw, 1.9, 2.3), s * scalar(draw, 0.75, 1.1))
    a.rod(stack(n, 0.0, s * 1.2, s * 0.38), head, s * 0.15, main, top=0.5)
    x, y, z = head.unbind(-1)
    a.ball((x, y, z + s * 0.12), (s * 0.08, s * 0.09, s * 0.2), main)
    for side in (-1.0, 1.0):
        a.rod(
            stack(n, x + side * s * 0.04, y, z),
            stack(n, x + side * s * 0.05, y + s * 0.17, z),
            s * 0.018,
            main,
        )
    return a


def airplane(draw: Draw, main: Tensor) -> Assembly:
    """Light aircraft or airliner, on the ground or above it."""
    n = len(draw)
    a = Assembly(n)
    s = draw.log_uniform(2.0, 8.0, 1)[:, 0]
    y = s * 0.3
    along = rotation_x(torch.full((n,), math.pi / 2))
    white = mat.material((0.9, 0.9, 0.9), n, specular=0.5)
    a.ball((0, y, 0), (s * 0.14, s * 0.14, s), main)
    a.spindle((0, y, 0), (s * 0.13, s * 0.6, s * 0.13), main, turn=along)
    for side in (-1.0, 1.0):
        sweep = rotation_y(torch.full((n,), side * 0.35))
        a.box((side * s * 0.5, y - s * 0.03, -s * 0.08), (s * 0.5, s * 0.02, s * 0.12), white, turn=sweep)
        a.box((side * s * 0.2, y + s * 0.05, -s * 0.85), (s * 0.2, s * 0.012, s * 0.07), white, turn=sweep)
        a.spindle(
            (side * s * 0.4, y - s * 0.1, s * 0.05),
            (s * 0.06, s * 0.12, s * 0.06),
            mat.metal(draw),
            turn=along,
        )
    a.box((0, y + s * 0.22, -s * 0.86), (s * 0.015, s * 0.18, s * 0.12), main, taper=(0.0, 0.5), shear=-0.6)
    for x, z in ((0.0, 0.6), (-0.15, -0.1), (0.15, -0.1)):
        a.ball((x * s, s * 0.06, z * s), (s * 0.03, s * 0.06, s * 0.06), mat.rubber(draw))
    return a


def umbrella(draw: Draw, main: Tensor) -> Assembly:
    """Open, standing upright or leaning."""
    n = len(draw)
    a = Assembly(n)
    h, r = scalar(draw, 0.5, 1.2), scalar(draw, 0.5, 1.2)
    lean = matmul(rotation_y(scalar(draw, 0, 6.3)), rotation_x(scalar(draw, 0.0, 0.4)))
    top = lean[:, :, 1] * (2 * h)[:, None]
    a.ball(top, (r, r * 0.45, r), main, cut=(0.05, 1.0), openness=2.0, turn=lean)
    a.rod(stack(n, 0.0, 0.0, 0.0), top + lean[:, :, 1] * (r * 0.5)[:, None], 0.02, mat.metal(draw))
    return a


def barrel(draw: Draw, main: Tensor) -> Assembly:
    """Bulging staves and hoops."""
    n = len(draw)
    a = Assembly(n)
    r, h = scalar(draw, 0.2, 0.4), scalar(draw, 0.3, 0.55)
    a.spindle((0, h, 0), (r, h, r), main, bulge=0.35)
    hoop = mat.metal(draw)
    for level, wide in ((0.25, 1.07), (0.75, 1.16), (1.25, 1.16), (1.75, 1.07)):
        a.spindle((0, h * level, 0), (r * wide, h * 0.06, r * wide), hoop)
    return a


def windmill(draw: Draw, main: Tensor) -> Assembly:
    """Tapered tower with four sails."""
    n = len(draw)
    a = Assembly(n)
    h, r = scalar(draw, 2.5, 5.0), scalar(draw, 1.0, 1.7)
    a.spindle((0, h, 0), (r, h, r), mat.plaster(draw), top=0.6)
    a.ball((0, 2 * h, 0), (r * 0.68, r * 0.7, r * 0.68), main, cut=(0.0, 1.0))
    start = scalar(draw, 0, 1.57)
    for k in range(4):
        turn = rotation_z(start + k * math.pi / 2)
        out = turn[:, :, 1] * (h * 0.65)[:, None]
        a.box((out[:, 0], 2 * h + out[:, 1], r * 0.95), (r * 0.2, h * 0.6, 0.04), main, turn=turn)
    a.ball((0, 2 * h, r * 0.95), (0.2, 0.2, 0.25), mat.wood(draw))
    return a


def snowman(draw: Draw, main: Tensor) -> Assembly:
    """Three balls, a hat and a carrot; the main colour is the hat's."""
    n = len(draw)
    a = Assembly(n)
    s = scalar(draw, 0.2, 0.45)
    snow = mat.material((0.93, 0.94, 0.96), n, mottle=0.1)
    carrot = mat.material((0.95, 0.5, 0.1), n)
    a.ball((0, s * 0.9, 0), (s, s, s), snow)
    a.ball((0, s * 2.3, 0), (s * 0.72, s * 0.72, s * 0.72), snow)
    a.ball((0, s * 3.35, 0), (s * 0.5, s * 0.5, s * 0.5), snow)
    a.spindle(
        (0, s * 3.35, s * 0.65),
        (s * 0.1, s * 0.3, s * 0.1),
        carrot,
        top=0.05,
        turn=rotation_x(torch.full((n,), math.pi / 2)),
    )
    a.spindle((0, s * 3.75, 0), (s * 0.6, s * 0.05, s * 0.6), main)
    a.spindle((0, s * 4.05, 0), (s * 0.38, s * 0.3, s * 0.38), main)
    for side in (-1.0, 1.0):
        a.rod(
            stack(n, side * s * 0.6, s * 2.4, 0.0),
            stack(n, side * s * 1.5, s * scalar(draw, 2.2, 3.2), 0.0),
            s * 0.05,
            mat.bark(draw),
        )
        a.ball((side * s * 0.18, s * 3.5, s * 0.43), (s * 0.07, s * 0.07, s * 0.07), mat.rubber(draw))
    return a


def toy_rocket(draw: Draw, main: Tensor) -> Assembly:
    """Body, nose cone and fins."""
    n = len(draw)
    a = Assembly(n)
    s = draw.log_uniform(0.06, 0.5, 1)[:, 0]
    a.spindle((0, s * 1.3, 0), (s * 0.3, s, s * 0.3), main, top=0.85, bulge=0.4)
    a.spindle((0, s * 2.7, 0), (s * 0.27, s * 0.42, s * 0.27), mat.cloth(draw), top=0.05, bulge=0.3)
    fins = mat.cloth(draw)
    for k in range(3):
        turn = rotation_y(torch.full((n,), 2 * math.pi * k / 3))
        out = turn[:, :, 2] * (s * 0.42)[:, None]
        a.box(
            (out[:, 0], s * 0.45, out[:, 2]),
            (s * 0.03, s * 0.45, s * 0.25),
            fins,
            taper=(0.0, 0.6),
            shear=-0.5,
            turn=turn,
        )
    a.ball((0, s * 1.7, s * 0.3), (s * 0.13, s * 0.13, s * 0.06), mat.glass(draw))
    return a
