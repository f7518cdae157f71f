from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.backends.generative.codecs.normals import MARIGOLD_AXES, PAPER_AXES, NormalCode
from visionrouter.schema.errors import SchemaError

EVERY_AXES = [
    "".join(s + a for s, a in zip(signs, order, strict=True))
    for signs in product("+-", repeat=3)
    for order in permutations("xyz")
]


def sphere(n=64):
    """Normals of a ball seen from the front, zero around it: x to the right, y up, z to the viewer."""
    ys, xs = np.mgrid[0:n, 0:n]
    x, y = (2 * xs + 1 - n) / n, (n - 2 * ys - 1) / n
    z = np.sqrt(np.maximum(0, 1 - x * x - y * y))
    return (np.stack([x, y, z], -1) * (z > 0)[..., None]).astype(np.float32)


def degrees(a, b):
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1)))


@pytest.mark.parametrize("axes", EVERY_AXES)
def test_a_sphere_comes_back_on_every_convention(axes):
    truth = sphere()
    decoded = NormalCode(axes).decode(NormalCode(axes).encode(truth))
    surface = truth.any(-1)
    assert np.array_equal(decoded.valid, surface)
    assert degrees(decoded.values, truth)[surface].max() < 0.4
    assert decoded.residual[surface].max() < 0.007


def test_the_papers_sphere_has_pinkish_red_at_its_left():
    drawing = NormalCode(PAPER_AXES).encode(sphere())
    left, right, top, middle = drawing[32, 1], drawing[32, -2], drawing[1, 32], drawing[32, 32]
    assert left[0] > 245
    assert left[1] == pytest.approx(130, abs=5)
    assert right[0] < 10
    assert top[1] > 245
    assert middle[2] > 250
    assert tuple(drawing[0, 0]) == (128, 128, 128)


def test_marigold_draws_the_right_red():
    drawing = NormalCode(MARIGOLD_AXES).encode(sphere())
    assert drawing[32, -2, 0] > 245
    assert drawing[32, 1, 0] < 10


def test_the_wrong_convention_mirrors_the_sphere():
    truth = sphere()
    decoded = NormalCode(MARIGOLD_AXES).decode(NormalCode(PAPER_AXES).encode(truth))
    surface = truth.any(-1)
    assert degrees(decoded.values, truth * [-1, 1, 1])[surface].max() < 0.4


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from(EVERY_AXES))
def test_any_direction_survives_8_bits(seed, axes):
    truth = np.random.default_rng(seed).normal(size=(5, 7, 3))
    truth /= np.linalg.norm(truth, axis=-1, keepdims=True)
    code = NormalCode(axes)
    drawing = code.encode(truth)
    decoded = code.decode(drawing)
    assert degrees(decoded.values, truth).max() < 0.4
    assert np.allclose(np.linalg.norm(decoded.values, axis=-1), 1, atol=1e-5)
    assert np.abs(code.encode(decoded.values).astype(int) - drawing).max() <= 1


@pytest.mark.parametrize("length", [0.0, 0.3, 0.8, 1.2])
def test_residual_is_the_error_of_the_drawn_vectors_length(length):
    drawing = np.rint((1 + length * np.array([[[0.6, 0.0, 0.8]]])) * 127.5).astype(np.uint8)
    decoded = NormalCode().decode(drawing)
    assert decoded.residual[0, 0] == pytest.approx(abs(1 - length), abs=0.01)
    assert decoded.valid[0, 0] == (length >= 0.5)


def test_missing_normals_are_drawn_gray_and_read_as_invalid():
    missing = np.array([[[np.nan, 0, 1], [0, 0, 0]]])
    drawing = NormalCode().encode(missing)
    assert (drawing == 128).all()
    assert not NormalCode().decode(drawing).valid.any()


@pytest.mark.parametrize("axes", ["xyz", "+x+y+y", "+x+y", "+a+y+z", "", "+x+y+z "])
def test_axes_that_name_no_frame_are_refused(axes):
    with pytest.raises(SchemaError, match="signed axis"):
        NormalCode(axes)


@pytest.mark.parametrize(
    ("normals", "message"),
    [
        (np.full((2, 2, 3), 2.0), "unit length"),
        (np.array([[[np.inf, 0, 0]]]), "unit length"),
        (np.zeros((2, 2, 3), np.int8), "expected floats"),
        (np.zeros((2, 2)), "expected floats"),
        (np.zeros((0, 2, 3)), "expected floats"),
        (None, "got NoneType"),
    ],
)
def test_normals_that_cannot_be_drawn_are_refused(normals, message):
    with pytest.raises(SchemaError, match=message):
        NormalCode().encode(normals)
