"""The ground and the sides of the surroundings."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import OPEN_M
from visionrouter.benchmarks.scenes.textures import MATERIAL_SIZE, Pattern, Slot
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID
from visionrouter.benchmarks.scenes.worlds.layout import column


def open_bounds(n: int) -> Tensor:
    """(n, 6): nothing but the ground."""
    far = 10 * OPEN_M
    return torch.tensor([-far, far, 0.0, far, -far, far]).expand(n, 6)


def ground(draw: Draw, name: str, ood: bool = False) -> Tensor:
    """(n, MATERIAL_SIZE) of a kind of ground."""
    n = len(draw)
    if name == "grass":
        base = mat.between(draw, (0.24, 0.34, 0.12), (0.58, 0.55, 0.30), 0.04)
        return mat.material(
            base,
            n,
            second=base * 0.66,
            pattern=Pattern.NOISE,
            frequency=column(draw, 0.7, 5),
            mottle=0.5,
            bump=0.5,
        )
    if name == "road":
        base = draw.uniform(0.2, 0.45, 1) + draw.uniform(-0.012, 0.012, 3)
        return mat.material(
            base, n, second=(0.88, 0.86, 0.8), pattern=Pattern.LANES, frequency=1.0, mottle=0.2, specular=0.06
        )
    if name == "pavement":
        base = draw.uniform(0.35, 0.66, 1) + draw.uniform(-0.04, 0.04, 3)
        pattern = torch.where(draw.chance(0.6, 1)[:, 0], float(Pattern.TILES), float(Pattern.BRICK))
        return mat.material(
            base, n, second=base * 0.7, pattern=pattern, frequency=column(draw, 1.2, 5), mottle=0.22
        )
    if name == "water":
        base = mat.between(draw, (0.03, 0.09, 0.12), (0.12, 0.26, 0.28), 0.02)
        return mat.material(
            base,
            n,
            second=base * 1.5,
            pattern=Pattern.NOISE,
            frequency=column(draw, 0.3, 1.5),
            mottle=0.1,
            mirror=0.6,
            bump=0.1,
            specular=0.7,
            gloss=120.0,
        )
    if name == "sand":
        base = mat.between(draw, (0.60, 0.50, 0.36), (0.86, 0.78, 0.62), 0.03)
        return mat.material(
            base,
            n,
            second=base * 0.85,
            pattern=Pattern.NOISE,
            frequency=column(draw, 0.5, 3),
            mottle=0.2,
            bump=0.25,
        )
    if name == "dirt":
        base = mat.between(draw, (0.28, 0.19, 0.12), (0.58, 0.45, 0.32), 0.03)
        return mat.material(
            base,
            n,
            second=base * 0.65,
            pattern=Pattern.NOISE,
            frequency=column(draw, 0.7, 4),
            mottle=0.4,
            bump=0.35,
        )
    if name == "snow":
        return mat.material(
            draw.uniform(0.82, 0.95, 1) + draw.uniform(-0.01, 0.02, 3),
            n,
            pattern=Pattern.PLAIN,
            mottle=0.1,
            bump=0.25,
        )
    if name == "floor":
        return _floor(draw, ood)
    if name == "wall":
        wall = mat.plaster(draw)
        if ood:
            wall[:, Slot.PATTERN] = float(Pattern.ZIGZAG)
        return wall
    if name == "ceiling":
        return mat.material(draw.uniform(0.7, 0.95, 1) + draw.uniform(-0.02, 0.02, 3), n, mottle=0.04)
    raise KeyError(name)


def _floor(draw: Draw, ood: bool) -> Tensor:
    n = len(draw)
    wood, carpet = mat.wood(draw), mat.cloth(draw, ood)
    pale = draw.uniform(0.25, 0.9, 1) + draw.uniform(-0.05, 0.05, 3)
    pattern = torch.tensor(
        [Pattern.TILES, Pattern.CHECKS, Pattern.MARBLE, Pattern.BRICK], dtype=torch.float32
    )
    tiles = mat.material(
        pale,
        n,
        second=pale * draw.uniform(0.4, 0.85, 1),
        pattern=pattern[draw.integer(4, 1)[:, 0]],
        frequency=column(draw, 1.2, 4),
        specular=0.3,
        mottle=0.08,
        mirror=column(draw, 0, 0.15),
    )
    wood[:, Slot.FREQUENCY] = column(draw, 1.5, 4)
    wood[:, Slot.PATTERN] = torch.where(
        draw.chance(0.6, 1)[:, 0], float(Pattern.BRICK), wood[:, Slot.PATTERN]
    )
    wood[:, Slot.FREQUENCY] *= torch.where(wood[:, Slot.PATTERN] == float(Pattern.BRICK), 1.8, 1.0)
    carpet[:, Slot.FREQUENCY] = column(draw, 1.0, 8)
    which = draw.integer(3, 1)
    return torch.where(which == 0, wood, torch.where(which == 1, tiles, carpet))


class Regions:
    """Collects strips over the floor."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.strip: list[Tensor] = []
        self.class_id: list[Tensor] = []
        self.material: list[Tensor] = []

    def add(
        self,
        name: str,
        material: Tensor,
        point: tuple[Tensor | float, Tensor | float],
        heading: Tensor | float,
        half_width: Tensor | float,
        wobble: Tensor | float = 0.0,
        frequency: float = 0.05,
        where: Tensor | None = None,
    ) -> None:
        """A strip of a class; see `Environment.region`."""
        values = [
            v if isinstance(v, Tensor) else torch.full((self.n,), float(v))
            for v in (point[0], point[1], heading, half_width, wobble, frequency)
        ]
        ids = torch.full((self.n,), CLASS_ID[name])
        if name == "road":  # lane marks need to know where the edge is
            material = material.clone()
            material[:, Slot.PHASE] = values[3]
        self.strip.append(torch.stack(values, -1))
        self.class_id.append(ids if where is None else torch.where(where, ids, -1))
        self.material.append(material)

    def stacked(self) -> tuple[Tensor, Tensor, Tensor]:
        """region, region_class, region_material."""
        if not self.strip:
            n = self.n
            return (
                torch.zeros(n, 0, 6),
                torch.zeros(n, 0, dtype=torch.int64),
                torch.zeros(n, 0, MATERIAL_SIZE),
            )
        return torch.stack(self.strip, 1), torch.stack(self.class_id, 1), torch.stack(self.material, 1)


def sides(n: int, names: tuple[str | None, ...], materials: list[Tensor]) -> tuple[Tensor, Tensor]:
    """face_class (n, 6) and face_material (n, 6, MATERIAL_SIZE); None is the sky."""
    ids = torch.tensor([-1 if name is None else CLASS_ID[name] for name in names])
    return ids.repeat(n, 1), torch.stack(materials, 1)
