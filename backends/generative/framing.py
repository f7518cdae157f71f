"""Where an image lies on the model's canvas, and the way of what is drawn there back to the image's own size.

The long side takes the working size and the aspect is kept, so that the focal length in pixels stays near what the
model was tuned on; the short side is filled to a multiple of the model's stride with the image's own edge. (Stretching
instead, or a larger canvas, cost the nano backbone a tenth and more of the depths that are within 25 %.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from visionrouter.schema.arrays import F32, U8


@dataclass(frozen=True, slots=True)
class Frame:
    """An image of `width` x `height` pixels, scaled to `inner_width` x `inner_height`, at (`left`, `top`) of a canvas
    of `canvas_width` x `canvas_height`."""

    width: int
    height: int
    inner_width: int
    inner_height: int
    left: int
    top: int
    canvas_width: int
    canvas_height: int

    @classmethod
    def around(cls, width: int, height: int, working_size: int, stride: int, least: int = 1) -> Self:
        """The frame of an image: long side `working_size`, canvas sides multiples of `stride` and at least `least`."""
        scale = working_size / max(width, height)
        inner_width, inner_height = (max(1, round(side * scale)) for side in (width, height))
        canvas_width, canvas_height = (
            -(-max(side, least) // stride) * stride for side in (inner_width, inner_height)
        )
        left, top = (canvas_width - inner_width) // 2, (canvas_height - inner_height) // 2
        return cls(width, height, inner_width, inner_height, left, top, canvas_width, canvas_height)

    @classmethod
    def inside(cls, width: int, height: int, canvas_width: int, canvas_height: int) -> Self:
        """The frame of an image on a canvas of given size, as large as it fits."""
        scale = min(canvas_width / width, canvas_height / height)
        inner_width = min(canvas_width, max(1, round(width * scale)))
        inner_height = min(canvas_height, max(1, round(height * scale)))
        left, top = (canvas_width - inner_width) // 2, (canvas_height - inner_height) // 2
        return cls(width, height, inner_width, inner_height, left, top, canvas_width, canvas_height)

    def place(self, pixels: U8) -> U8:
        """The image, uint8 (H, W, 3), on its canvas."""
        picture = Pillow.fromarray(pixels).resize(
            (self.inner_width, self.inner_height), Pillow.Resampling.BICUBIC
        )
        below = self.canvas_height - self.inner_height - self.top
        right = self.canvas_width - self.inner_width - self.left
        return np.pad(np.asarray(picture), ((self.top, below), (self.left, right), (0, 0)), mode="edge")

    def crop(self, drawn: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image's part of a map (H, W, ...) of the canvas."""
        return drawn[self.top : self.top + self.inner_height, self.left : self.left + self.inner_width]

    def enlarge(self, inner: F32) -> F32:
        """A cropped map, float32 (H, W) or (H, W, C) of finite values, interpolated at the image's size."""
        if inner.ndim == 3:
            return np.stack([self.enlarge(inner[..., c]) for c in range(inner.shape[2])], axis=-1)
        picture = Pillow.fromarray(np.ascontiguousarray(inner, np.float32))
        return np.asarray(picture.resize((self.width, self.height), Pillow.Resampling.BILINEAR))

    def enlarge_labels(self, inner: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.integer[Any]]:
        """A cropped map of labels (H, W) at the image's size: at each pixel the label with the greatest interpolated
        share, so that borders are smooth lines and not the steps of the small map."""
        out = np.zeros((self.height, self.width), inner.dtype)
        most = np.zeros((self.height, self.width), np.float32)
        for label in np.unique(inner):
            share = self.enlarge((inner == label).astype(np.float32))
            more = share > most
            out[more] = label
            most[more] = share[more]
        return out

    def to_image(self, points: F32) -> F32:
        """Points (..., 2), x y in canvas pixels, in pixels of the image."""
        offset = np.array([self.left, self.top], np.float32)
        scale = np.array([self.width / self.inner_width, self.height / self.inner_height], np.float32)
        return (points - offset) * scale
