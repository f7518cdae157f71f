"""Furniture and large household things."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import matmul, rotation_x, rotation_y
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly, on_circle, stack
from visionrouter.benchmarks.scenes.textures import Pattern
from visionrouter.benchmarks.scenes.things.vehicles import scalar

CORNERS = ((-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0))


def chair(draw: Draw, main: Tensor) -> Assembly:
    """Four-legged, swivel, stool or arm chair."""
    n = len(draw)
    a = Assembly(n)
    w, d, seat = scalar(draw, 0.2, 0.27), scalar(draw, 0.2, 0.26), scalar(draw, 0.4, 0.5)
    back = scalar(draw, 0.2, 0.34)
    kind = draw.choose([0.6, 0.2, 0.2], 1)[:, 0]
    swivel, arms = kind == 1, draw.chance(0.3, 1)[:, 0]
    frame = torch.where(
        draw.chance(0.4, 1), mat.wood(draw), torch.where(draw.chance(0.5, 1), mat.metal(draw), main)
    )
    backed = kind != 2
    thick = scalar(draw, 0.02, 0.06)
    a.box((0, seat, 0), (w, thick, d), main, taper=(0.03, 0.03))
    lean = rotation_x(-scalar(draw, 0.02, 0.25))
    slats = draw.chance(0.35, 1)[:, 0]
    a.box(
        (0, seat + back + 0.05, -d),
        (w * 0.95, back, 0.025),
        main,
        taper=(0.1, 0.0),
        turn=lean,
        where=backed & ~slats,
    )
    for k in range(3):
        a.box(
            (0, seat + back * (0.6 + 0.6 * k), -d),
            (w * 0.95, back * 0.16, 0.02),
            main,
            turn=lean,
            where=backed & slats,
        )
    for x, z in CORNERS:
        a.box((x * w * 0.88, seat / 2, z * d * 0.88), (0.02, seat / 2, 0.02), frame, where=~swivel)
    for x in (-1.0, 1.0):
        a.box(
            (x * w * 0.88, seat + back * 0.9, -d), (0.018, back * 1.05, 0.02), frame, turn=lean, where=backed
        )
        a.box((x * w * 1.05, seat + 0.2, -0.02), (0.025, 0.02, d * 0.9), frame, where=arms & backed)
        a.box((x * w * 1.05, seat + 0.1, d * 0.6), (0.02, 0.1, 0.02), frame, where=arms & backed)
    a.spindle((0, seat / 2 + 0.04, 0), (0.03, seat / 2 - 0.04, 0.03), frame, where=swivel)
    for k in range(5):
        spin = rotation_y(torch.full((n,), 2 * math.pi * k / 5))
        foot_x, foot_z = on_circle(2 * math.pi * k / 5, 0.14)
        a.box((foot_x, 0.06, foot_z), (0.02, 0.02, 0.14), frame, turn=spin, where=swivel)
    return a


def couch(draw: Draw, main: Tensor) -> Assembly:
    """Sofa of one to four seats."""
    n = len(draw)
    a = Assembly(n)
    half, deep, seat = scalar(draw, 0.5, 1.25), scalar(draw, 0.38, 0.5), scalar(draw, 0.36, 0.45)
    arm, back = scalar(draw, 0.07, 0.16), scalar(draw, 0.2, 0.32)
    a.box((0, seat * 0.55, 0), (half, seat * 0.4, deep), main, taper=(0.0, 0.02))
    a.box(
        (0, seat + back * 0.6, -deep * 0.78),
        (half, back * 1.1, deep * 0.22),
        main,
        taper=(0.0, 0.25),
        shear=-0.3,
    )
    for side in (-1.0, 1.0):
        a.box(
            (side * (half - arm * 0.4), seat * 0.75, 0),
            (arm, seat * 0.6, deep * 0.98),
            main,
            taper=(0.15, 0.02),
        )
        a.box(
            (side * half * 0.45, seat + 0.04, 0.06),
            (half * 0.43, 0.07, deep * 0.82),
            main,
            taper=(0.04, 0.04),
        )
        for z in (-1.0, 1.0):
            a.box((side * half * 0.9, 0.05, z * deep * 0.85), (0.03, 0.06, 0.03), mat.wood(draw))
    cushion = mat.cloth(draw)
    for side in (-1.0, 1.0):
        tilt = matmul(rotation_y(scalar(draw, -0.5, 0.5)), rotation_x(-scalar(draw, 0.2, 0.5)))
        a.ball(
            (side * half * 0.6, seat + 0.27, -deep * 0.35),
            (0.2, 0.2, 0.09),
            cushion,
            turn=tilt,
            where=draw.chance(0.5, 1)[:, 0],
        )
    return a


def bed(draw: Draw, main: Tensor) -> Assembly:
    """Single or double; the main colour is the cover's."""
    n = len(draw)
    a = Assembly(n)
    half, deep, h = scalar(draw, 0.45, 0.95), scalar(draw, 0.95, 1.08), scalar(draw, 0.22, 0.32)
    frame, linen = mat.wood(draw), mat.material(draw.uniform(0.75, 0.95, 1).expand(-1, 3), n, mottle=0.06)
    a.box((0, h * 0.5, 0), (half, h * 0.45, deep), frame)
    a.box((0, h * 1.25, 0), (half * 0.97, h * 0.4, deep * 0.98), linen, taper=(0.03, 0.02))
    a.box((0, h * 1.3, deep * 0.22), (half * 1.02, h * 0.45, deep * 0.78), main, taper=(0.05, 0.02))
    a.box((0, h * 1.6, -deep), (half * 1.02, h * scalar(draw, 0.9, 1.7), 0.04), frame)
    for side in (-1.0, 1.0):
        a.ball((side * half * 0.48, h * 1.78, -deep * 0.75), (half * 0.4, 0.09, 0.2), linen)
    return a


