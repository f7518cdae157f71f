"""One's own labelled pictures as a source: COCO-style masks and keypoints, depth as 16-bit PNG or npz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from visionrouter.backends.generative.nano.codes import JOINTS
from visionrouter.backends.generative.tuning.annotations import PERSON, Annotation, Annotations, Picture
from visionrouter.backends.generative.tuning.labelled import TASKS, UNLABELLED, Labelled, Vocabulary
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.errors import ImageError, RequestError
from visionrouter.schema.image import load_image
from visionrouter.schema.task import Task

FAR_M = 60000.0
"""Most metres that float16 holds, nearly."""
MOST_REGIONS = 256
SKY = "sky"

Fit = Literal["crop", "letterbox"]
_UNKNOWN_LEVELS = (0, 65535)


@dataclass(frozen=True)
class Square:
    """A square of an image, `side` pixels from (left, top) on, seen as `size` x `size` pixels."""

    left: int
    top: int
    side: int
    size: int

    @classmethod
    def of(cls, width: int, height: int, size: int, fit: Fit) -> Square:
        """The largest square inside an image ("crop"), or the least around it ("letterbox"), in its middle."""
        side = min(width, height) if fit == "crop" else max(width, height)
        return cls((width - side) // 2, (height - side) // 2, side, size)

    def picture(self, pixels: U8) -> U8:
        """uint8 (size, size, 3), filtered against aliasing, black beyond the image."""
        import PIL.Image

        box = (self.left, self.top, self.left + self.side, self.top + self.side)
        cut = PIL.Image.fromarray(pixels).crop(box)
        return np.asarray(cut.resize((self.size, self.size), PIL.Image.Resampling.BILINEAR))

    def labels(self, values: npt.NDArray[Any], beyond: float) -> npt.NDArray[Any]:
        """(size, size, ...): the nearest of `values` (H, W, ...) to each pixel, `beyond` outside the image."""
        place = ((np.arange(self.size) + 0.5) * self.side / self.size).astype(int)
        rows, columns = place + self.top, place + self.left
        height, width = values.shape[:2]
        seen: npt.NDArray[Any] = values[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)].copy()
        seen[(rows < 0) | (rows >= height)] = beyond
        seen[:, (columns < 0) | (columns >= width)] = beyond
        return seen

    def points(self, joints: F32) -> F32:
        """Joints (..., 3) with x, y moved into the square; v is 0 for those outside."""
        moved = joints.copy()
        moved[..., :2] = (joints[..., :2] - (self.left, self.top)) * (self.size / self.side)
        outside = ((moved[..., :2] < 0) | (moved[..., :2] >= self.size)).any(-1)
        moved[outside] = 0
        return moved


class LabelledFolder:
    """Labelled pictures on disk, in the order of the annotations.

    `images`: the folder that `file_name` starts from. `annotations`: a COCO-style JSON file (masks as polygons or RLE,
    COCO-17 keypoints, and, where given, a `colour` word an object). `depth`: a folder of NAME.npz (`depth_m`, (H, W)
    metres, +inf at sky, NaN unknown; `normals`, (3, H, W) or (H, W, 3) unit vectors, if there are any) or NAME.png
    (16-bit, `depth_unit_m` metres a level; 0 and 65535 mean unknown, and sky where the pixel is of stuff named "sky"),
    NAME being the picture's own. `fit`: squares are cut from the middle of each picture ("crop"), or hold all of it on
    black ("letterbox").

    A picture answers only what its labels can: depth and normals where a file holds them; semantic, referring and
    instance where each object has a mask and none is a crowd; pose where each person has keypoints. Stuff that no
    annotation is of is no part of the vocabulary, since nothing says where it is. Raises `RequestError` naming the
    file and the mend.
    """

    def __init__(
        self,
        images: Path,
        annotations: Path,
        depth: Path | None = None,
        depth_unit_m: float = 0.001,
        fit: Fit = "crop",
    ) -> None:
        for folder in (images, depth):
            if folder is not None and not folder.is_dir():
                raise RequestError(f"{folder}: is no folder; give the one that holds the files")
        self._images, self._depth, self._unit_m, self._fit = images, depth, depth_unit_m, fit
        self._annotations = Annotations.read(annotations)
        self._origin = annotations
        if depth is not None and not any(self._depth_file(p) for p in self._annotations.pictures):
            first = Path(self._annotations.pictures[0].file_name).stem
            raise RequestError(
                f"{depth}: holds no depth of any picture; name the files {first}.npz or {first}.png"
            )

    def __len__(self) -> int:
        return len(self._annotations.pictures)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Names of the file's categories and of the colours its objects have."""
        read = self._annotations
        stuff = tuple(c.name for c in read.categories.values() if c.is_stuff and c.id in read.used)
        things = tuple(c.name for c in read.categories.values() if not c.is_stuff)
        objects = [[a for a in some if self._is_object(a)] for some in read.of.values()]
        slots = max(1, *map(len, objects))
        if 1 + len(stuff) + slots > MOST_REGIONS:
            raise RequestError(
                f"{self._origin}: one picture has {slots} objects beside {len(stuff)} kinds of stuff; "
                f"{MOST_REGIONS - 1} in all can be held. Leave out pictures with more"
            )
        colours = sorted({a.colour for some in objects for a in some if a.colour is not None})
        return Vocabulary(stuff, things, tuple(colours), slots)

    def _is_object(self, annotation: Annotation) -> bool:
        return not annotation.iscrowd and not self._annotations.categories[annotation.category_id].is_stuff

    def pictures(self, start: int, count: int, size: int, device: torch.device) -> Labelled:
        """Read pictures. Raises `RequestError` where there are not so many."""
        if start + count > len(self):
            raise RequestError(
                f"{self._origin}: holds {len(self)} pictures, {start + count} are asked for; set `pictures` and "
                f"`held_out` to {len(self)} together"
            )
        parts = [self._one(picture, size) for picture in self._annotations.pictures[start : start + count]]
        return Labelled(
            **{name: torch.from_numpy(np.stack([part[name] for part in parts])) for name in parts[0]}
        ).to(device)

    def _one(self, picture: Picture, size: int) -> dict[str, npt.NDArray[Any]]:
        square = Square.of(picture.width, picture.height, size, self._fit)
        vocabulary, annotations = self.vocabulary, self._annotations.of[picture.id]
        region = self._region(picture, annotations)
        depth_m, normals = self._geometry(picture, region)
        thing = np.full(vocabulary.slots, -1, np.int16)
        colour = np.full(vocabulary.slots, -1, np.int16)
        joints = np.zeros((vocabulary.slots, len(JOINTS), 3), np.float32)
        for k, annotation in enumerate(filter(self._is_object, annotations)):
            thing[k] = vocabulary.things.index(self._name(annotation))
            if annotation.colour is not None:
                colour[k] = vocabulary.colours.index(annotation.colour)
            joints[k] = annotation.joints
        seen_depth = square.labels(depth_m, np.nan)
        seen_normals = square.labels(normals, 0)
        answers = {
            **self._answers(annotations),
            Task.DEPTH: not np.isnan(seen_depth).all(),
            Task.NORMALS: bool(seen_normals.any()),
        }
        return {
            "rgb": square.picture(self._pixels(picture)).transpose(2, 0, 1).copy(),
            "depth_m": np.where(np.isinf(seen_depth), seen_depth, seen_depth.clip(max=FAR_M)).astype(
                np.float16
            ),
            "normals": (seen_normals * 127).round().astype(np.int8).transpose(2, 0, 1).copy(),
            "region": square.labels(region, UNLABELLED),
            "thing": thing,
            "colour": colour,
            "keypoints": square.points(joints),
            "answers": np.array([answers[task] for task in TASKS]),
        }

    def _name(self, annotation: Annotation) -> str:
        return self._annotations.categories[annotation.category_id].name

    def _answers(self, annotations: Sequence[Annotation]) -> Mapping[Task, bool]:
        masked = all(a.segmentation and not a.iscrowd for a in annotations)
        people = [a for a in annotations if self._name(a) == PERSON]
        posed = all(not a.iscrowd and (a.joints[:, 2] > 0).any() for a in people)
        knows_joints = any(c.keypoints for c in self._annotations.categories.values())
        return {
            Task.SEMANTIC: masked,
            Task.REFERRING: masked,
            Task.INSTANCE: masked,
            Task.POSE: posed and knows_joints,
        }

    def _region(self, picture: Picture, annotations: Sequence[Annotation]) -> U8:
        """uint8 (H, W). Stuff lies below objects, and of objects the larger below the smaller."""
        vocabulary = self.vocabulary
        layers: list[tuple[bool, int, int, Bool]] = []
        slots = iter(range(vocabulary.first_object, vocabulary.regions))
        for annotation in annotations:
            is_object = self._is_object(annotation)
            if is_object:
                value = next(slots)
            elif annotation.iscrowd:
                continue
            else:
                value = 1 + vocabulary.stuff.index(self._name(annotation))
            if annotation.segmentation:
                mask = annotation.mask(picture)
                layers.append((is_object, -int(mask.sum()), value, mask))
        region = np.full((picture.height, picture.width), UNLABELLED, np.uint8)
        for _, _, value, mask in sorted(layers, key=lambda layer: layer[:2]):
            region[mask] = value
        return region

    def _pixels(self, picture: Picture) -> U8:
        path = self._images / picture.file_name
        try:
            image = load_image(path)
        except ImageError as error:
            raise RequestError(f"{error} (listed in {self._origin})") from error
        if image.size != (picture.width, picture.height):
            raise RequestError(
                f"{path}: is {image.width}x{image.height} upright, {self._origin} says {picture.width}x{picture.height}; "
                "annotate it as it is"
            )
        return image.pixels

    def _depth_file(self, picture: Picture) -> Path | None:
        if self._depth is None:
            return None
        stem = self._depth / Path(picture.file_name).stem
        return next((f for f in (Path(f"{stem}.npz"), Path(f"{stem}.png")) if f.is_file()), None)

    def _geometry(self, picture: Picture, region: U8) -> tuple[F32, F32]:
        """Depth (H, W) in metres, NaN where unknown, and normals (H, W, 3), zero where unknown."""
        shape = (picture.height, picture.width)
        depth_m, normals = np.full(shape, np.nan, np.float32), np.zeros((*shape, 3), np.float32)
        path = self._depth_file(picture)
        if path is None:
            return depth_m, normals
        if path.suffix == ".npz":
            depth_m, normals = _read_npz(path, normals)
        else:
            depth_m = self._read_png(path, region)
        if depth_m.shape != shape or normals.shape[:2] != shape:
            raise RequestError(
                f"{path}: is not of the size of its picture, {shape[1]}x{shape[0]}; resample it"
            )
        if (depth_m < 0).any():
            raise RequestError(f"{path}: holds negative depth; give z-depth in metres, NaN where unknown")
        return depth_m, normals

    def _read_png(self, path: Path, region: U8) -> F32:
        import PIL.Image

        with PIL.Image.open(path) as image:
            levels = np.asarray(image)
        if levels.ndim != 2 or levels.dtype not in (np.uint16, np.int32):
            raise RequestError(
                f"{path}: is not a 16-bit gray PNG ({levels.dtype} {levels.shape}); save depth as one"
            )
        depth_m = (levels * self._unit_m).astype(np.float32)
        unknown = np.isin(levels, _UNKNOWN_LEVELS)
        depth_m[unknown] = np.nan
        if SKY in self.vocabulary.stuff:
            depth_m[unknown & (region == 1 + self.vocabulary.stuff.index(SKY))] = np.inf
        return depth_m


def _read_npz(path: Path, no_normals: F32) -> tuple[F32, F32]:
    try:
        with np.load(path) as file:
            arrays = {name: file[name].astype(np.float32) for name in ("depth_m", "normals") if name in file}
    except (OSError, ValueError) as error:
        raise RequestError(
            f"{path}: cannot be read ({error}); write it with numpy.savez_compressed"
        ) from error
    if "depth_m" not in arrays or arrays["depth_m"].ndim != 2:
        raise RequestError(f"{path}: has no array depth_m of shape (H, W); name it so, in metres")
    normals = arrays.get("normals", no_normals)
    if normals.ndim == 3 and normals.shape[0] == 3:
        normals = normals.transpose(1, 2, 0)
    return arrays["depth_m"], np.nan_to_num(normals)
