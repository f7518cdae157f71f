"""What each thing class looks like: a builder of its solids, its colours and its usual scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly
from visionrouter.benchmarks.scenes.things import held_out, indoors, nature, people, small, urban, vehicles

Builder = Callable[[Draw, Tensor], Assembly]


@dataclass(frozen=True)
class Kind:
    """A thing class."""

    build: Builder
    size_m: float
    """usual extent; sets the scale of painted patterns"""
    colours: tuple[str, ...] | None = ()
    """colour names it comes in; () for any, None where no single colour would be named"""
    wild: float = 0.1
    """share painted with an arbitrary two-coloured pattern, which has no single colour name"""


FUR = ("black", "white", "brown", "gray", "orange")

KINDS: dict[str, Kind] = {
    "person": Kind(people.person, 0.5, (), 0.06),
    "bicycle": Kind(vehicles.bicycle, 1.0),
    "car": Kind(vehicles.car, 4.0, (), 0.02),
    "motorcycle": Kind(vehicles.motorcycle, 1.0, (), 0.02),
    "bus": Kind(vehicles.bus, 5.0, (), 0.08),
    "truck": Kind(vehicles.truck, 4.0, (), 0.04),
    "boat": Kind(vehicles.boat, 3.0),
    "traffic light": Kind(urban.traffic_light, 0.5, ("black", "gray", "yellow", "green"), 0.0),
    "fire hydrant": Kind(urban.fire_hydrant, 0.5, ("red", "yellow", "blue", "orange", "white"), 0.0),
    "stop sign": Kind(urban.stop_sign, 0.5, ("red",), 0.0),
    "bench": Kind(urban.bench, 1.0, None),
    "bird": Kind(
        nature.bird, 0.2, ("black", "white", "brown", "gray", "red", "blue", "yellow", "green"), 0.05
    ),
    "cat": Kind(nature.cat, 0.3, FUR, 0.15),
    "dog": Kind(nature.dog, 0.5, FUR, 0.12),
    "horse": Kind(nature.horse, 1.5, ("brown", "black", "white", "gray"), 0.05),
    "sheep": Kind(nature.sheep, 0.8, ("white", "black", "gray"), 0.0),
    "cow": Kind(nature.cow, 1.0, ("brown", "black", "white"), 0.3),
    "suitcase": Kind(indoors.suitcase, 0.5),
    "sports ball": Kind(small.sports_ball, 0.3, (), 0.2),
    "bottle": Kind(small.bottle, 0.2),
    "wine glass": Kind(small.wine_glass, 0.2, None),
    "cup": Kind(small.cup, 0.1, (), 0.15),
    "bowl": Kind(small.bowl, 0.2, (), 0.15),
    "banana": Kind(small.banana, 0.3, ("yellow", "green"), 0.0),
    "apple": Kind(small.fruit, 0.2, ("red", "green", "yellow"), 0.0),
    "orange": Kind(small.fruit, 0.2, ("orange",), 0.0),
    "chair": Kind(indoors.chair, 0.5),
    "couch": Kind(indoors.couch, 1.0),
    "potted plant": Kind(indoors.potted_plant, 0.4, None),
    "bed": Kind(indoors.bed, 1.0),
    "dining table": Kind(indoors.dining_table, 1.0, None),
    "tv": Kind(indoors.tv, 0.5, None),
    "laptop": Kind(small.laptop, 0.3, None),
    "keyboard": Kind(small.keyboard, 0.3, ("black", "white", "gray"), 0.0),
    "refrigerator": Kind(indoors.refrigerator, 1.0, ("white", "gray", "black", "red"), 0.0),
    "book": Kind(small.book, 0.2),
    "clock": Kind(small.clock, 0.2),
    "vase": Kind(small.vase, 0.2, (), 0.2),
    "teddy bear": Kind(nature.teddy_bear, 0.3, ("brown", "white", "pink", "orange", "gray", "blue"), 0.05),
    "tree": Kind(nature.tree, 2.0, None),
    "bush": Kind(nature.bush, 1.0, None),
    "building": Kind(urban.building, 5.0, None),
    "cone": Kind(urban.cone, 0.4, ("orange", "red", "yellow", "green", "blue"), 0.0),
    "crate": Kind(urban.crate, 0.6, (), 0.15),
    "fence": Kind(urban.fence, 1.0, None),
    "rock": Kind(nature.rock, 0.8, ("gray", "brown", "white"), 0.0),
    "lamp": Kind(indoors.lamp, 0.3),
    "street light": Kind(urban.street_light, 1.0, ("gray", "black", "green"), 0.0),
    "cabinet": Kind(indoors.cabinet, 1.0, None),
    "elephant": Kind(held_out.elephant, 1.5, ("gray", "brown"), 0.1),
    "giraffe": Kind(held_out.giraffe, 1.5, ("yellow", "orange", "brown"), 0.3),
    "airplane": Kind(held_out.airplane, 4.0),
    "umbrella": Kind(held_out.umbrella, 1.0, (), 0.3),
    "barrel": Kind(held_out.barrel, 0.8),
    "windmill": Kind(held_out.windmill, 3.0),
    "snowman": Kind(held_out.snowman, 1.0),
    "toy rocket": Kind(held_out.toy_rocket, 0.5),
}
