import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.palette import separated_colours, separation
from visionrouter.schema.task import PaletteEntry

COLOUR = st.tuples(*[st.integers(0, 255)] * 3)
PALETTES = st.lists(COLOUR, min_size=1, max_size=90, unique=True)


def code_of(*colours, tolerance=None):
    return PaletteCode(tuple(PaletteEntry(f"class {i}", rgb) for i, rgb in enumerate(colours)), tolerance)


def code_of_size(n):
    return code_of(*(colour.rgb for colour in separated_colours(n)))


@settings(deadline=None, max_examples=60)
@given(PALETTES, st.integers(0, 2**32 - 1))
def test_nearest_colour_residual_and_margin_are_exact(colours, seed):
    drawing = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    decoded = code_of(*colours).decode(drawing)
    squared = ((drawing[..., None, :].astype(int) - np.array(colours)) ** 2).sum(-1)
    assert np.array_equal(decoded.values, squared.argmin(-1))
    ordered = np.sqrt(np.sort(squared, axis=-1)) / 255
    assert np.allclose(decoded.residual, ordered[..., 0], atol=1e-6)
    expected = ordered[..., 1] - ordered[..., 0] if len(colours) > 1 else np.inf
    assert np.allclose(decoded.margin, expected, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 40, 64, 65, 256])
def test_a_large_drawing_agrees_with_a_k_d_tree(n):
    code = code_of_size(n)
    drawing = np.random.default_rng(n).integers(0, 256, (200, 250, 3), dtype=np.uint8)
    distance, _ = cKDTree(np.array(code.colours)).query(drawing.reshape(-1, 3))
    decoded = code.decode(drawing)
    assert np.allclose(decoded.residual.ravel() * 255, distance, atol=1e-3)
    chosen = np.array(code.colours)[decoded.values]
    assert np.allclose(np.linalg.norm(chosen - drawing.astype(float), axis=-1).ravel(), distance, atol=1e-3)


@settings(deadline=None, max_examples=40)
@given(PALETTES, st.integers(0, 2**32 - 1))
def test_clean_labels_come_back(colours, seed):
    labels = np.random.default_rng(seed).integers(0, len(colours), (6, 7))
    code = code_of(*colours)
    decoded = code.decode(code.encode(labels))
    assert np.array_equal(decoded.values, labels)
    assert decoded.valid.all()
    assert not decoded.residual.any()
    assert (decoded.margin >= separation(colours) - 1e-6).all()


def test_labels_survive_noise_smaller_than_half_the_separation():
    code = code_of_size(16)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 16, (64, 64))
    drawing = code.encode(labels).astype(int) + rng.integers(-36, 37, (64, 64, 3))
    assert np.array_equal(code.decode(drawing.clip(0, 255).astype(np.uint8)).values, labels)


def test_equally_near_colours_go_to_the_first_with_no_margin():
    decoded = code_of((0, 0, 0), (2, 0, 0)).decode(np.array([[[1, 0, 0]]], np.uint8))
    assert (decoded.values[0, 0], decoded.margin[0, 0]) == (0, 0)


def test_what_is_valid_shrinks_with_the_separation():
    far, near = code_of((0, 0, 0), (255, 255, 255)), code_of((0, 0, 0), (51, 0, 0))
    assert (far.largest_valid_residual, near.largest_valid_residual) == pytest.approx((0.25, 0.1))
    drawing = np.array([[[0, 45, 0]]], np.uint8)
    assert far.decode(drawing).valid.all()
    assert not near.decode(drawing).valid.any()
    assert code_of((0, 0, 0), (51, 0, 0), tolerance=0.2).decode(drawing).valid.all()


@pytest.mark.parametrize(
    ("colours", "message"),
    [
        ([], "1 to 256"),
        ([(0, 0, 0)] * 2, "'class 0' and 'class 1' are both"),
        ([(0, 0, 256)], "0..255"),
        ([(0, 0)], "three levels"),
        ([(i % 256, i // 256, 0) for i in range(257)], "1 to 256"),
    ],
)
def test_palettes_that_cannot_be_read_back_are_refused(colours, message):
    with pytest.raises(SchemaError, match=message):
        code_of(*colours)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([[2]]), "span 2 to 2, the palette has 2"),
        (np.array([[-1]]), "unlabelled"),
        (np.array([[0.0]]), "expected integers"),
        (np.array([0]), "expected integers"),
        (np.zeros((0, 3), int), "expected integers"),
        ([[0]], "got list"),
    ],
)
def test_labels_that_cannot_be_drawn_are_refused(labels, message):
    with pytest.raises(SchemaError, match=message):
        code_of((0, 0, 0), (255, 0, 0)).encode(labels)
