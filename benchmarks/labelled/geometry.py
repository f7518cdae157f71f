"""Depth and normals from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import RequestError

UNKNOWN_LEVELS = (0, 65535)
"""Of a 16-bit PNG: nothing measured, or beyond its range."""


def read_geometry(path: Path, height: int, width: int) -> tuple[F32, F32 | None]:
    """Depth (H, W) in metres, +inf at sky, NaN unknown, and normals (H, W, 3), NaN unknown, or None.

    NAME.png: 16-bit millimetres. NAME.npz: `depth_m` and perhaps `normals`, (3, H, W) or (H, W, 3), zero where unknown.
    NAME.npy: metres, (H, W) or (H, W, 1), 0 unknown, with NAME_mask.npy beside it where some are not valid (DIODE).
    Raises `RequestError` naming the file and the mend.
    """
    normals: F32 | None = None
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                depth_m = arrays["depth_m"].astype(np.float32)
                normals = _normals(arrays["normals"]) if "normals" in arrays else None
        elif path.suffix == ".npy":
            depth_m = np.load(path, allow_pickle=False).astype(np.float32).reshape(height, width)
            mask = path.with_name(f"{path.stem}_mask.npy")
            valid = np.load(mask, allow_pickle=False) > 0 if mask.is_file() else True
            depth_m[~((depth_m > 0) & valid)] = np.nan
        else:
            depth_m = _millimetres(path)
    except (OSError, ValueError, KeyError) as error:
        raise RequestError(
            f"{path}: cannot be read as depth ({error}); give 16-bit PNG in millimetres, npz with depth_m, or npy in metres"
        ) from error
    for what, array in (("depth", depth_m), ("normals", normals)):
        if array is not None and array.shape[:2] != (height, width):
            raise RequestError(
                f"{path}: {what} is {array.shape[1]}x{array.shape[0]}, its image {width}x{height}; resize it (nearest)"
            )
    if (depth_m < 0).any():
        raise RequestError(
            f"{path}: holds negative depth; give metres from the camera, NaN or 0 where unknown"
        )
    return depth_m, normals


def _millimetres(path: Path) -> F32:
    import PIL.Image

    with PIL.Image.open(path) as picture:
        if not picture.mode.startswith("I"):
            raise ValueError(f"it is of mode {picture.mode}")
        levels: npt.NDArray[Any] = np.asarray(picture)
    depth: F32 = np.where(np.isin(levels, UNKNOWN_LEVELS), np.nan, levels * 0.001).astype(np.float32)
    return depth


def _normals(values: npt.NDArray[Any]) -> F32:
    normals = (values.transpose(1, 2, 0) if values.shape[0] == 3 else values).astype(np.float32)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    unit: F32 = np.where(length > 0, normals / np.maximum(length, 1e-9), np.nan).astype(np.float32)
    return unit
