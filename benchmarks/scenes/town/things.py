"""What stands in the town: names, colours, and each thing as a list of solids."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.intersect import BOX, QUADRIC

STUFF = ("sky", "grass", "road")
THINGS = ("building", "tree", "car", "person", "cone", "ball", "crate", "post")
CLASSES = STUFF + THINGS
MAX_OBJECTS = 8
"""Object slots of a scene (K)."""

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.85, 0.10, 0.10),
    "green": (0.10, 0.65, 0.20),
    "blue": (0.10, 0.25, 0.85),
    "yellow": (0.95, 0.85, 0.10),
    "orange": (0.95, 0.50, 0.08),
    "purple": (0.50, 0.15, 0.65),
    "white": (0.92, 0.92, 0.92),
    "black": (0.08, 0.08, 0.08),
}
"""Reflectance of an object's body. Trees have a colour of their own, which is none of these."""
COLOUR_NAMES = tuple(COLOURS)

JOINTS = ("head", "neck", "left_hand", "right_hand", "hip", "left_foot", "right_foot")
SKELETON = ((0, 1), (1, 2), (1, 3), (1, 4), (4, 5), (4, 6))

Triple = tuple[float, float, float]


class Role(IntEnum):
    """What a part is made of. The body alone takes the object's colour."""

    BODY, DARK, GLASS, SKIN, WOOD, LEAF, METAL, CLOTH, BAND = range(9)


REFLECTANCE: tuple[Triple, ...] = (
    (0.0, 0.0, 0.0), (0.10, 0.10, 0.11), (0.35, 0.45, 0.55), (0.80, 0.60, 0.48), (0.40, 0.27, 0.15),
    (0.15, 0.38, 0.12), (0.50, 0.50, 0.52), (0.16, 0.18, 0.30), (0.93, 0.93, 0.93),
)  # fmt: skip
"""By role; the body's gives way to the object's own colour."""


class Limb(IntEnum):
    """What a part swings with."""

    TRUNK, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG = range(5)


PIVOT: tuple[Triple, ...] = ((0, 0, 0), (0.26, 1.42, 0), (-0.26, 1.42, 0), (0.11, 0.86, 0), (-0.11, 0.86, 0))
"""Shoulders and hips about which limbs swing, metres in the person's frame, by limb."""
JOINT_PLACE: tuple[Triple, ...] = (
    (0, 1.62, 0), (0, 1.45, 0), (0.30, 0.80, 0), (-0.30, 0.80, 0), (0, 0.86, 0), (0.11, 0.02, 0), (-0.11, 0.02, 0),
)  # fmt: skip
"""Joints of a person with hanging limbs, in the order of JOINTS."""
JOINT_LIMB = (
    Limb.TRUNK, Limb.TRUNK, Limb.LEFT_ARM, Limb.RIGHT_ARM, Limb.TRUNK, Limb.LEFT_LEG, Limb.RIGHT_LEG,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """A solid in its object's frame: y up from the ground, z ahead, metres."""

    kind: int
    centre: Triple
    half_size: Triple
    shape: tuple[float, float, float, float]
    role: Role = Role.BODY
    limb: Limb = Limb.TRUNK


def _box(centre: Triple, half_size: Triple, role: Role = Role.BODY) -> Part:
    return Part(BOX, centre, half_size, (0, 0, 0, 0), role)


def _ellipsoid(centre: Triple, half_size: Triple, role: Role = Role.BODY, limb: Limb = Limb.TRUNK) -> Part:
    return Part(QUADRIC, centre, half_size, (1, 0, -1, 0), role, limb)


def _frustum(height: float, low: float, high: float, half_height: float, role: Role = Role.BODY) -> Part:
    """An upright frustum whose middle is `height` above the ground, with its radii at both ends."""
    mean, slope = (low + high) / 2, (high - low) / 2
    shape = (mean * mean, 2 * mean * slope, slope * slope, 0)
    return Part(QUADRIC, (0, height, 0), (1, half_height, 1), shape, role)


_WHEEL = (0.14, 0.33, 0.33)
_FOREARM, _LEG = (0.07, 0.34, 0.07), (0.10, 0.46, 0.10)
PARTS: dict[str, tuple[Part, ...]] = {
    "building": (_box((0, 4, 0), (3, 4, 3)), _box((0, 8.2, 0), (3.2, 0.2, 3.2), Role.DARK)),
    "tree": (
        _frustum(1, 0.18, 0.14, 1, Role.WOOD),
        _ellipsoid((0, 3, 0), (1.2, 1.4, 1.2), Role.LEAF),
        _ellipsoid((0.6, 2.5, 0.2), (0.8, 0.8, 0.8), Role.LEAF),
        _ellipsoid((-0.6, 2.6, -0.2), (0.8, 0.9, 0.8), Role.LEAF),
    ),
    "car": (
        _box((0, 0.62, 0), (0.88, 0.34, 2.1)),
        _box((0, 1.16, -0.15), (0.76, 0.28, 1.1), Role.GLASS),
        _box((0, 1.45, -0.15), (0.74, 0.03, 1.0)),
        *(_ellipsoid((x, 0.33, z), _WHEEL, Role.DARK) for x in (0.85, -0.85) for z in (1.3, -1.3)),
    ),
    "person": (
        _ellipsoid((0, 1.62, 0), (0.13, 0.16, 0.14), Role.SKIN),
        _ellipsoid((0, 1.15, 0), (0.23, 0.36, 0.15)),
        _ellipsoid((0.30, 1.12, 0), _FOREARM, limb=Limb.LEFT_ARM),
        _ellipsoid((-0.30, 1.12, 0), _FOREARM, limb=Limb.RIGHT_ARM),
        _ellipsoid((0.11, 0.43, 0), _LEG, Role.CLOTH, Limb.LEFT_LEG),
        _ellipsoid((-0.11, 0.43, 0), _LEG, Role.CLOTH, Limb.RIGHT_LEG),
    ),
    "cone": (
        _frustum(0.37, 0.22, 0.04, 0.34),
        _box((0, 0.02, 0), (0.27, 0.02, 0.27), Role.DARK),
        _frustum(0.40, 0.215, 0.15, 0.10, Role.BAND),
    ),
    "ball": (_ellipsoid((0, 0.5, 0), (0.5, 0.5, 0.5)),),
    "crate": (_box((0, 0.5, 0), (0.5, 0.5, 0.5)),),
    "post": (_frustum(1.6, 0.06, 0.05, 1.6, Role.METAL), _box((0, 3.0, 0), (0.45, 0.35, 0.04))),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Templates:
    """PARTS as tensors (len(THINGS), M, ...); unused rows have kind -1."""

    kind: Tensor
    centre: Tensor
    half_size: Tensor
    shape: Tensor
    role: Tensor
    limb: Tensor


@cache
def templates(device: str) -> Templates:
    """The parts of every thing, on a device."""
    most = max(map(len, PARTS.values()))
    nothing = Part(-1, (0, 0, 0), (1, 1, 1), (0, 0, 0, 0))
    rows = [[*PARTS[name], *[nothing] * (most - len(PARTS[name]))] for name in THINGS]

    def column(field: str, dtype: torch.dtype) -> Tensor:
        return torch.tensor(
            [[getattr(part, field) for part in row] for row in rows], dtype=dtype, device=device
        )

    whole, real = torch.int64, torch.float32
    return Templates(
        column("kind", whole), column("centre", real), column("half_size", real), column("shape", real),
        column("role", whole), column("limb", whole),
    )  # fmt: skip
