"""The smoothest surface through given values on a border: a membrane (Pérez et al. 2003, equation 7)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from visionrouter.schema.arrays import F32, Bool

F64 = npt.NDArray[np.float64]

_TOLERANCE = 1e-4
_ROUNDS = 60
_COARSEST = 1000
"""Unknowns few enough to be solved outright."""


def membrane(offsets: F32, inside: Bool) -> F32:
    """float32 (H, W): the solution of Δu = 0 over `inside` that meets `offsets` on the pixels beside it, 0 elsewhere.

    `offsets` float32 (H, W): finite where the surface is pinned, NaN where it is free. Free pixels and the image's
    frame are no border: there the surface ends level. What is pinned nowhere lies at the nearest pinned value, or at 0
    if there is none at all. Solved at half the size first, then by a few conjugate gradients from there.
    """
    out: F32 = np.zeros(offsets.shape, np.float32)
    pinned = np.isfinite(offsets) & ~inside & _beside(inside)
    if not inside.any() or not pinned.any():
        return out
    values = np.where(pinned, offsets, 0).astype(np.float64)
    solved = _solve(values, pinned, inside)[inside]
    out[inside] = solved.clip(values[pinned].min(), values[pinned].max())
    return out


def _solve(values: F64, pinned: Bool, inside: Bool) -> F64:
    """float64 (H, W), right where `inside`. `values` are 0 where not `pinned`."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import cg, spsolve

    count = int(inside.sum())
    start = _nearest(values, pinned) if count <= _COARSEST else _from_half(values, pinned, inside)
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    guess = start[inside]
    diagonal, right = np.full(count, 1e-9), guess * 1e-9
    rows, columns = [], []
    for axis in (0, 1):
        for near, far in (sides(axis), sides(axis)[::-1]):
            here, there = number[near], number[far]
            joined = (here >= 0) & (there >= 0)
            rows.append(here[joined])
            columns.append(there[joined])
            held = (here >= 0) & pinned[far]
            diagonal += np.bincount(here[joined | held], minlength=count)
            right += np.bincount(here[held], values[far][held], count)
    i, j, every = np.concatenate(rows), np.concatenate(columns), np.arange(count)
    matrix = coo_matrix(
        (
            np.concatenate([-np.ones(len(i)), diagonal]),
            (np.concatenate([i, every]), np.concatenate([j, every])),
        ),
        (count, count),
    ).tocsc()
    out = start.copy()
    if count <= _COARSEST:
        out[inside] = spsolve(matrix, right)
    else:
        out[inside], _ = cg(matrix.tocsr(), right, guess, rtol=_TOLERANCE, maxiter=_ROUNDS)
    return out


def _from_half(values: F64, pinned: Bool, inside: Bool) -> F64:
    """The solution at half the size, brought to this one: a start that is right but for details."""
    from scipy.ndimage import zoom

    height, width = inside.shape
    even = ((0, height % 2), (0, width % 2))
    held, free = (_blocks(np.pad(mask, even)) for mask in (pinned, inside))
    means = _blocks(np.pad(values, even)) / np.where(held > 0, held, 1)
    coarse = _solve(means, (held > 0) & (free == 0), free > 0)
    large: F64 = zoom(coarse, 2, order=1, mode="nearest", grid_mode=True)[:height, :width]
    return np.where(pinned, values, large)


def _blocks(values: npt.NDArray[np.generic]) -> F64:
    """Sums over blocks of 2 x 2."""
    height, width = values.shape
    summed: F64 = values.astype(np.float64).reshape(height // 2, 2, width // 2, 2).sum((1, 3))
    return summed


def _nearest(values: F64, pinned: Bool) -> F64:
    if not pinned.any():
        return values
    from scipy.ndimage import distance_transform_edt

    place = distance_transform_edt(~pinned, return_distances=False, return_indices=True)
    near: F64 = values[tuple(place)]
    return near


def _beside(inside: Bool) -> Bool:
    """bool (H, W): the pixels with a neighbour, up, down, left or right, that is `inside`."""
    beside = np.zeros_like(inside)
    for axis in (0, 1):
        near, far = sides(axis)
        beside[near] |= inside[far]
        beside[far] |= inside[near]
    return beside


def sides(axis: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Every pixel but the last along an axis, and its neighbour."""
    whole, first, second = slice(None), slice(None, -1), slice(1, None)
    return ((first, whole), (second, whole)) if axis == 0 else ((whole, first), (whole, second))
