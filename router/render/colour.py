"""Categorical colours that stay apart for colour-blind eyes, given to labels and instances by a stable rule."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

RGB = tuple[int, int, int]

_OKABE_ITO: tuple[RGB, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (204, 121, 167),
    (213, 94, 0),
    (240, 228, 66),
    (0, 114, 178),
)


def mix(rgb: RGB, other: RGB, share: float) -> RGB:
    """`rgb` with `share` (0 to 1) of `other` mixed in, in sRGB."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(rgb, other, strict=True))
    return r, g, b


CATEGORICAL: tuple[RGB, ...] = (
    *_OKABE_ITO,
    *(mix(c, (255, 255, 255), 0.5) for c in _OKABE_ITO),
)
"""Okabe & Ito, "Color Universal Design" (2008), without black, then the same lightened: lightness is what every kind of
colour blindness leaves."""

WHITE: RGB = (255, 255, 255)
BLACK: RGB = (0, 0, 0)
PANEL: RGB = (18, 20, 24)
MUTED: RGB = (176, 182, 192)
AMBER: RGB = (255, 196, 0)


def of_instance(index: int) -> RGB:
    """The colour of the `index`-th thing."""
    return CATEGORICAL[index % len(CATEGORICAL)]


def of_labels(labels: Iterable[str]) -> dict[str, RGB]:
    """A colour a label: the same in every picture, unless two labels of one picture would share it.

    A hash of the text picks one of the seven strong colours; where that is taken, the next free one, the lightened ones
    last. Beyond `len(CATEGORICAL)` labels colours repeat.
    """
    strong = len(_OKABE_ITO)
    colours: dict[str, RGB] = {}
    free = set(range(len(CATEGORICAL)))
    for label in sorted(set(labels)):
        first = zlib.crc32(label.encode()) % strong
        free = free or set(range(len(CATEGORICAL)))
        place = min(free, key=lambda i: (i // strong, (i - first) % strong))
        free.remove(place)
        colours[label] = CATEGORICAL[place]
    return colours


def luminance(rgb: RGB) -> float:
    """Relative luminance in 0 to 1 (WCAG 2.2)."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def ink(background: RGB) -> RGB:
    """Black or white, whichever reads better on `background`."""
    light = luminance(background)
    return BLACK if (light + 0.05) ** 2 > 0.05 * 1.05 else WHITE
