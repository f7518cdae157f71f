"""Answers to merge and to compare, drawn by seed."""

import numpy as np
import pytest

from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Poses,
    Segmentation,
)

H, W = 24, 32
WORDS = ("car", "dog", "person")
JOINTS = ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")


def _boxes(rng, n):
    corners = rng.uniform(0, (W - 8, H - 8), (n, 2))
    return np.concatenate([corners, corners + rng.uniform(1, 8, (n, 2))], 1).astype(np.float32)


def _scores(rng, n):
    return rng.uniform(0.05, 1, n).astype(np.float32)


def detections(rng):
    n = int(rng.integers(0, 6))
    return Detections(_boxes(rng, n), _scores(rng, n), tuple(rng.choice(WORDS, n).tolist()))


def _masks(rng, n):
    masks = np.zeros((n, H, W), bool)
    for i in range(n):
        y, x = rng.integers(0, H - 8), rng.integers(0, W - 8)
        masks[i, y : y + rng.integers(0, 8), x : x + rng.integers(1, 8)] = True
    return masks


def things(mode):
    def make(rng):
        n = int(rng.integers(0, 4))
        return Segmentation(_masks(rng, n), _scores(rng, n), tuple(rng.choice(WORDS, n).tolist()), mode)

    return make


def semantic(rng):
    labels = tuple(rng.permutation(WORDS)[: rng.integers(0, 4)].tolist())
    coarse = rng.integers(-1, max(1, len(labels)), (H // 4, W // 4))
    grid = np.kron(coarse, np.ones((4, 4), int))
    masks = np.array([grid == i for i in range(len(labels))], bool).reshape(-1, H, W)
    return Segmentation(masks, _scores(rng, len(labels)), labels, "semantic")


def depth(unit):
    def make(rng):
        values = rng.uniform(1, 30, (H, W)).astype(np.float32)
        values[rng.random((H, W)) < 0.1] = np.nan
        values[: rng.integers(0, 8)] = np.inf
        return DepthMap(values, unit)

    return make


def normals(rng):
    values = rng.normal((0, 0, 2), 1, (H, W, 3))
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    values[rng.random((H, W)) < 0.1] = np.nan
    return NormalMap(values.astype(np.float32))


def intrinsics(rng):
    def drawn(*shape):
        values = rng.random((H, W, *shape)).astype(np.float32)
        values[rng.random((H, W)) < 0.1] = np.nan
        return values

    lit = {"shading": 3 * drawn(3), "residual": drawn(3)}
    matter = {"roughness": drawn(), "metallicity": drawn()}
    return Intrinsics(
        drawn(3), **(lit if rng.random() < 0.7 else {}), **(matter if rng.random() < 0.7 else {})
    )


def poses(rng):
    n, names = int(rng.integers(0, 4)), tuple(rng.permutation(JOINTS)[: rng.integers(3, 6)].tolist())
    boxes = _boxes(rng, n)
    places = boxes[:, None, :2] + rng.random((n, len(names), 2)) * (boxes[:, None, 2:] - boxes[:, None, :2])
    found = rng.random((n, len(names))) * (rng.random((n, len(names))) < 0.8)
    return Poses(
        places.astype(np.float32), found.astype(np.float32), boxes, _scores(rng, n), names, ((0, 1),)
    )


def classes(rng):
    n = int(rng.integers(0, 4))
    scores = np.sort(rng.dirichlet(np.ones(n + 1))[:n].astype(np.float32))[::-1]
    return Classification(tuple(rng.permutation(WORDS)[:n].tolist()), scores.copy())


MAKERS = {
    "detections": detections,
    "instance": things("instance"),
    "referring": things("referring"),
    "promptable": things("promptable"),
    "semantic": semantic,
    "metres": depth("m"),
    "relative": depth("relative"),
    "disparity": depth("disparity"),
    "normals": normals,
    "intrinsics": intrinsics,
    "poses": poses,
    "classes": classes,
}


@pytest.fixture(params=MAKERS)
def make(request):
    """A function from a random generator to an answer of one kind."""
    return MAKERS[request.param]


@pytest.fixture
def makers():
    return MAKERS


@pytest.fixture
def scene():
    """A corridor seen by two models: metric depth, float32 (60, 80), smooth, with a box standing before the far wall."""
    y, x = np.mgrid[:60, :80].astype(np.float32)
    values = 4 + 0.05 * x + 12 * np.exp(-((y - 20) ** 2) / 400)
    values[25:45, 30:50] = 3
    return values.astype(np.float32)
