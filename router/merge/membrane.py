"""The smoothest surface through given values on a border: a membrane (Pérez et al. 2003, equation 7)."""

from __future__ import annotations

import numpy as np

from visionrouter.schema.arrays import F32, Bool

_TOLERANCE = 1e-4
_ROUNDS = 2000


def membrane(offsets: F32, inside: Bool) -> F32:
    """float32 (H, W): the solution of Δu = 0 over `inside` that meets `offsets` on the pixels beside it, 0 elsewhere.

    `offsets` float32 (H, W): finite where the surface is pinned, NaN where it is free. Free pixels and the image's
    frame are no border: there the surface ends level. Where nothing pins a patch it lies at the nearest pinned value,
    or at 0 if there is none at all. Solved by conjugate gradients, started from the nearest pinned value.
    """
    from scipy.ndimage import distance_transform_edt
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import cg

    out: F32 = np.zeros(offsets.shape, np.float32)
    pinned = np.isfinite(offsets) & ~inside
    count = int(inside.sum())
    if not count or not pinned.any():
        return out
    nearest = distance_transform_edt(~pinned, return_distances=False, return_indices=True)
    start = offsets[tuple(nearest)][inside].astype(np.float64)
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    diagonal, right = np.full(count, 1e-9), start * 1e-9
    rows, columns = [], []
    for axis in (0, 1):
        for near, far in (_sides(axis), _sides(axis)[::-1]):
            here, there = number[near], number[far]
            joined = (here >= 0) & (there >= 0)
            rows.append(here[joined])
            columns.append(there[joined])
            np.add.at(diagonal, here[joined], 1)
            held = (here >= 0) & pinned[far]
            np.add.at(diagonal, here[held], 1)
            np.add.at(right, here[held], offsets[far][held].astype(np.float64))
    i, j = np.concatenate(rows), np.concatenate(columns)
    every = np.arange(count)
    matrix = coo_matrix(
        (
            np.concatenate([-np.ones(len(i)), diagonal]),
            (np.concatenate([i, every]), np.concatenate([j, every])),
        ),
        (count, count),
    ).tocsr()
    solved, _ = cg(matrix, right, start, rtol=_TOLERANCE, maxiter=_ROUNDS)
    out[inside] = solved.clip(offsets[pinned].min(), offsets[pinned].max())
    return out


def _sides(axis: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Every pixel but the last along an axis, and its neighbour."""
    first = [slice(None), slice(None)]
    second = [slice(None), slice(None)]
    first[axis], second[axis] = slice(None, -1), slice(1, None)
    return (first[0], first[1]), (second[0], second[1])
