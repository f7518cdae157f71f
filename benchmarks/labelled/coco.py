"""Folders with COCO-style annotations: COCO itself, exports of labelling tools, `visionrouter scenes render --out`.

The JSON is DIR/annotations.json, DIR/_annotations.coco.json or the only one in DIR/annotations/, or is given itself.
`file_name` starts from DIR or from a folder in it. A picture with a crowd, or with an object that has no mask, is left
out, since its labels do not say what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from visionrouter.backends.generative.tuning.annotations import PERSON, Annotations
from visionrouter.backends.generative.tuning.annotations import Picture as Entry
from visionrouter.backends.specialist.coco import EDGES, KEYPOINTS
from visionrouter.benchmarks.labelled.depth import depth_file
from visionrouter.benchmarks.labelled.folder import FolderSource
from visionrouter.benchmarks.labelled.geometry import read_geometry
from visionrouter.benchmarks.labelled.item import Split
from visionrouter.benchmarks.labelled.picture import Picture, Thing, Words
from visionrouter.schema.arrays import Bool
from visionrouter.schema.errors import RequestError
from visionrouter.schema.image import load_image
from visionrouter.schema.task import Task

NAMES = ("annotations.json", "_annotations.coco.json")
MASK_TASKS = frozenset({Task.DETECT, Task.SEMANTIC, Task.INSTANCE, Task.REFERRING, Task.PROMPTABLE})


def coco_folder(place: Path, split: Split = "calibration") -> FolderSource:
    """Raises `RequestError` naming the file, the entry and the mend."""
    origin = _annotation_file(place)
    annotations = Annotations.read(origin)
    root = place if place.is_dir() else origin.parent
    whole = {Path(entry.file_name).with_suffix("").as_posix(): entry for entry in _whole(annotations)}
    if not whole:
        raise RequestError(
            f"{origin}: no picture has masks of all its objects; annotate masks, not boxes alone"
        )
    base = _image_base(root, next(iter(whole.values())))
    depths = {scene: depth_file(root, Path(scene).name) for scene in whole}

    def read(scene: str) -> Picture:
        return _picture(scene, whole[scene], annotations, base, depths[scene])

    used = annotations.used
    kinds = list(annotations.categories.values())
    things = tuple(c.name for c in kinds if not c.is_stuff)
    words = Words(
        stuff=tuple(c.name for c in kinds if c.is_stuff and c.id in used),
        things=things,
        colours=tuple(sorted({a.colour for some in annotations.of.values() for a in some if a.colour})),
        detected={name: name for name in things},
        joints=KEYPOINTS,
        bones=EDGES,
    )
    has_depth = all(depths.values())
    tasks = set(MASK_TASKS)
    if any(c.keypoints for c in kinds):
        tasks.add(Task.POSE)
    if has_depth:
        tasks.add(Task.DEPTH)
        if read(min(whole)).normals is not None:
            tasks.add(Task.NORMALS)
    files = (origin, *(base / entry.file_name for entry in whole.values()), *filter(None, depths.values()))
    name = f"coco:{root.resolve().name}"
    return FolderSource(
        name, words, frozenset(tasks), tuple(sorted(whole)), read, tuple(files), has_depth, split
    )


def _annotation_file(place: Path) -> Path:
    if place.is_file():
        return place
    found = [place / name for name in NAMES if (place / name).is_file()]
    found = found or sorted((place / "annotations").glob("*.json"))
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError(
            f"{place}: holds {len(found)} annotation files ({', '.join(p.name for p in found[:4])}); name one of them"
        )
    raise RequestError(
        f"{place}: holds no annotations; give a folder with {' or '.join(NAMES)}, or the JSON file"
    )


def _whole(annotations: Annotations) -> Sequence[Entry]:
    return [
        entry
        for entry in annotations.pictures
        if all(a.segmentation and not a.iscrowd for a in annotations.of[entry.id])
    ]


def _image_base(root: Path, entry: Entry) -> Path:
    folders = (
        root,
        root.parent,
        *sorted(p for top in (root, root.parent) for p in top.iterdir() if p.is_dir()),
    )
    for base in folders:
        if (base / entry.file_name).is_file():
            return base
    raise RequestError(f"{root}: image {entry.file_name!r} is in none of its folders; put the images there")


def _picture(scene: str, entry: Entry, annotations: Annotations, base: Path, depth: Path | None) -> Picture:
    path = base / entry.file_name
    pixels = load_image(path).pixels
    if pixels.shape[:2] != (entry.height, entry.width):
        raise RequestError(
            f"{path}: is {pixels.shape[1]}x{pixels.shape[0]} upright, its annotations say {entry.width}x{entry.height}; "
            "annotate it as it is"
        )
    things: list[Thing] = []
    stuff: dict[str, Bool] = {}
    for annotation in annotations.of[entry.id]:
        category, mask = annotations.categories[annotation.category_id], annotation.mask(entry)
        if category.is_stuff:
            stuff[category.name] = stuff[category.name] | mask if category.name in stuff else mask
        elif mask.any():
            joints = annotation.joints if category.name == PERSON else None
            things.append(Thing(category.name, mask, annotation.colour, joints))
    depth_m, normals = read_geometry(depth, entry.height, entry.width) if depth else (None, None)
    return Picture(scene, pixels, tuple(things), stuff, depth_m, normals)
