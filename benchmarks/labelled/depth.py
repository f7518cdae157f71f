"""Folders of images with their depth.

    DIR/images/NAME.jpg   DIR/depth/NAME.png      or exact/NAME.npz, as `visionrouter scenes render` writes them
    DIR/rgb/NAME.png      DIR/depth/NAME.png      as NYUv2 is often unpacked
    DIR/**/NAME.png       DIR/**/NAME_depth.npy   and NAME_depth_mask.npy, as DIODE comes

See `geometry.read_geometry` for what the files hold. An image without depth is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from visionrouter.benchmarks.labelled.folder import FolderSource
from visionrouter.benchmarks.labelled.geometry import read_geometry
from visionrouter.benchmarks.labelled.item import Split
from visionrouter.benchmarks.labelled.picture import Picture, Words
from visionrouter.schema.errors import RequestError
from visionrouter.schema.image import load_image
from visionrouter.schema.task import Task

IMAGES = ("images", "rgb")
DEPTHS = (("exact", ".npz"), ("depth", ".npz"), ("depth", ".npy"), ("depth", ".png"))
"""Folders and endings, the most exact first."""
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def depth_folder(root: Path, split: Split = "calibration") -> FolderSource:
    """Raises `RequestError` where no image has a depth, naming the layouts."""
    if not root.is_dir():
        raise RequestError(f"{root}: is no folder; give the one that holds images and depth")
    pairs = _pairs(root)
    if not pairs:
        raise RequestError(
            f"{root}: no image has its depth; lay them out as images/NAME.jpg with depth/NAME.png (16-bit millimetres) "
            "or depth/NAME.npz (depth_m), or as NAME.png beside NAME_depth.npy"
        )

    def read(scene: str) -> Picture:
        image, depth = pairs[scene]
        pixels = load_image(image).pixels
        depth_m, normals = read_geometry(depth, *pixels.shape[:2])
        return Picture(scene, pixels, depth_m=depth_m, normals=normals)

    tasks = {Task.DEPTH}
    if read(min(pairs)).normals is not None:
        tasks.add(Task.NORMALS)
    files = tuple(path for pair in pairs.values() for path in pair)
    name = f"depth:{root.name}"
    return FolderSource(name, Words((), ()), frozenset(tasks), tuple(sorted(pairs)), read, files, True, split)


def depth_file(root: Path, stem: str) -> Path | None:
    """The depth of an image in the folders beside it."""
    paths = (root / folder / f"{stem}{ending}" for folder, ending in DEPTHS)
    return next((path for path in paths if path.is_file()), None)


def _pairs(root: Path) -> Mapping[str, tuple[Path, Path]]:
    """Image and depth by the image's name without its ending, below its folder."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for base in filter(Path.is_dir, (root / name for name in IMAGES)):
        for image in _images(base):
            stem = image.relative_to(base).with_suffix("").as_posix()
            if depth := depth_file(root, stem):
                pairs.setdefault(stem, (image, depth))
    for image in () if pairs else _images(root):
        beside = image.with_name(f"{image.stem}_depth.npy")
        if beside.is_file():
            pairs.setdefault(image.relative_to(root).with_suffix("").as_posix(), (image, beside))
    return pairs


def _images(base: Path) -> list[Path]:
    return sorted(path for path in base.rglob("*") if path.suffix.lower() in ENDINGS)