def dining_table(draw: Draw, main: Tensor) -> Assembly:
    """Round or rectangular, legs or a pedestal. The top is `TABLE_TOP_M` high."""
    n = len(draw)
    a = Assembly(n)
    w, d = scalar(draw, 0.5, 1.0), scalar(draw, 0.38, 0.55)
    top = torch.where(draw.chance(0.65, 1), mat.wood(draw), main)
    leg = torch.where(draw.chance(0.5, 1), top, mat.metal(draw))
    round_top = draw.chance(0.3, 1)[:, 0]
    pedestal = draw.chance(0.3, 1)[:, 0] | round_top
    thick = scalar(draw, 0.015, 0.035)
    a.box((0, TABLE_TOP_M - thick, 0), (w, thick, d), top, where=~round_top)
    a.spindle((0, TABLE_TOP_M - thick, 0), (d * 1.15, thick, d * 1.15), top, where=round_top)
    for x, z in CORNERS:
        a.box(
            (x * w * 0.9, TABLE_TOP_M / 2 - 0.02, z * d * 0.86),
            (0.03, TABLE_TOP_M / 2 - 0.02, 0.03),
            leg,
            where=~pedestal,
        )
    a.spindle(
        (0, TABLE_TOP_M / 2 - 0.02, 0), (0.07, TABLE_TOP_M / 2 - 0.02, 0.07), leg, bulge=-0.4, where=pedestal
    )
    a.spindle((0, 0.03, 0), (d * 0.7, 0.035, d * 0.7), leg, top=0.7, where=pedestal)
    return a


TABLE_TOP_M = 0.74


def cabinet(draw: Draw, main: Tensor) -> Assembly:
    """Chest of drawers, sideboard, wardrobe or bookshelf."""
    n = len(draw)
    a = Assembly(n)
    w, d, h = scalar(draw, 0.3, 0.8), scalar(draw, 0.18, 0.3), draw.log_uniform(0.35, 1.05, 1)[:, 0]
    body = torch.where(draw.chance(0.5, 1), mat.wood(draw), main)
    shelf = draw.chance(0.4, 1)[:, 0]
    handle = mat.metal(draw)
    a.box((0, h, 0), (w, h, d), body, where=~shelf)
    a.box((0, h, -d * 0.92), (w, h, d * 0.08), body, where=shelf)
    for side in (-1.0, 1.0):
        a.box((side * w * 0.97, h, 0), (w * 0.04, h, d), body, where=shelf)
    for k in range(4):
        level = h * (0.04 + 0.64 * k)
        a.box((0, level, 0), (w * 0.97, 0.015, d * 0.98), body, where=shelf)
        a.box((0, h * (0.3 + 0.48 * k), d + 0.004), (w * 0.95, 0.006, 0.004), mat.rubber(draw), where=~shelf)
        a.box((0, h * (0.4 + 0.44 * k), d + 0.015), (w * 0.12, 0.012, 0.015), handle, where=~shelf)
    for k in range(3):
        books = mat.material(
            draw.uniform(0.1, 0.8, 3),
            n,
            second=draw.uniform(0.1, 0.8, 3),
            pattern=Pattern.STRIPES,
            frequency=scalar(draw, 8, 18),
        )
        wide = w * scalar(draw, 0.3, 0.9)
        a.box(
            (-(w * 0.92 - wide), h * (0.04 + 0.64 * k) + h * 0.23, -d * 0.1),
            (wide, h * 0.2, d * 0.6),
            books,
            where=shelf,
        )
    return a


def refrigerator(draw: Draw, main: Tensor) -> Assembly:
    """Two doors with handles."""
    n = len(draw)
    a = Assembly(n)
    w, d, h = scalar(draw, 0.28, 0.45), scalar(draw, 0.28, 0.38), scalar(draw, 0.7, 0.95)
    split = scalar(draw, 0.9, 1.4)
    shiny = main.clone()
    shiny[:, 9] = 0.4
    a.box((0, h, 0), (w, h, d), shiny)
    a.box((0, h * split, d + 0.003), (w * 0.99, 0.008, 0.004), mat.rubber(draw))
    for k in (-1.0, 1.0):
        a.box((w * 0.8, h * split + k * 0.2, d + 0.03), (0.015, 0.13, 0.02), mat.metal(draw))
    return a


