"""What flows through the proving ground: scene parameters in, pictures with their truth out.

World frame: +x right, +y up, +z forward, metres. Camera frame for geometry: +x right, +y up, +z forward
(into the image). Frame of the *delivered* normals: +x right, +y up, +z out of the image to the viewer.
Pixels are continuous with the origin at the top-left corner of the top-left pixel (centres at +0.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self, TypeVar

import torch
from torch import Tensor


class TensorGroup:
    """Base of the dataclasses below: every tensor field has the scene index as its first axis."""

    def _map(self, f: Callable[[Tensor], Tensor]) -> Self:
        out: dict[str, Tensor | TensorGroup] = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                out[field.name] = f(value)
            elif isinstance(value, TensorGroup):
                out[field.name] = value._map(f)
        return replace(self, **out)  # type: ignore[type-var]

    def to(self, device: str | torch.device) -> Self:
        """The same group on another device."""
        return self._map(lambda t: t.to(device))

    def __getitem__(self, index: slice | Tensor | list[int]) -> Self:
        """A subset of the scenes, by slice, index list or mask."""
        return self._map(lambda t: t[index])

    def __len__(self) -> int:
        return len(next(self._tensors()))

    def _tensors(self) -> Iterator[Tensor]:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, TensorGroup):
                yield from value._tensors()


@dataclass(frozen=True)
class Parts(TensorGroup):
    """Solid parts of all objects in world coordinates; P slots a scene, unused ones have kind -1.

    A part is the image of a unit solid under x -> centre + rotation @ (half_size * x).
    """

    kind: Tensor
    """(B, P) int64: -1 none, 0 tapered box, 1 clipped quadric of revolution about y."""
    centre: Tensor
    """(B, P, 3)"""
    rotation: Tensor
    """(B, P, 3, 3) local to world"""
    half_size: Tensor
    """(B, P, 3)"""
    shape: Tensor
    """(B, P, 4). Box: taper of x and of z towards the top, shear of z, unused. Quadric: a, b, c of
    x^2 + z^2 = a + b y + c y^2 on |y| <= 1, then 1 for an open shell and 0 for a closed solid."""
    owner: Tensor
    """(B, P) int64: object slot, or -1 for stuff"""
    class_id: Tensor
    """(B, P) int64 index into CLASSES"""
    material: Tensor
    """(B, P, 16) see `textures.Material`"""


@dataclass(frozen=True)
class Camera(TensorGroup):
    """A pinhole with two radial distortion coefficients (OpenCV's k1, k2). Focal lengths and centre are
    relative to the image width and height so that one scene renders at any size."""

    position: Tensor
    """(B, 3) metres, world"""
    rotation: Tensor
    """(B, 3, 3) camera (+x right, +y up, +z forward) to world"""
    focal: Tensor
    """(B,) focal length / sqrt(width * height)"""
    centre: Tensor
    """(B, 2) principal point as a share of width and height"""
    distortion: Tensor
    """(B, 2) k1, k2"""

    def intrinsics(self, height: int, width: int) -> Tensor:
        """(B, 6): fx, fy, cx, cy in pixels, then k1, k2 (OpenCV's radial model)."""
        f = self.focal * (height * width) ** 0.5
        return torch.stack(
            [f, f, self.centre[:, 0] * width, self.centre[:, 1] * height, *self.distortion.unbind(-1)], -1
        )


@dataclass(frozen=True)
class Objects(TensorGroup):
    """Truth of each object slot (K = MAX_OBJECTS a scene). Boxes are xyxy in pixels, continuous."""

    class_id: Tensor
    """(B, K) int64 index into CLASSES, -1 for an empty slot"""
    colour: Tensor
    """(B, K) int64 index into COLOUR_NAMES, -1 where no single colour would be named"""
    visible_px: Tensor
    """(B, K) int64 pixels of the instance map"""
    full_px: Tensor
    """(B, K) int64 pixels of the silhouette inside the frame as if nothing stood before it"""
    occluded: Tensor
    """(B, K) float: 1 - visible_px / full_px; 1 where full_px is 0"""
    visible_box: Tensor
    """(B, K, 4) float, zeros where nothing is visible"""
    full_box: Tensor
    """(B, K, 4) float, box of the silhouette inside the frame, zeros where there is none"""
    depth_m: Tensor
    """(B, K) float: mean z-depth of the visible pixels, inf where nothing is visible"""
    centroid: Tensor
    """(B, K, 2) float: mean x, y of the visible pixels, zeros where nothing is visible"""
    keypoints: Tensor
    """(B, K, 17, 3) float x, y, v in COCO-17 order; v: 0 not a person or out of the frame, 1 occluded,
    2 visible"""


@dataclass(frozen=True)
class Views(TensorGroup):
    """A batch of pictures with their ground truth, on the device they were rendered on."""

    rgb: Tensor
    """(B, 3, H, W) float32 in [0, 1], sRGB"""
    depth_m: Tensor
    """(B, H, W) float32 z-depth along the optical axis; +inf at sky"""
    normals: Tensor
    """(B, 3, H, W) float32 unit vectors, +x right, +y up, +z to the viewer; zero at sky"""
    instance: Tensor
    """(B, H, W) uint8: 0 stuff, k + 1 the object in slot k"""
    semantic: Tensor
    """(B, H, W) uint8 index into CLASSES"""
    objects: Objects
    intrinsics: Tensor
    """(B, 6) float: fx, fy, cx, cy in pixels, k1, k2"""
    seed: Tensor
    """(B,) int64"""
    world: Tensor
    """(B,) int64 index into WORLDS"""

    @property
    def height(self) -> int:
        return self.rgb.shape[2]

    @property
    def width(self) -> int:
        return self.rgb.shape[3]


@dataclass(frozen=True)
class Environment(TensorGroup):
    """What is not an object: the enclosing cuboid, the ground's regions, light and air."""

    bounds: Tensor
    """(B, 6) x0, x1, y0, y1, z0, z1 of the cuboid round the camera; beyond `OPEN_M` a side is the sky"""
    face_class: Tensor
    """(B, 6) int64 class of its sides, in the order of `bounds`; the floor is the third"""
    face_material: Tensor
    """(B, 6, 16)"""
    region: Tensor
    """(B, G, 6) strips painted over the floor, later ones on top: x, z of a point on the middle line, its
    heading (radians from +z towards +x), half width, amplitude and frequency of its wobble"""
    region_class: Tensor
    """(B, G) int64, -1 for none"""
    region_material: Tensor
    """(B, G, 16)"""
    key_light: Tensor
    """(B, 4) direction to the sun and 0, or position of a lamp and 1; it casts the shadows"""
    key_colour: Tensor
    """(B, 3) linear light on a surface that faces the sun, or at one metre from the lamp"""
    fill_light: Tensor
    """(B, 3) direction to a second light without shadows"""
    fill_colour: Tensor
    """(B, 3)"""
    ambient_up: Tensor
    """(B, 3) light from above"""
    ambient_down: Tensor
    """(B, 3) light from below"""
    zenith: Tensor
    """(B, 3) linear colour of the sky overhead"""
    horizon: Tensor
    """(B, 3) linear colour of the sky at the horizon"""
    clouds: Tensor
    """(B, 3) cover in [0, 1], scale, phase"""
    haze: Tensor
    """(B,) extinction of the air in 1/m"""
    shadow_blur: Tensor
    """(B,) half width of the penumbra as a share of the picture's height"""


@dataclass(frozen=True)
class Sensor(TensorGroup):
    """How the camera turns light into sRGB."""

    exposure: Tensor
    """(B,) log-average of the picture that the exposure aims at"""
    white_balance: Tensor
    """(B, 3) gains"""
    contrast: Tensor
    """(B,) strength of the S-curve"""
    saturation: Tensor
    """(B,) 1 leaves colours as they are"""
    vignette: Tensor
    """(B,) light lost in the corners"""
    blur: Tensor
    """(B,) weight of the 3x3 point spread"""
    noise: Tensor
    """(B,) standard deviation of the noise at mid grey"""


OPEN_M = 1500.0
"""A side of the cuboid farther than this is the sky."""


@dataclass(frozen=True)
class Scenes(TensorGroup):
    """Parameters of B scenes: all that is needed to render them at any size and moment."""

    seed: Tensor
    """(B,) int64"""
    world: Tensor
    """(B,) int64 index into WORLDS"""
    class_id: Tensor
    """(B, K) int64 index into CLASSES, -1 for an empty slot"""
    colour: Tensor
    """(B, K) int64 index into COLOUR_NAMES, -1 where no single colour would be named"""
    position: Tensor
    """(B, K, 3) metres, world, at time zero"""
    heading: Tensor
    """(B, K) radians from +z towards +x"""
    velocity: Tensor
    """(B, K, 3) metres a second"""
    turn_rate: Tensor
    """(B, K) radians a second"""
    keypoints: Tensor
    """(B, K, 17, 3) in object frames; NaN where the object is not a person"""
    parts: Parts
    """In object frames where `owner` >= 0, in the world where it is -1"""
    camera: Camera
    camera_velocity: Tensor
    """(B, 3) metres a second"""
    camera_turn: Tensor
    """(B, 3) radians a second about x, y, z"""
    environment: Environment
    sensor: Sensor


G = TypeVar("G", bound="TensorGroup")


def concatenate(groups: Sequence[G]) -> G:
    """Join groups of one type along the scene axis. Tensors that differ in their second axis (parts, ground
    regions) are padded with -1 where they are whole numbers, with 0 elsewhere."""
    first = groups[0]
    out = {}
    for field in fields(first):  # type: ignore[arg-type]
        values = [getattr(g, field.name) for g in groups]
        if isinstance(values[0], TensorGroup):
            out[field.name] = concatenate(values)
        else:
            out[field.name] = _join(values)
    return replace(first, **out)  # type: ignore[type-var]


def _join(values: list[Tensor]) -> Tensor:
    if values[0].dim() > 1:
        longest = max(v.shape[1] for v in values)
        values = [_pad(v, longest) for v in values]
    return torch.cat(values)


def _pad(value: Tensor, length: int) -> Tensor:
    missing = length - value.shape[1]
    if missing == 0:
        return value
    filler = 0 if value.is_floating_point() else -1
    return torch.cat([value, value.new_full((len(value), missing, *value.shape[2:]), filler)], 1)
