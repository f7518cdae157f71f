"""COCO-style annotations of pictures: a JSON file read once and checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from visionrouter.backends.generative.nano.codes import JOINTS
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.errors import RequestError

PERSON = "person"


class Picture(BaseModel):
    """An entry of `images`."""

    id: int
    file_name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class Category(BaseModel):
    """An entry of `categories`. Stuff is marked by `supercategory` "stuff" or by `isthing` 0."""

    id: int
    name: str
    supercategory: str = ""
    isthing: bool = True
    keypoints: tuple[str, ...] | None = None

    @property
    def is_stuff(self) -> bool:
        return self.supercategory == "stuff" or not self.isthing


class Annotation(BaseModel):
    """An entry of `annotations`. `segmentation`: polygons, or an RLE plain or compressed; with none it is a box."""

    id: int
    image_id: int
    category_id: int
    segmentation: dict[str, Any] | list[list[float]] | None = None
    iscrowd: bool = False
    keypoints: tuple[float, ...] | None = None
    colour: str | None = None
    """A word for the object's colour, where one would be said"""

    def mask(self, picture: Picture) -> Bool:
        """bool (height, width). Raises `RequestError` where the segmentation does not fit the picture."""
        from pycocotools import mask as rle

        size = [picture.height, picture.width]
        try:
            code: Any = self.segmentation
            if not isinstance(self.segmentation, dict):
                code = rle.merge(rle.frPyObjects(code, *size))
            elif isinstance(code["counts"], list):
                code = rle.frPyObjects(code, *size)
            mask: Bool = rle.decode(code).astype(np.bool_)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise RequestError(
                f"annotation {self.id} of {picture.file_name}: its segmentation cannot be read ({error!r}); give "
                "polygons of six numbers or more, or an RLE"
            ) from error
        if list(mask.shape) != size:
            raise RequestError(
                f"annotation {self.id} of {picture.file_name}: its mask is {mask.shape[1]}x{mask.shape[0]}, the picture "
                f"{picture.width}x{picture.height}; annotate at the picture's size"
            )
        return mask

    @property
    def joints(self) -> F32:
        """float32 (17, 3): x, y, v."""
        return np.array(self.keypoints or np.zeros(3 * len(JOINTS)), np.float32).reshape(-1, 3)


class _File(BaseModel):
    images: list[Picture] = Field(min_length=1)
    categories: list[Category] = Field(min_length=1)
    annotations: list[Annotation]


@dataclass(frozen=True)
class Annotations:
    """Pictures in the order of the file, and what is annotated in each."""

    pictures: Sequence[Picture]
    categories: Mapping[int, Category]
    of: Mapping[int, Sequence[Annotation]]
    """Annotations by picture id"""

    @classmethod
    def read(cls, path: Path) -> Annotations:
        """Read a JSON file. Raises `RequestError` naming the file, the entry and the mend."""
        try:
            file = _File.model_validate(json.loads(path.read_bytes()))
        except OSError as error:
            raise RequestError(
                f"{path}: cannot be read ({error.strerror}); give a COCO-style JSON file"
            ) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise RequestError(f"{path}: {place}: {first['msg']}; write it as COCO does") from error
        except ValueError as error:
            raise RequestError(f"{path}: is not JSON ({error}); give a COCO-style JSON file") from error
        _check(file, path)
        of: dict[int, list[Annotation]] = {picture.id: [] for picture in file.images}
        for annotation in file.annotations:
            of[annotation.image_id].append(annotation)
        return cls(file.images, {category.id: category for category in file.categories}, of)

    @property
    def used(self) -> frozenset[int]:
        """Categories that at least one annotation is of."""
        return frozenset(a.category_id for some in self.of.values() for a in some)


def _check(file: _File, path: Path) -> None:
    pictures = {picture.id for picture in file.images}
    categories = {category.id: category for category in file.categories}
    for kind, keys in (
        ("image id", [str(p.id) for p in file.images]),
        ("category id", [str(c.id) for c in file.categories]),
        ("category name", [c.name for c in file.categories]),
    ):
        value, number = Counter(keys).most_common(1)[0]
        if number > 1:
            raise RequestError(f"{path}: the {kind} {value} is given {number} times; give each its own")
    for category in file.categories:
        if category.keypoints is not None and category.keypoints != JOINTS:
            raise RequestError(
                f"{path}: category {category.name!r} has other keypoints than COCO's 17; list them as {', '.join(JOINTS)}"
            )
    for a in file.annotations:
        if a.image_id not in pictures:
            raise RequestError(
                f"{path}: annotation {a.id} is of image {a.image_id}, which is not listed; list it"
            )
        if a.category_id not in categories:
            raise RequestError(
                f"{path}: annotation {a.id} is of category {a.category_id}, which is not listed; list it"
            )
        if a.keypoints is not None and len(a.keypoints) != 3 * len(JOINTS):
            raise RequestError(
                f"{path}: annotation {a.id} has {len(a.keypoints)} keypoint numbers; give x, y, v of each of 17"
            )
