"""Masks: a translucent fill, a crisp contour inside the mask, a label at the mask's deepest place."""

from __future__ import annotations

import numpy as np

from visionrouter.render.boxes import by_falling
from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import RGB, of_instance, of_labels
from visionrouter.render.labels import Chip, draw_chips
from visionrouter.schema.arrays import Bool
from visionrouter.schema.payload import Segmentation

_FILL = 0.42
_DEEPEST_AT = 128


def draw_segmentation(canvas: Canvas, payload: Segmentation) -> None:
    """Semantic masks in the colours of their labels, all others one colour a thing."""
    semantic = payload.mode == "semantic"
    by_label = of_labels(payload.labels) if semantic else {}
    contour = max(1, canvas.line_px - semantic)
    colours = [by_label.get(label) or of_instance(i) for i, label in enumerate(payload.labels)]
    homes = [draw_mask(canvas, mask, rgb, contour) for mask, rgb in zip(payload.masks, colours, strict=True)]
    chips = []
    for i in by_falling(payload.scores):
        home = homes[i]
        if home is not None:
            tail = f" {payload.scores[i]:.2f}"
            chips.append(
                Chip(payload.labels[i], tail, colours[i], home, _label_place(canvas, payload.masks[i], home))
            )
    draw_chips(canvas, chips)


def draw_mask(canvas: Canvas, mask: Bool, rgb: RGB, contour: int, fill: float = _FILL) -> Rect | None:
    """Fill one mask, bool (H, W), and outline it `contour` pixels wide; returns its `span`."""
    home = span(mask)
    if home is None:
        return None
    around = Rect(max(home.x0 - 1, 0), max(home.y0 - 1, 0), home.x1 + 1, home.y1 + 1)
    part = mask[around.y0 : around.y1, around.x0 : around.x1]
    cover = np.where(part, np.uint8(round(255 * fill)), np.uint8(0))
    cover[inner_edge(part, contour)] = 255
    canvas.shade(around.x0, around.y0, cover, rgb)
    return home


def inner_edge(mask: Bool, thickness: int) -> Bool:
    """The pixels of a mask within `thickness` steps of its outside; the picture's border is no edge."""
    core = mask
    for _ in range(thickness):
        shrunk = core.copy()
        shrunk[1:] &= core[:-1]
        shrunk[:-1] &= core[1:]
        shrunk[:, 1:] &= core[:, :-1]
        shrunk[:, :-1] &= core[:, 1:]
        core = shrunk
    return mask & ~core


def span(mask: Bool) -> Rect | None:
    """The tight rectangle of a mask, None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _label_place(canvas: Canvas, mask: Bool, home: Rect) -> tuple[int, int] | None:
    """The place of a mask farthest from its edge, where a chip fits there; None: better beside it."""
    from scipy import ndimage

    if home.height < 4 * canvas.row_px or home.width < 6 * canvas.row_px:
        return None
    step = max(1, max(home.width, home.height) // _DEEPEST_AT)
    coarse = np.pad(mask[home.y0 : home.y1 : step, home.x0 : home.x1 : step], 1)
    depth = ndimage.distance_transform_edt(coarse)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return home.x0 + int(x - 1) * step, home.y0 + int(y - 1) * step