def tv(draw: Draw, main: Tensor) -> Assembly:
    """Flat screen on a foot, off or showing something; the main colour is the frame's."""
    n = len(draw)
    a = Assembly(n)
    w = scalar(draw, 0.3, 0.65)
    h = w * scalar(draw, 0.54, 0.66)
    on = draw.chance(0.5, 1)[:, 0]
    picture = mat.material(
        draw.uniform(0.05, 0.9, 3),
        n,
        second=draw.uniform(0.05, 0.9, 3),
        pattern=Pattern.CAMOUFLAGE,
        frequency=scalar(draw, 2, 8),
        phase=draw.uniform(0, 50, 1)[:, 0],
        emission=0.55,
    )
    screen = torch.where(
        on[:, None], picture, mat.material((0.03, 0.03, 0.04), n, specular=0.9, gloss=80.0, mirror=0.2)
    )
    a.box((0, h + 0.09, 0), (w, h, 0.025), main)
    a.box((0, h + 0.09, 0.024), (w * 0.965, h * 0.94, 0.004), screen)
    a.box((0, 0.05, 0), (0.03, 0.06, 0.02), main)
    a.box((0, 0.01, 0), (w * 0.35, 0.012, 0.11), main)
    return a


def lamp(draw: Draw, main: Tensor) -> Assembly:
    """Table or floor lamp; the main colour is the shade's."""
    n = len(draw)
    a = Assembly(n)
    h = draw.log_uniform(0.3, 1.6, 1)[:, 0]
    r = h.sqrt() * scalar(draw, 0.13, 0.2)
    tall = r * scalar(draw, 0.55, 0.9)
    foot = torch.where(draw.chance(0.5, 1), mat.metal(draw), mat.wood(draw))
    shade = main.clone()
    shade[:, 11] = draw.uniform(0.0, 0.7, 1)[:, 0]
    a.spindle((0, 0.015, 0), (r * 0.7, 0.018, r * 0.7), foot, top=0.85)
    a.spindle((0, h / 2, 0), (0.012 + r * 0.04, h / 2, 0.012 + r * 0.04), foot)
    bulb = mat.material((0.98, 0.93, 0.8), n, emission=1.0)
    a.ball((0, h, 0), (r * 0.25, r * 0.3, r * 0.25), bulb)
    a.spindle((0, h, 0), (r, tall, r), shade, top=scalar(draw, 0.45, 0.95), openness=2.0)
    return a


def potted_plant(draw: Draw, main: Tensor) -> Assembly:
    """Leaves in a pot."""
    n = len(draw)
    a = Assembly(n)
    size = draw.log_uniform(0.12, 0.55, 1)[:, 0]
    pot = size * scalar(draw, 0.32, 0.5)
    leaves = mat.leaves(draw)
    a.spindle((0, pot, 0), (pot * 0.72, pot, pot * 0.72), main, top=scalar(draw, 1.05, 1.45), openness=1.0)
    a.spindle((0, pot * 1.7, 0), (pot * 0.85, pot * 0.05, pot * 0.85), mat.bark(draw))
    bushy = draw.chance(0.45, 1)[:, 0]
    for k in range(7):
        spin = rotation_y(scalar(draw, 0, 0.7) + 0.9 * k)
        tilt = matmul(spin, rotation_x(-scalar(draw, 0.2, 1.35)))
        long = size * scalar(draw, 0.5, 1.0)
        tip = tilt[:, :, 2] * long[:, None] + stack(n, 0.0, pot * 1.8, 0.0)
        a.ball(tip, (size * 0.14, 0.02 + size * 0.03, long), leaves, turn=tilt, where=~bushy)
    for k in range(4):
        off = size * scalar(draw, 0.1, 0.35) * (k > 0)
        x, z = on_circle(scalar(draw, 0, 6.3), off)
        r = size * scalar(draw, 0.32, 0.55)
        a.ball((x, pot * 2 + r * scalar(draw, 0.6, 1.3), z), (r, r, r), leaves, where=bushy)
    return a


def suitcase(draw: Draw, main: Tensor) -> Assembly:
    """Trolley case with ribs and a handle."""
    n = len(draw)
    a = Assembly(n)
    w, d, h = scalar(draw, 0.18, 0.28), scalar(draw, 0.09, 0.15), scalar(draw, 0.25, 0.38)
    dark = mat.rubber(draw)
    a.box((0, h + 0.05, 0), (w, h, d), main)
    ribbed = draw.chance(0.5, 1)[:, 0]
    for k in (-0.5, 0.0, 0.5):
        a.box((k * w, h + 0.05, 0), (w * 0.05, h * 0.96, d * 1.03), dark, where=ribbed)
    a.box((0, h * 2 + 0.09, 0), (w * 0.35, 0.018, 0.018), dark)
    extended = draw.chance(0.5, 1)[:, 0]
    for side in (-1.0, 1.0):
        a.box((side * w * 0.5, h * 2 + 0.2, -d * 0.7), (0.012, 0.17, 0.012), mat.metal(draw), where=extended)
        a.ball((side * w * 0.8, 0.035, 0), (0.03, 0.035, 0.035), dark)
    a.box((0, h * 2 + 0.37, -d * 0.7), (w * 0.5, 0.02, 0.02), dark, where=extended)
    return a
