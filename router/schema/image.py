"""Images in: from a path, bytes, numpy or PIL to upright 8-bit RGB, with caps before anything is decoded."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import ImageError

if TYPE_CHECKING:
    import PIL.Image

ImageSource = Any
"""A path (str or Path), bytes, a numpy array, a `PIL.Image.Image`, or an `Image`."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Caps that hold before decoding: encoded bytes, pixels, and the longest side in pixels."""

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_side_px: int = 20_000


DEFAULT_LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An upright image.

    `pixels`: uint8 (H, W, 3), sRGB, read-only. `source` names where it came from, for messages and ledgers.
    `notes` say what was changed on the way in ("exif_rotated", "first_frame_of_12", "alpha_on_white", ...).
    """

    pixels: U8
    source: str = "array"
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width, _ = self.pixels.shape
        return width, height

    def digest(self) -> str:
        """sha256 of shape and pixels: half a millisecond for 640x480, so never asked for on the hot path."""
        h = hashlib.sha256(f"{self.width}x{self.height}:".encode())
        h.update(np.ascontiguousarray(self.pixels).data)
        return h.hexdigest()


def load_image(source: ImageSource, limits: ImageLimits = DEFAULT_LIMITS) -> Image:
    """Decode `source` into an `Image`.

    Arrays may be uint8, uint16 or float in [0, 1], shaped (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA.
    URLs are not fetched. Raises `ImageError` naming the file, what is wrong and the mend.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "bytes", limits)
    if isinstance(source, str | os.PathLike):
        return _from_path(source, limits)
    if type(source).__module__.startswith("PIL."):
        return _from_pil(source, "PIL image", limits)
    raise ImageError(
        f"cannot read an image from {type(source).__name__}; give a path, bytes, a numpy array or a PIL image"
    )


def _from_path(source: str | os.PathLike[str], limits: ImageLimits) -> Image:
    text = os.fspath(source)
    if "://" in text[:12]:
        raise ImageError(f"{text[:80]}: URLs are not fetched; download the file and pass its path")
    name = text if len(text) <= 200 else text[:200] + "..."
    try:
        path = Path(text)
        info = path.stat()
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: no such file; check the path") from error
    if stat.S_ISDIR(info.st_mode):
        raise ImageError(f"{name}: is a folder; name the image files in it, for example {name}/*.jpg")
    if not stat.S_ISREG(info.st_mode):
        raise ImageError(f"{name}: is not a regular file")
    if info.st_size > limits.max_bytes:
        raise ImageError(
            f"{name}: {info.st_size:,} bytes is over the cap of {limits.max_bytes:,}; shrink it or raise max_bytes"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror}); check its permissions") from error
    return _decode(data, name, limits)


def _decode(data: bytes, name: str, limits: ImageLimits) -> Image:
    import PIL.Image

    if not data:
        raise ImageError(f"{name}: is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise ImageError(
            f"{name}: {len(data):,} bytes is over the cap of {limits.max_bytes:,}; raise max_bytes"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
        try:
            picture = PIL.Image.open(io.BytesIO(data))
        except PIL.Image.DecompressionBombError as error:
            raise ImageError(
                f"{name}: more pixels than the cap of {limits.max_pixels:,}; shrink it"
            ) from error
        except (OSError, ValueError, SyntaxError) as error:
            head = data[:16]
            raise ImageError(
                f"{name}: is not an image that can be read (starts with {head!r}); give JPEG, PNG, WebP, TIFF, BMP or GIF"
            ) from error
        return _from_pil(picture, name, limits)


def _from_pil(picture: PIL.Image.Image, name: str, limits: ImageLimits) -> Image:
    from PIL import ImageOps

    _check_size(name, picture.width, picture.height, limits)
    notes: list[str] = []
    frames = int(getattr(picture, "n_frames", 1))
    if frames > 1:
        picture.seek(0)
        notes.append(f"first_frame_of_{frames}")
    try:
        picture.load()
        upright = ImageOps.exif_transpose(picture) or picture
        if upright is not picture and picture.getexif().get(0x0112, 1) != 1:
            notes.append("exif_rotated")
        rgb = _to_rgb(upright, notes)
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        raise ImageError(
            f"{name}: is damaged or cut short ({error}); save it again from the source"
        ) from error
    return _frozen(np.array(rgb), name, notes)


def _to_rgb(picture: PIL.Image.Image, notes: list[str]) -> PIL.Image.Image:
    import PIL.Image

    mode = picture.mode
    if mode in ("I;16", "I;16B", "I;16L", "I"):
        notes.append("16bit_scaled_to_8bit")
        values = np.asarray(picture).astype(np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        return PIL.Image.fromarray((values.clip(0, top) * (255.0 / top)).round().astype(np.uint8)).convert(
            "RGB"
        )
    if mode == "F":
        values = np.asarray(picture)
        if not np.isfinite(values).all():
            raise ValueError("holds NaN or infinite values")
        top = float(values.max(initial=1.0)) if values.max(initial=0) > 1 else 1.0
        notes.append("float_scaled_to_8bit")
        return PIL.Image.fromarray((values.clip(0, top) * (255.0 / top)).round().astype(np.uint8)).convert(
            "RGB"
        )
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        notes.append("alpha_on_white")
        rgba = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return PIL.Image.alpha_composite(white, rgba).convert("RGB")
    if mode != "RGB":
        notes.append(f"converted_from_{mode.lower()}")
    return picture.convert("RGB")


def _from_array(array: npt.NDArray[Any], limits: ImageLimits) -> Image:
    name = "array"
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"{name}: shape {array.shape} is not (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); transpose it"
        )
    _check_size(name, array.shape[1], array.shape[0], limits)
    notes: list[str] = []
    if array.dtype == np.uint8:
        pixels = array
    elif array.dtype == np.uint16:
        pixels = (array // 257).astype(np.uint8)
        notes.append("16bit_scaled_to_8bit")
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ImageError(
                f"{name}: holds NaN or infinite values; clean them first, for example np.nan_to_num"
            )
        if array.min() < 0 or array.max() > 1:
            raise ImageError(
                f"{name}: float values span {array.min():.3g} to {array.max():.3g}; scale to 0..1 or give uint8 0..255"
            )
        pixels = (array * 255).round().astype(np.uint8)
        notes.append("float_scaled_to_8bit")
    else:
        raise ImageError(f"{name}: dtype {array.dtype} is not uint8, uint16 or float in 0..1; convert it")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    elif pixels.shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.uint16)
        pixels = ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        notes.append("alpha_on_white")
    return _frozen(pixels, name, notes)


def _check_size(name: str, width: int, height: int, limits: ImageLimits) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{name}: has no pixels ({width}x{height})")
    if max(width, height) > limits.max_side_px or width * height > limits.max_pixels:
        raise ImageError(
            f"{name}: {width}x{height} is over the caps of {limits.max_pixels:,} pixels and {limits.max_side_px:,} a side; "
            "shrink it or raise ImageLimits"
        )


def _frozen(pixels: U8, name: str, notes: list[str]) -> Image:
    view = pixels.view()
    view.flags.writeable = False
    return Image(view, name, tuple(notes))
