"""What flows through the proving ground: scene parameters in, pictures with their truth out.

World frame: +x right, +y up, +z forward, metres. Camera frame for geometry: +x right, +y up, +z forward
(into the image). Frame of the *delivered* normals: +x right, +y up, +z out of the image to the viewer.
Pixels are continuous with the origin at the top-left corner of the top-left pixel (centres at +0.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor


class TensorGroup:
    """Base of the dataclasses below: every tensor field has the scene index as its first axis."""

    def _map(self, f: object) -> Self:
        assert callable(f)
        out = {}
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


def concatenate(groups: Sequence[Views]) -> Views:
    """Join batches of one size along the scene axis."""
    raise NotImplementedError
