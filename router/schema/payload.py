"""The answers: one frozen dataclass a kind, told apart by `kind`. Coordinates are pixels of the upright input image,
continuous, origin at the top-left corner of the top-left pixel (pixel centres at +0.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np

from visionrouter.schema.arrays import (
    F32,
    Bool,
    Boxes,
    Dense,
    DenseU8,
    Grid,
    Keypoints,
    Masks,
    Record,
    Scores,
    check,
    fail,
)
from visionrouter.schema.forms import ToldBy
from visionrouter.schema.task import Operation


@dataclass(frozen=True, slots=True, eq=False)
class Detections(Record):
    """N boxes.

    `boxes`: float32 (N, 4), x1 y1 x2 y2 in pixels, x1 <= x2, y1 <= y2. `scores`: float32 (N,), the model's own
    raw scores in [0, 1], not calibrated. `labels`: N words.
    """

    boxes: Boxes
    scores: Scores
    labels: tuple[str, ...]
    kind: Literal["detections"] = "detections"

    def __post_init__(self) -> None:
        n = len(self.labels)
        check(self.boxes, "Detections", "boxes", np.float32, (n, 4))
        _check_scores(self.scores, "Detections", n)
        if n and (self.boxes[:, :2] > self.boxes[:, 2:]).any():
            fail("Detections", "boxes", "x1 > x2 or y1 > y2 in a row; the order is x1 y1 x2 y2")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation(Record):
    """N masks of one image.

    `masks`: bool (N, H, W). `labels`: N words. `scores`: float32 (N,) raw scores in [0, 1]. `mode` says what the
    masks are: "semantic" (one a class, disjoint), "instance" (one an object), "referring" and "promptable" (one a
    thing meant).
    """

    masks: Masks
    scores: Scores
    labels: tuple[str, ...]
    mode: Literal["semantic", "instance", "referring", "promptable"]
    kind: Literal["segmentation"] = "segmentation"

    def __post_init__(self) -> None:
        n = len(self.labels)
        check(self.masks, "Segmentation", "masks", np.bool_, (n, None, None))
        _check_scores(self.scores, "Segmentation", n)
        if self.mode == "semantic" and n > 1 and (self.masks.sum(0, dtype=np.uint8) > 1).any():
            fail("Segmentation", "masks", "semantic masks overlap; each pixel has one class")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def boxes(self) -> Boxes:
        """float32 (N, 4) tight xyxy boxes of the masks; zeros for an empty mask."""
        return boxes_of(self.masks)

    @property
    def label_map(self) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        """int32 (H, W): index into `labels`, -1 where no mask holds the pixel, the later mask where several do."""
        out = np.full(self.masks.shape[1:], -1, np.int32)
        for i, mask in enumerate(self.masks):
            out[mask] = i
        return out


@dataclass(frozen=True, slots=True, eq=False)
class DepthMap(Record):
    """Depth of every pixel.

    `values`: float32 (H, W). With `unit` "m": z-depth along the optical axis in metres. With "relative": depth up to
    an unknown positive scale and shift. With "disparity": inverse depth up to scale and shift (larger is nearer).
    +inf: no surface (sky). NaN: not known.
    """

    values: Dense
    unit: Literal["m", "relative", "disparity"]
    kind: Literal["depth"] = "depth"

    def __post_init__(self) -> None:
        check(self.values, "DepthMap", "values", np.float32, (None, None), finite=False)
        with np.errstate(invalid="ignore"):
            if self.unit == "m" and (self.values < 0).any():
                fail("DepthMap", "values", "negative metres; z-depth is measured forward from the camera")

    @property
    def is_metric(self) -> bool:
        return self.unit == "m"


@dataclass(frozen=True, slots=True, eq=False)
class NormalMap(Record):
    """Surface normals: float32 (H, W, 3), unit length, camera frame +x right, +y up, +z towards the viewer; NaN: not known."""

    values: Dense
    kind: Literal["normals"] = "normals"

    def __post_init__(self) -> None:
        check(self.values, "NormalMap", "values", np.float32, (None, None, 3), finite=False)
        if np.isinf(self.values).any():
            fail("NormalMap", "values", "infinite components; mark unknown normals with NaN")
        length = np.linalg.norm(self.values, axis=-1)
        if (np.abs(length - 1) > 0.01).any():
            fail("NormalMap", "values", "normals are not of unit length; divide by their norm")


INTRINSIC_MAPS = ("albedo", "roughness", "metallicity", "shading", "residual")
INTRINSIC_NUMBERS = ("roughness", "metallicity")
"""Of the maps, those of one number a pixel; the others are colours."""


@dataclass(frozen=True, slots=True, eq=False)
class Intrinsics(Record):
    """What surfaces are of themselves, and the light on them: maps of one size, NaN where not known, None where not drawn.

    `albedo`: float32 (H, W, 3), diffuse reflectance in [0, 1]. `roughness`, 0 a mirror and 1 matt, and `metallicity`, 0 a
    dielectric and 1 bare metal: float32 (H, W). `shading`, the diffuse illumination, and `residual`, what is not reflected
    diffusely (highlights, mirror images, lamps): float32 (H, W, 3), at least 0, both in one unknown positive unit; in it
    the image in linear light is albedo * shading + residual.

    Maps of three channels are linear RGB with sRGB's primaries, never gamma encoded, whatever their model draws.
    """

    albedo: Dense
    roughness: Dense | None = None
    metallicity: Dense | None = None
    shading: Dense | None = None
    residual: Dense | None = None
    kind: Literal["intrinsics"] = "intrinsics"

    def __post_init__(self) -> None:
        check(self.albedo, "Intrinsics", "albedo", np.float32, (None, None, 3), finite=False)
        size = self.albedo.shape[:2]
        for name, values in self.maps.items():
            shape = size if name in INTRINSIC_NUMBERS else (*size, 3)
            check(values, "Intrinsics", name, np.float32, shape, finite=False)
            most = np.inf if name in ("shading", "residual") else 1.0
            low, high = np.fmin.reduce(values, None, initial=np.inf), np.fmax.reduce(values, None, initial=0)
            if low < 0 or high > most:
                fail("Intrinsics", name, f"spans {low:.3g} to {high:.3g}; it is in 0..{most:g}")
            if high == np.inf:
                fail("Intrinsics", name, "infinite values; mark what is not known with NaN")

    @property
    def maps(self) -> Mapping[str, F32]:
        """The maps that there are, by name, albedo first."""
        found = {name: getattr(self, name) for name in INTRINSIC_MAPS}
        return {name: values for name, values in found.items() if values is not None}


@dataclass(frozen=True, slots=True, eq=False)
class Poses(Record):
    """N people with K named joints.

    `keypoints`: float32 (N, K, 2) x y in pixels. `keypoint_scores`: float32 (N, K) raw scores in [0, 1]; 0 marks a
    joint that was not found, its place then means nothing. `names`: K joint names. `edges`: pairs of joint indices to
    draw. `boxes` (N, 4) and `scores` (N,) belong to the people.
    """

    keypoints: Keypoints
    keypoint_scores: Grid
    boxes: Boxes
    scores: Scores
    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    kind: Literal["poses"] = "poses"

    def __post_init__(self) -> None:
        n, k = len(self.scores), len(self.names)
        if n == 0:
            object.__setattr__(self, "keypoints", np.zeros((0, k, 2), np.float32))
            object.__setattr__(self, "keypoint_scores", np.zeros((0, k), np.float32))
        check(self.keypoints, "Poses", "keypoints", np.float32, (n, k, 2))
        check(self.keypoint_scores, "Poses", "keypoint_scores", np.float32, (n, k))
        check(self.boxes, "Poses", "boxes", np.float32, (n, 4))
        _check_scores(self.scores, "Poses", n)
        if any(not (0 <= a < k and 0 <= b < k) for a, b in self.edges):
            fail("Poses", "edges", f"an edge names a joint outside 0..{k - 1}")

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Classification(Record):
    """The likeliest classes, best first. `scores`: float32 (N,), the model's own probabilities, not calibrated."""

    labels: tuple[str, ...]
    scores: Scores
    kind: Literal["classification"] = "classification"

    def __post_init__(self) -> None:
        _check_scores(self.scores, "Classification", len(self.labels))
        if (np.diff(self.scores) > 0).any():
            fail("Classification", "scores", "not sorted, best first")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing a composite speaks of.

    `box`: x1 y1 x2 y2 in pixels. `value` with its `unit` ("m", "relative"), and `interval` the central 80 % of the
    values measured over the thing; all three None where nothing could be measured.
    """

    label: str
    box: tuple[float, float, float, float]
    score: float
    value: float | None = None
    interval: tuple[float, float] | None = None
    unit: str | None = None


Part = Annotated[
    Detections | Segmentation | DepthMap | NormalMap | Intrinsics | Poses | Classification, ToldBy("kind")
]


@dataclass(frozen=True, slots=True, eq=False)
class Composite(Record):
    """An answer joined from several tasks.

    `operation` says how; `entities` are its rows, `summary` its sentence, `parts` the answers it was joined from by
    task, `image` the edited picture of a redaction: uint8 (H, W, 3) RGB.
    """

    operation: Operation
    summary: str
    entities: tuple[Entity, ...] = ()
    parts: dict[str, Part] = field(default_factory=dict)
    image: DenseU8 | None = None
    kind: Literal["composite"] = "composite"


Payload = Annotated[
    Detections | Segmentation | DepthMap | NormalMap | Intrinsics | Poses | Classification | Composite,
    ToldBy("kind"),
]


def _check_scores(scores: object, owner: str, n: int) -> None:
    check(scores, owner, "scores", np.float32, (n,))
    assert isinstance(scores, np.ndarray)
    if n and (scores.min() < 0 or scores.max() > 1):
        fail(owner, "scores", f"span {scores.min():.3g} to {scores.max():.3g}; raw scores are in 0..1")


def boxes_of(masks: Bool) -> Boxes:
    """Tight xyxy boxes, float32 (N, 4), of masks, bool (N, H, W); zeros for an empty mask."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for i, mask in enumerate(masks):
        ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(xs):
            boxes[i] = xs[0], ys[0], xs[-1] + 1, ys[-1] + 1
    return boxes
