"""Cars, trucks, buses, bicycles, motorcycles, boats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import rotation_x, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly, Number, stack


def scalar(draw: Draw, low: float, high: float) -> Tensor:
    """(n,) uniform."""
    return draw.uniform(low, high, 1)[:, 0]


def _wheel(
    a: Assembly, x: Number, z: Number, radius: Tensor, width: Number, tyre: Tensor, hub: Tensor
) -> None:
    across = rotation_z(torch.full((a.n,), math.pi / 2))
    a.spindle((x, radius, z), (radius, width, radius), tyre, turn=across)
    a.spindle((x, radius, z), (radius * 0.58, width * 1.06, radius * 0.58), hub, turn=across)


def _lights(a: Assembly, x: Tensor, y: Tensor, front: Tensor, back: Tensor) -> None:
    white = mat.material((0.95, 0.93, 0.85), a.n, specular=0.8, gloss=60.0, emission=0.25)
    red = mat.material((0.6, 0.04, 0.04), a.n, specular=0.6, emission=0.15)
    for side in (-1.0, 1.0):
        a.box((side * x, y, front), (0.16, 0.07, 0.04), white)
        a.box((side * x, y, -back), (0.14, 0.08, 0.04), red)


def car(draw: Draw, main: Tensor) -> Assembly:
    """Hatchback, saloon, estate, van or pickup by its proportions."""
    n = len(draw)
    a = Assembly(n)
    length, width = scalar(draw, 1.75, 2.4), scalar(draw, 0.8, 0.96)
    wheel = scalar(draw, 0.29, 0.38)
    sill, waist = wheel * 0.75, scalar(draw, 0.82, 1.02)
    roof = waist + scalar(draw, 0.42, 0.85) * (0.7 + 0.3 * draw.unit(1)[:, 0])
    cabin, shift = length * scalar(draw, 0.42, 0.8), scalar(draw, -0.5, 0.1)
    main = main.clone()
    main[:, 9], main[:, 13] = 0.7, 0.12
    glass, rubber, hub = mat.glass(draw), mat.rubber(draw), mat.metal(draw)
    a.box((0, (sill + waist) / 2, 0), (width, (waist - sill) / 2, length), main, taper=(0.06, 0.04))
    a.box((0, sill + 0.05, 0), (width * 0.96, 0.1, length * 0.985), mat.rubber(draw))
    top = (waist + roof) / 2
    lean = scalar(draw, 0.2, 0.55)
    shear = scalar(draw, -0.12, 0.1)
    a.box((0, top, shift), (width * 0.93, (roof - waist) / 2, cabin), glass, taper=(0.18, lean), shear=shear)
    a.box(
        (0, roof, shift + shear * cabin),
        (width * 0.79, 0.035, cabin * (1.02 - lean)),
        main,
        taper=(0.08, 0.08),
    )
    pillar = shift + scalar(draw, -0.2, 0.2) * cabin
    a.box((0, top, pillar), (width * 0.935, (roof - waist) / 2, 0.05), main, taper=(0.18, 0.0))
    axle = length * 0.62
    for side in (-1.0, 1.0):
        for end in (-1.0, 1.0):
            _wheel(a, side * width * 0.9, end * axle, wheel, 0.12, rubber, hub)
    _lights(a, width * 0.72, waist - 0.2, length, length)
    a.box((0, sill + 0.18, length + 0.01), (width * 0.4, 0.08, 0.03), mat.metal(draw))
    return a


def truck(draw: Draw, main: Tensor) -> Assembly:
    """A cab with a box or an open bed."""
    n = len(draw)
    a = Assembly(n)
    width, length, wheel = scalar(draw, 0.95, 1.25), scalar(draw, 2.6, 4.2), scalar(draw, 0.38, 0.52)
    cab, height = scalar(draw, 0.7, 1.0), scalar(draw, 2.0, 2.9)
    cargo = mat.painted_like(draw, draw.uniform(0.2, 0.95, 1).expand(-1, 3), 0.3)
    closed = draw.chance(0.7, 1)[:, 0]
    box_top = torch.where(closed, height + scalar(draw, 0.0, 0.9), wheel * 2 + 0.7)
    floor = wheel * 1.7
    glass, rubber, hub = mat.glass(draw), mat.rubber(draw), mat.metal(draw)
    front = length - cab
    a.box(
        (0, (floor * 0.7 + height) / 2, front),
        (width * 0.95, (height - floor * 0.7) / 2, cab),
        main,
        taper=(0.06, 0.12),
    )
    a.box(
        (0, height * 0.74, front + cab * 0.42),
        (width * 0.88, height * 0.13, cab * 0.6),
        glass,
        taper=(0.05, 0.14),
    )
    back = length - cab - 0.12
    a.box((0, (floor + box_top) / 2, -cab - 0.12), (width, (box_top - floor) / 2, back), cargo)
    a.box((0, floor - 0.12, 0), (width * 0.5, 0.12, length * 0.96), mat.rubber(draw))
    for side in (-1.0, 1.0):
        for place in (0.72, -0.5, -0.78):
            _wheel(a, side * width * 0.88, length * place, wheel, 0.16, rubber, hub)
    _lights(a, width * 0.74, floor * 0.85, length + 0.01, length + 0.01)
    return a


def bus(draw: Draw, main: Tensor) -> Assembly:
    """City bus, coach or minibus."""
    n = len(draw)
    a = Assembly(n)
    width, length, height = scalar(draw, 1.0, 1.28), scalar(draw, 3.0, 6.0), scalar(draw, 2.4, 3.3)
    wheel = scalar(draw, 0.4, 0.5)
    glass, rubber, hub = mat.glass(draw), mat.rubber(draw), mat.metal(draw)
    low = wheel * 0.7
    a.box((0, (low + height) / 2, 0), (width, (height - low) / 2, length), main, taper=(0.04, 0.02))
    a.box((0, height * 0.66, -0.05), (width * 1.005, height * 0.15, length * 0.94), glass, taper=(0.01, 0.0))
    for k in range(4):
        z = length * (-0.62 + 0.42 * k)
        a.box((0, height * 0.66, z), (width * 1.012, height * 0.155, 0.05), main)
    a.box((0, height * 0.62, length), (width * 0.9, height * 0.2, 0.03), glass)
    a.box(
        (0, height * 0.9, length), (width * 0.6, 0.12, 0.04), mat.material((0.9, 0.6, 0.1), n, emission=0.5)
    )
    a.box((0, height * 0.66, -length), (width * 0.8, height * 0.13, 0.03), glass)
    a.box((0, low + 0.06, 0), (width * 1.01, 0.1, length * 0.99), mat.rubber(draw))
    for side in (-1.0, 1.0):
        for place in (0.64, -0.58):
            _wheel(a, side * width * 0.9, length * place, wheel, 0.16, rubber, hub)
    _lights(a, width * 0.8, low + 0.35, length + 0.01, length + 0.01)
    return a


def _spoked(a: Assembly, z: Tensor, radius: Tensor, tyre: Tensor, metal: Tensor) -> None:
    across = rotation_z(torch.full((a.n,), math.pi / 2))
    a.spindle((0, radius, z), (radius, 0.022, radius), tyre, openness=2.0, turn=across)
    a.spindle((0, radius, z), (radius * 0.93, 0.012, radius * 0.93), tyre, openness=2.0, turn=across)
    for k in range(3):
        spin = rotation_x(torch.full((a.n,), math.pi * k / 3))
        a.box((0, radius, z), (0.006, radius * 0.95, 0.01), metal, turn=spin)


def bicycle(draw: Draw, main: Tensor) -> Assembly:
    """Two thin wheels on a diamond of tubes."""
    n = len(draw)
    a = Assembly(n)
    radius, half = scalar(draw, 0.3, 0.36), scalar(draw, 0.48, 0.58)
    tyre, metal = mat.rubber(draw), mat.metal(draw)
    saddle, bars = scalar(draw, 0.85, 1.0), scalar(draw, 0.92, 1.12)
    _spoked(a, half, radius, tyre, metal)
    _spoked(a, -half, radius, tyre, metal)
    zero = torch.zeros(n)
    pedal = stack(n, zero, radius * 0.85, -0.08)
    seat = stack(n, zero, saddle, -0.22)
    head = stack(n, zero, bars - 0.12, half * 0.68)
    front, back = stack(n, zero, radius, half), stack(n, zero, radius, -half)
    grip = stack(n, zero, bars, half * 0.6)
    under = seat - (seat - pedal) * 0.12
    for start, end in (
        (pedal, seat),
        (pedal, head),
        (under, head),
        (pedal, back),
        (under, back),
        (head, front),
        (head, grip),
    ):
        a.rod(start, end, 0.022, main)
    a.ball((0, saddle + 0.02, -0.24), (0.08, 0.035, 0.14), tyre)
    a.box((0, bars, half * 0.6), (0.28, 0.018, 0.02), metal)
    a.spindle(
        (0, radius * 0.85, -0.08), (0.09, 0.02, 0.09), metal, turn=rotation_z(torch.full((n,), math.pi / 2))
    )
    return a


def motorcycle(draw: Draw, main: Tensor) -> Assembly:
    """Scooter to tourer."""
    n = len(draw)
    a = Assembly(n)
    radius, half = scalar(draw, 0.26, 0.34), scalar(draw, 0.58, 0.72)
    tyre, metal = mat.rubber(draw), mat.metal(draw)
    across = rotation_z(torch.full((n,), math.pi / 2))
    for end in (-1.0, 1.0):
        a.spindle((0, radius, end * half), (radius, 0.07, radius), tyre, turn=across)
        a.spindle((0, radius, end * half), (radius * 0.55, 0.076, radius * 0.55), metal, turn=across)
    a.box((0, radius + 0.12, -0.02), (0.13, 0.2, 0.3), metal, taper=(0.2, 0.2))
    a.ball((0, 0.84, 0.15), (0.17, 0.16, 0.32), main)
    a.box((0, 0.78, -0.42), (0.14, 0.07, 0.38), tyre, taper=(0.2, 0.1))
    a.box((0, 0.72, -0.6), (0.12, 0.1, 0.25), main, taper=(0.3, 0.2))
    zero = torch.zeros(n)
    a.rod(stack(n, zero, radius, half), stack(n, zero, 1.02, half * 0.55), 0.05, metal)
    a.box((0, 1.04, half * 0.5), (0.36, 0.025, 0.03), tyre)
    a.ball(
        (0, 0.92, half * 0.75),
        (0.12, 0.12, 0.1),
        mat.material((0.9, 0.9, 0.8), n, specular=0.8, emission=0.2),
    )
    fairing = draw.chance(0.5, 1)[:, 0]
    a.box((0, 0.86, half * 0.62), (0.2, 0.3, 0.12), main, taper=(0.4, 0.5), shear=-0.8, where=fairing)
    return a


def boat(draw: Draw, main: Tensor) -> Assembly:
    """Rowing boat, motor boat or sailing boat."""
    n = len(draw)
    a = Assembly(n)
    length, width, height = scalar(draw, 1.5, 4.5), scalar(draw, 0.55, 0.85), scalar(draw, 0.35, 0.6)
    wide = width * length.sqrt()
    a.ball((0, height * 1.3, 0), (wide, height * 1.6, length), main, cut=(-0.95, 0.0), openness=1.0)
    a.ball(
        (0, height * 1.26, 0),
        (wide * 0.9, height * 1.2, length * 0.93),
        mat.wood(draw),
        cut=(-0.6, 0.0),
        openness=1.0,
    )
    a.box((0, height * 1.05, 0), (wide * 0.85, 0.04, 0.14), mat.wood(draw))
    kind = draw.choose([0.35, 0.3, 0.35], 1)[:, 0]
    motor, sail = kind == 1, kind == 2
    white = mat.material((0.92, 0.92, 0.9), n, mottle=0.05)
    a.box(
        (0, height * 1.9, length * 0.1),
        (wide * 0.6, height * 0.8, length * 0.35),
        white,
        taper=(0.15, 0.3),
        where=motor,
    )
    a.box(
        (0, height * 2.2, length * 0.12),
        (wide * 0.58, height * 0.25, length * 0.32),
        mat.glass(draw),
        taper=(0.1, 0.15),
        where=motor,
    )
    mast = length * scalar(draw, 0.9, 1.3)
    zero = torch.zeros(n)
    a.rod(
        stack(n, zero, height, 0.1), stack(n, zero, height + 2 * mast, 0.1), 0.05, mat.wood(draw), where=sail
    )
    a.box(
        (0, height * 1.8 + mast, -length * 0.32),
        (0.02, mast * 0.9, length * 0.42),
        mat.painted_like(draw, white[:, :3], 0.2),
        taper=(0.0, 0.98),
        shear=0.95,
        where=sail,
    )
    return a
