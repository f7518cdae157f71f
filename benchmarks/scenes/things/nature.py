"""Trees, bushes, rocks, and animals."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import matmul, rotation_x, rotation_y, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly, stack
from visionrouter.benchmarks.scenes.things.vehicles import scalar


def tree(draw: Draw, _main: Tensor) -> Assembly:
    """Broadleaf, conifer, poplar, palm-like or bare."""
    n = len(draw)
    a = Assembly(n)
    height, trunk = draw.log_uniform(2.5, 11.0, 1)[:, 0], scalar(draw, 0.2, 0.5)
    kind = draw.choose([0.5, 0.25, 0.15, 0.1], 1)[:, 0]
    conifer, poplar, palm = kind == 1, kind == 2, kind == 3
    bark, leaves = mat.bark(draw), mat.leaves(draw)
    radius = height * scalar(draw, 0.014, 0.035)
    clear = torch.where(conifer, 0.12, torch.where(palm, 0.85, trunk * 0.8)) * height
    zero = torch.zeros(n)
    tip = stack(
        n,
        height * scalar(draw, -0.06, 0.06),
        torch.maximum(clear, height * 0.6),
        height * scalar(draw, -0.06, 0.06),
    )
    a.rod(stack(n, zero, -0.1, zero), tip, radius, bark, top=0.45)
    crown = height - clear
    wide = height * scalar(draw, 0.16, 0.34)
    broad = kind == 0
    for k in range(6):
        angle, off = scalar(draw, 0, 2 * math.pi) + k * 1.05, wide * scalar(draw, 0.25, 0.7) * (k > 0)
        size = scalar(draw, 0.5, 0.85) * torch.where(torch.tensor(k == 0), 1.15, 0.75)
        level = clear + crown * (0.5 + scalar(draw, -0.22, 0.26) * (k > 0))
        a.ball(
            (off * torch.sin(angle), level, off * torch.cos(angle)),
            (wide * size, crown * 0.46 * size, wide * size),
            leaves,
            where=broad,
        )
    for k in range(4):
        low = clear + crown * 0.23 * k
        a.spindle(
            (0, low + crown * 0.18, 0),
            (wide * (0.85 - 0.19 * k), crown * 0.19, wide * (0.85 - 0.19 * k)),
            leaves,
            top=0.12,
            where=conifer,
        )
    a.ball((0, clear + crown * 0.5, 0), (wide * 0.38, crown * 0.55, wide * 0.38), leaves, where=poplar)
    for k in range(7):
        spin = rotation_y(scalar(draw, 0, 0.5) + k * 0.9)
        droop = matmul(spin, rotation_x(scalar(draw, 0.1, 0.7)))
        along = droop[:, :, 2] * (wide * 0.8)[:, None] + tip
        a.ball(along, (wide * 0.16, 0.05 * height * 0.3, wide * 0.85), leaves, turn=droop, where=palm)
    return a


def bush(draw: Draw, _main: Tensor) -> Assembly:
    """Shrubs and clipped hedges."""
    n = len(draw)
    a = Assembly(n)
    size, leaves = draw.log_uniform(0.35, 1.3, 1)[:, 0], mat.leaves(draw)
    hedge = draw.chance(0.25, 1)[:, 0]
    a.box((0, size * 0.7, 0), (size * 1.6, size * 0.7, size * 0.5), leaves, taper=(0.05, 0.1), where=hedge)
    for k in range(5):
        angle, off = scalar(draw, 0, 2 * math.pi), size * scalar(draw, 0.2, 0.8) * (k > 0)
        r = size * scalar(draw, 0.5, 0.85)
        a.ball(
            (off * torch.sin(angle), r * 0.75, off * torch.cos(angle)),
            (r, r * scalar(draw, 0.7, 1.1), r),
            leaves,
            where=~hedge,
        )
    return a


def rock(draw: Draw, main: Tensor) -> Assembly:
    """Boulders, slabs and heaps."""
    n = len(draw)
    a = Assembly(n)
    size = draw.log_uniform(0.2, 1.8, 1)[:, 0]
    stone = main.clone()
    stone[:, 12], stone[:, 14] = 0.5, 0.8
    for k in range(4):
        turn = matmul(rotation_y(scalar(draw, 0, 6.3)), rotation_z(scalar(draw, -0.5, 0.5)))
        angle, off = scalar(draw, 0, 6.3), size * scalar(draw, 0.2, 0.75) * (k > 0)
        half = size * scalar(draw, 0.5, 0.9) * (1 - 0.15 * k)
        boxy = draw.chance(0.4, 1)[:, 0]
        place = (off * torch.sin(angle), half * 0.45, off * torch.cos(angle))
        extent = (half, half * scalar(draw, 0.5, 0.85), half * scalar(draw, 0.6, 1.0))
        a.ball(place, extent, stone, turn=turn, where=~boxy)
        a.box(
            place,
            (extent[0] * 0.8, extent[1] * 0.9, extent[2] * 0.8),
            stone,
            taper=(0.35, 0.3),
            turn=turn,
            where=boxy,
        )
    return a


def _quadruped(
    draw: Draw,
    main: Tensor,
    height: Tensor,
    length: Tensor,
    girth: Tensor,
    neck: tuple[float, float],
    head: float,
    leg_share: float,
    ear: float,
    tail: float,
) -> Assembly:
    """A four-legged body. `height` at the shoulder; `neck` length and rise as shares of the body length."""
    n = len(draw)
    a = Assembly(n)
    belly = height * leg_share
    legs = girth * 0.28
    dark = mat.material((0.05, 0.04, 0.04), n, specular=0.5)
    stride = scalar(draw, -0.35, 0.35)
    middle = belly + girth * 0.85
    a.ball((0, middle, 0), (girth, girth * 1.05, length), main)
    a.ball((0, middle + girth * 0.06, length * 0.5), (girth * 0.98, girth * 1.1, length * 0.5), main)
    a.ball((0, middle + girth * 0.02, -length * 0.5), (girth, girth * 1.05, length * 0.48), main)
    for side in (-1.0, 1.0):
        for end in (-1.0, 1.0):
            foot = length * (0.66 * end) + height * 0.4 * torch.sin(stride) * side * end
            x = side * girth * 0.62
            a.rod(
                stack(n, x, middle - girth * 0.2, length * 0.66 * end),
                stack(n, x, legs * 0.4, foot),
                legs,
                main,
                top=0.6,
            )
            a.ball((x, legs * 0.4, foot + legs * 0.3), (legs * 0.75, legs * 0.45, legs * 1.0), main)
    lift = scalar(draw, 0.6, 1.1)
    start = stack(n, 0.0, middle + girth * 0.4, length * 0.82)
    skull = stack(
        n,
        scalar(draw, -0.15, 0.15) * length,
        middle + girth * 0.4 + neck[1] * length * lift,
        length * (0.85 + neck[0]),
    )
    size = head * girth
    a.rod(start, skull, girth * 0.55, main, top=0.68)
    x, y, z = skull.unbind(-1)
    a.ball((x, y, z), (size * 0.8, size * 0.8, size), main)
    a.ball((x, y - size * 0.25, z + size * 0.95), (size * 0.45, size * 0.42, size * 0.75), main)
    a.ball((x, y - size * 0.12, z + size * 1.62), (size * 0.18, size * 0.14, size * 0.12), dark)
    for side in (-1.0, 1.0):
        a.ball(
            (x + side * size * 0.62, y + size * (0.5 + 0.4 * ear), z - size * 0.2),
            (size * 0.2, size * ear, size * 0.3),
            main,
        )
        a.ball(
            (x + side * size * 0.5, y + size * 0.22, z + size * 0.68),
            (size * 0.13, size * 0.13, size * 0.13),
            dark,
        )
    rump = stack(n, 0.0, middle + girth * 0.45, -length * 0.92)
    tip = rump + stack(
        n, scalar(draw, -0.4, 0.4) * length, length * tail * scalar(draw, -0.6, 1.0), -length * abs(tail)
    )
    a.rod(rump, tip, girth * 0.18, main, top=0.5)
    return a


def dog(draw: Draw, main: Tensor) -> Assembly:
    """Terrier to great dane."""
    height = draw.log_uniform(0.3, 0.75, 1)[:, 0]
    return _quadruped(
        draw,
        main,
        height,
        height * scalar(draw, 0.5, 0.68),
        height * scalar(draw, 0.15, 0.22),
        (0.28, 0.5),
        1.05,
        0.54,
        0.4,
        0.7,
    )


def cat(draw: Draw, main: Tensor) -> Assembly:
    """Standing or crouched."""
    height = scalar(draw, 0.2, 0.29)
    return _quadruped(
        draw,
        main,
        height,
        height * scalar(draw, 0.7, 0.9),
        height * scalar(draw, 0.27, 0.36),
        (0.16, 0.3),
        0.9,
        0.45,
        0.4,
        1.0,
    )


def horse(draw: Draw, main: Tensor) -> Assembly:
    """With its head up or grazing."""
    height = scalar(draw, 1.25, 1.6)
    return _quadruped(
        draw,
        main,
        height,
        height * scalar(draw, 0.5, 0.58),
        height * scalar(draw, 0.17, 0.21),
        (0.38, 0.85),
        0.72,
        0.6,
        0.5,
        0.5,
    )


def sheep(draw: Draw, main: Tensor) -> Assembly:
    """Woolly."""
    wool = main.clone()
    wool[:, 12], wool[:, 14] = 0.45, 0.7
    height = scalar(draw, 0.6, 0.8)
    return _quadruped(
        draw,
        wool,
        height,
        height * scalar(draw, 0.6, 0.75),
        height * scalar(draw, 0.34, 0.42),
        (0.25, 0.25),
        0.52,
        0.4,
        0.3,
        0.2,
    )


def cow(draw: Draw, main: Tensor) -> Assembly:
    """Often spotted."""
    height = scalar(draw, 1.15, 1.45)
    return _quadruped(
        draw,
        main,
        height,
        height * scalar(draw, 0.62, 0.75),
        height * scalar(draw, 0.24, 0.3),
        (0.28, 0.25),
        0.66,
        0.46,
        0.3,
        0.45,
    )


def bird(draw: Draw, main: Tensor) -> Assembly:
    """Perched, walking or with spread wings."""
    n = len(draw)
    a = Assembly(n)
    size = draw.log_uniform(0.07, 0.28, 1)[:, 0]
    flying = draw.chance(0.35, 1)[:, 0]
    tilt = rotation_x(torch.where(flying, 0.0, -scalar(draw, 0.2, 0.7)))
    beak = mat.material((0.85, 0.55, 0.1), n)
    wing = mat.material(main[:, :3] * draw.uniform(0.5, 1.0, 1), n, mottle=0.3)
    body = size * 1.5
    a.ball((0, body, 0), (size * 0.5, size * 0.5, size), main, turn=tilt)
    a.ball((0, body + size * 0.55, size * 0.75), (size * 0.34, size * 0.34, size * 0.36), main)
    forward = rotation_x(torch.full((n,), math.pi / 2))
    a.spindle(
        (0, body + size * 0.5, size * 1.2),
        (size * 0.1, size * 0.18, size * 0.1),
        beak,
        top=0.05,
        turn=forward,
    )
    a.box((0, body - size * 0.15, -size * 1.15), (size * 0.25, size * 0.05, size * 0.45), wing, turn=tilt)
    for side in (-1.0, 1.0):
        a.ball(
            (side * size * 0.46, body + size * 0.05, -size * 0.1),
            (size * 0.14, size * 0.36, size * 0.85),
            wing,
            turn=tilt,
            where=~flying,
        )
        lift = rotation_z(side * scalar(draw, -0.2, 0.7))
        out = lift[:, :, 0] * (side * size * 1.1)[:, None] + stack(n, 0.0, body + size * 0.2, 0.0)
        a.ball(out, (size * 1.05, size * 0.07, size * 0.45), wing, turn=lift, where=flying)
        a.rod(
            stack(n, side * size * 0.2, body, 0.0),
            stack(n, side * size * 0.2, 0.0, size * 0.1),
            size * 0.05,
            beak,
            where=~flying,
        )
        a.ball(
            (side * size * 0.2, body + size * 0.65, size * 0.95),
            (size * 0.07, size * 0.07, size * 0.07),
            mat.rubber(draw),
        )
    return a


def teddy_bear(draw: Draw, main: Tensor) -> Assembly:
    """Seated."""
    n = len(draw)
    a = Assembly(n)
    s = scalar(draw, 0.1, 0.3)
    dark, snout = mat.rubber(draw), mat.material((main[:, :3] * 1.25).clamp(0, 1), n, mottle=0.3)
    a.ball((0, s, 0), (s * 0.8, s, s * 0.7), main)
    a.ball((0, s * 2.35, s * 0.1), (s * 0.72, s * 0.66, s * 0.66), main)
    a.ball((0, s * 2.2, s * 0.68), (s * 0.3, s * 0.25, s * 0.25), snout)
    a.ball((0, s * 2.28, s * 0.92), (s * 0.09, s * 0.07, s * 0.06), dark)
    for side in (-1.0, 1.0):
        a.ball((side * s * 0.55, s * 2.9, 0), (s * 0.27, s * 0.27, s * 0.14), main)
        a.ball((side * s * 0.27, s * 2.5, s * 0.66), (s * 0.07, s * 0.08, s * 0.07), dark)
        a.ball(
            (side * s * 0.9, s * 1.35, s * 0.3),
            (s * 0.27, s * 0.55, s * 0.27),
            main,
            turn=rotation_z(torch.full((n,), side * 0.6)),
        )
        a.ball((side * s * 0.5, s * 0.32, s * 0.75), (s * 0.3, s * 0.3, s * 0.65), main)
    return a
