"""Which mean colours of regions people would call "red", "light blue", "brown"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Range:
    """Hue in degrees (from > to wraps over 0), HSV saturation and value, 0 to 1; both ends belong to it."""

    hue: tuple[float, float] = (0, 360)
    saturation: tuple[float, float] = (0.18, 1)
    value: tuple[float, float] = (0.12, 1)


# Wide and overlapping on purpose: light and shade move the mean colour of a region, and names have no sharp borders.
_RANGES = {
    "red": _Range((342, 18), (0.25, 1), (0.15, 1)),
    "orange": _Range((12, 45), (0.35, 1), (0.4, 1)),
    "yellow": _Range((42, 72), (0.25, 1), (0.4, 1)),
    "green": _Range((65, 175)),
    "cyan": _Range((165, 200), (0.2, 1), (0.4, 1)),
    "teal": _Range((160, 200), (0.25, 1), (0.15, 0.7)),
    "blue": _Range((185, 262)),
    "purple": _Range((250, 320)),
    "magenta": _Range((285, 335), (0.35, 1), (0.4, 1)),
    "pink": _Range((300, 20), (0.12, 0.75), (0.5, 1)),
    "brown": _Range((5, 50), (0.2, 1), (0.1, 0.65)),
    "beige": _Range((15, 65), (0.06, 0.4), (0.55, 1)),
    "black": _Range(saturation=(0, 1), value=(0, 0.25)),
    "gray": _Range(saturation=(0, 0.2), value=(0.18, 0.85)),
    "white": _Range(saturation=(0, 0.22), value=(0.65, 1)),
}
_ALIKE = {
    "lime": "green", "olive": "green", "navy": "blue", "indigo": "purple", "violet": "purple", "lavender": "purple",
    "turquoise": "cyan", "maroon": "red", "crimson": "red", "scarlet": "red", "burgundy": "red", "salmon": "pink",
    "peach": "pink", "gold": "yellow", "golden": "yellow", "blond": "yellow", "blonde": "yellow", "ginger": "orange",
    "silver": "gray", "charcoal": "gray", "khaki": "beige", "tan": "beige", "cream": "beige", "ivory": "white",
    "bronze": "brown", "copper": "brown", "mauve": "purple",
}  # fmt: skip
_LIGHT = {
    "light": (0.55, 1.0),
    "pale": (0.55, 1.0),
    "pastel": (0.55, 1.0),
    "dark": (0.0, 0.6),
    "deep": (0.0, 0.6),
}


def looks(rgb: Floats, colour: str) -> Booleans | None:
    """Which rows of `rgb`, float32 (N, 3) sRGB from 0 to 255, `colour` may name; None where the word is not known.

    `colour` may carry a shade ("light blue"): light and pale ask for an HSV value of 0.55 or more, dark and deep for
    0.6 or less.
    """
    shade, _, name = colour.rpartition(" ")
    limits = _RANGES.get(_ALIKE.get(name, name))
    if limits is None or (shade and shade not in _LIGHT):
        return None
    hue, saturation, value = _hsv(rgb)
    low, high = limits.hue
    in_hue = (hue >= low) & (hue <= high) if low <= high else (hue >= low) | (hue <= high)
    found = in_hue & _within(saturation, limits.saturation) & _within(value, limits.value)
    return found & _within(value, _LIGHT[shade]) if shade else found


def _within(values: Floats, limits: tuple[float, float]) -> Booleans:
    return (values >= limits[0]) & (values <= limits[1])


def _hsv(rgb: Floats) -> tuple[Floats, Floats, Floats]:
    """Hue in degrees, saturation and value from 0 to 1 (A. R. Smith, "Color gamut transform pairs", 1978)."""
    red, green, blue = np.asarray(rgb, np.float32).T / 255
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    safe = np.where(chroma > 0, chroma, 1)
    sector = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    return 60 * sector % 360, chroma / np.where(value > 0, value, 1), value
