"""Colours a prompt can name, and how to choose colours that stay apart when a model draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import dist, inf
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from visionrouter.schema.errors import SchemaError

RGB = tuple[int, int, int]
"""An 8-bit sRGB colour."""


class Colour(NamedTuple):
    """A colour and how to say it: a word where there is one, else "#rrggbb"."""

    name: str
    rgb: RGB


NAMED_COLOURS: Mapping[str, RGB] = MappingProxyType(
    {
        "red": (255, 0, 0),
        "green": (0, 255, 0),
        "blue": (0, 0, 255),
        "yellow": (255, 255, 0),
        "cyan": (0, 255, 255),
        "magenta": (255, 0, 255),
        "white": (255, 255, 255),
        "black": (0, 0, 0),
        "orange": (255, 128, 0),
        "purple": (128, 0, 255),
        "lime": (128, 255, 0),
        "teal": (0, 128, 128),
        "navy": (0, 0, 128),
        "gray": (128, 128, 128),
        "maroon": (128, 0, 0),
        "pink": (255, 128, 191),
    }
)
"""The words of a prompted palette. No two are nearer than 127 levels of 255."""

BACKGROUND = "background"
"""The palette's word for every pixel that belongs to no class of it."""
BLACK: RGB = NAMED_COLOURS["black"]

_LATTICE = np.stack(np.meshgrid(*[np.arange(0, 256, 17)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
"""int (4096, 3): the colours written with one hexadecimal digit a channel."""


def separation(colours: Sequence[RGB]) -> float:
    """The least Euclidean distance between any two of `colours`, in units of the RGB cube's side; inf below
    two.
    """
    return min((dist(a, b) for a, b in combinations(colours, 2)), default=inf) / 255


def separated_colours(n: int, avoid: Sequence[RGB] = ()) -> tuple[Colour, ...]:
    """`n` colours, as far from each other and from `avoid` as can be.

    Named colours come first: the choice among them has the greatest least distance that any has, and of
    several such choices it is the first in the order of `NAMED_COLOURS`. Once the names are spent, each
    further colour is the one of a 16x16x16 lattice farthest from all before it. The same arguments always
    give the same colours.

    Raises `SchemaError` where `n` is negative or over 256.
    """
    if not 0 <= n <= 256:
        raise SchemaError(f"separated_colours: n is {n}; ask for 0 to 256 colours")
    names = [Colour(name, rgb) for name, rgb in NAMED_COLOURS.items() if rgb not in avoid]
    if n <= len(names):
        return _farthest_subset(names, n, avoid)
    taken = np.array([*avoid, *(colour.rgb for colour in names)])
    squares = ((_LATTICE[:, None] - taken) ** 2).sum(-1).min(1)
    chosen = names
    while len(chosen) < n:
        r, g, b = (int(c) for c in _LATTICE[squares.argmax()])
        chosen.append(Colour(f"#{r:02x}{g:02x}{b:02x}", (r, g, b)))
        squares = np.minimum(squares, ((_LATTICE - (r, g, b)) ** 2).sum(-1))
    return tuple(chosen)


def _farthest_subset(names: list[Colour], n: int, avoid: Sequence[RGB]) -> tuple[Colour, ...]:
    """The first n-subset, in order, whose least distance, to `avoid` too, is the greatest."""
    rgb = np.array([colour.rgb for colour in names], int).reshape(-1, 3)
    squares = ((rgb[:, None] - rgb) ** 2).sum(-1)
    to_avoid = ((rgb[:, None] - np.array(avoid, int).reshape(-1, 3)) ** 2).sum(-1).min(1, initial=3 * 255**2)
    for least in np.unique([0, *squares.flat, *to_avoid])[::-1]:
        apart = [sum(1 << int(j) for j in np.flatnonzero(row)) for row in squares >= max(least, 1)]
        allowed = sum(1 << int(i) for i in np.flatnonzero(to_avoid >= least))
        subset = _first_clique(apart, allowed, n)
        if subset is not None:
            return tuple(names[i] for i in subset)
    raise AssertionError("unreachable: at distance 0 every subset will do")


def _first_clique(apart: list[int], allowed: int, n: int) -> tuple[int, ...] | None:
    """The lexicographically first n vertices of `allowed` (a bit set) that are pairwise joined in `apart`, or
    None.
    """
    if n == 0:
        return ()
    while allowed.bit_count() >= n:
        first = (allowed & -allowed).bit_length() - 1
        allowed &= allowed - 1
        rest = _first_clique(apart, allowed & apart[first], n - 1)
        if rest is not None:
            return (first, *rest)
    return None
