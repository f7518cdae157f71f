"""Building objects out of solids, for n instances of one class at once.

Object frame: +x its left-right axis, +y up, +z the way it faces; origin on the ground under its middle.
Every number may be a float or an (n,) tensor, every point three numbers or an (n, 3) tensor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.intersect import BOX, QUADRIC

Number = float | Tensor
Triple = tuple[Number, Number, Number]
Point = Triple | Tensor


def stack(n: int, *values: Number, device: torch.device | None = None) -> Tensor:
    """(n, len(values)) of floats and (n,) tensors."""
    columns = [v if isinstance(v, Tensor) else torch.full((n,), float(v), device=device) for v in values]
    return torch.stack(columns, -1)


def point(n: int, value: Point) -> Tensor:
    """(n, 3) of three numbers, or the tensor itself."""
    return value if isinstance(value, Tensor) else stack(n, *value)


@dataclass
class Assembly:
    """Solids of n instances in their object frames, in the order they were added."""

    n: int
    kind: list[Tensor] = field(default_factory=list)
    centre: list[Tensor] = field(default_factory=list)
    rotation: list[Tensor] = field(default_factory=list)
    half_size: list[Tensor] = field(default_factory=list)
    shape: list[Tensor] = field(default_factory=list)
    material: list[Tensor] = field(default_factory=list)
    keypoints: Tensor | None = None
    """(n, 17, 3) for persons"""

    def _add(
        self,
        kind: int,
        centre: Tensor,
        half_size: Tensor,
        shape: Tensor,
        material: Tensor,
        turn: Tensor | None,
        where: Tensor | None,
    ) -> None:
        kinds = torch.full((self.n,), kind)
        self.kind.append(kinds if where is None else torch.where(where, kinds, -1))
        self.centre.append(centre)
        self.half_size.append(half_size.clamp_min(1e-3))
        self.shape.append(shape)
        self.material.append(material)
        self.rotation.append(torch.eye(3).expand(self.n, 3, 3) if turn is None else turn)

    def box(
        self,
        centre: Point,
        half_size: Triple,
        material: Tensor,
        *,
        taper: tuple[Number, Number] = (0.0, 0.0),
        shear: Number = 0.0,
        turn: Tensor | None = None,
        where: Tensor | None = None,
    ) -> None:
        """A box about `centre`; `taper` shrinks its top in x and z (1 is an edge), `shear` moves the top in z
        by that many half depths."""
        n = self.n
        self._add(
            BOX, point(n, centre), stack(n, *half_size), stack(n, *taper, shear, 0.0), material, turn, where
        )

    def ball(
        self,
        centre: Point,
        half_size: Triple,
        material: Tensor,
        *,
        cut: tuple[Number, Number] = (-1.0, 1.0),
        openness: float = 0.0,
        turn: Tensor | None = None,
        where: Tensor | None = None,
    ) -> None:
        """An ellipsoid about `centre`, kept between two heights given in its unit ball (-1 bottom, 1 top)."""
        n = self.n
        low, high = stack(n, *cut).unbind(-1)
        middle, half = (low + high) / 2, (high - low) / 2
        shape = stack(n, 1 - middle * middle, -2 * middle * half, -half * half, openness)
        rx, ry, rz = stack(n, *half_size).unbind(-1)
        offset = torch.stack([torch.zeros_like(ry), middle * ry, torch.zeros_like(ry)], -1)
        if turn is not None:
            offset = (turn * offset[:, None]).sum(-1)
        self._add(
            QUADRIC,
            point(n, centre) + offset,
            torch.stack([rx, half * ry, rz], -1),
            shape,
            material,
            turn,
            where,
        )

    def spindle(
        self,
        centre: Point,
        half_size: Triple,
        material: Tensor,
        *,
        top: Number = 1.0,
        bulge: Number = 0.0,
        openness: float = 0.0,
        turn: Tensor | None = None,
        where: Tensor | None = None,
    ) -> None:
        """A round solid along y: radius 1 (times half_size) at the bottom, `top` at the top, its squared
        radius swollen by `bulge` in the middle (negative: a waist). openness 1 opens the top, 2 both ends."""
        n = self.n
        up, belly = stack(n, top, bulge).unbind(-1)
        mean, slope = (1 + up) / 2, (up - 1) / 2
        shape = stack(n, mean * mean + belly, 2 * mean * slope, slope * slope - belly, openness)
        self._add(QUADRIC, point(n, centre), stack(n, *half_size), shape, material, turn, where)

    def rod(
        self,
        start: Tensor,
        end: Tensor,
        radius: Number,
        material: Tensor,
        *,
        top: Number = 1.0,
        bulge: Number = 0.0,
        flatness: Number = 1.0,
        where: Tensor | None = None,
    ) -> None:
        """A spindle from one point to another, both (n, 3). `flatness` scales its second radius."""
        along = end - start
        length = along.norm(dim=-1).clamp_min(1e-4)
        wide = stack(self.n, radius, flatness)
        self.spindle(
            (start + end) / 2,
            (wide[:, 0], length / 2, wide[:, 0] * wide[:, 1]),
            material,
            top=top,
            bulge=bulge,
            turn=facing_y(along / length[:, None]),
            where=where,
        )

    def stacked(self) -> dict[str, Tensor]:
        """The solids as (n, M, ...) tensors by name."""
        names = ("kind", "centre", "rotation", "half_size", "shape", "material")
        return {name: torch.stack(getattr(self, name), 1) for name in names}


def facing_y(axis: Tensor) -> Tensor:
    """(n, 3, 3) rotations whose second column is the given unit vector (n, 3)."""
    steep = axis[:, 2:].abs() > 0.9
    helper = torch.where(steep, torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0]))
    x = torch.nn.functional.normalize(torch.linalg.cross(axis, helper), dim=-1)
    return torch.stack([x, axis, torch.linalg.cross(x, axis)], -1)


def on_circle(angle: Number, radius: Number) -> tuple[Number, Number]:
    """x, z of a point on a circle about y."""
    if isinstance(angle, Tensor):
        return radius * torch.sin(angle), radius * torch.cos(angle)
    return radius * math.sin(angle), radius * math.cos(angle)
