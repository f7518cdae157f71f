import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from visionrouter.backends.generative.codecs.instances import InstanceCode, instance_colours
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.palette import BLACK, separation

CODE = InstanceCode()
H, W = 180, 240


def disc(x, y, radius, size=(H, W)):
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]]
    return np.hypot(xs + 0.5 - x, ys + 0.5 - y) < radius


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def in_cells(columns, rows, seed):
    """Discs that do not touch, one in each cell of a grid, from left to right."""
    rng = np.random.default_rng(seed)
    width, height = W / columns, H / rows
    masks = []
    for cell in range(columns * rows):
        radius = rng.uniform(6, 0.45 * min(width, height))
        x = rng.uniform(radius + 1, width - radius - 1) + width * (cell % columns)
        y = rng.uniform(radius + 1, height - radius - 1) + height * (cell // columns)
        masks.append((x, disc(x, y, radius)))
    return np.stack([mask for _, mask in sorted(masks, key=lambda item: np.nonzero(item[1])[1].mean())])


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_clean_drawings_come_back_exactly(columns, rows, seed):
    masks = in_cells(columns, rows, seed)
    drawing = CODE.encode(masks)
    decoded = CODE.decode(drawing)
    assert np.array_equal(decoded.values, masks)
    assert np.array_equal(CODE.encode(decoded.values), drawing)
    assert decoded.valid.all()
    assert decoded.instance_residual.max() < 0.01


@pytest.mark.parametrize("blur_px", [0, 0.7, 1.5])
@pytest.mark.parametrize("noise_levels", [0, 8])
def test_soft_borders_and_noise_neither_add_nor_lose_instances(blur_px, noise_levels):
    masks = in_cells(4, 3, seed=7)
    rng = np.random.default_rng(0)
    soft = ndimage.gaussian_filter(CODE.encode(masks).astype(float), (blur_px, blur_px, 0))
    drawing = np.rint(soft + rng.normal(0, noise_levels, soft.shape)).clip(0, 255).astype(np.uint8)
    decoded = CODE.decode(drawing)
    assert len(decoded.values) == 12
    assert min(iou(a, b) for a, b in zip(decoded.values, masks, strict=True)) > (0.9 if blur_px else 0.99)
    assert (decoded.instance_margin > 0.2).all()


def test_touching_instances_are_told_apart_across_an_antialiased_border():
    left, right = disc(90, 90, 50), disc(150, 90, 50)
    left &= ~right
    soft = ndimage.gaussian_filter(CODE.encode(np.stack([left, right])).astype(float), (0.7, 0.7, 0))
    decoded = CODE.decode(np.rint(soft).astype(np.uint8))
    assert [round(iou(a, b), 1) for a, b in zip(decoded.values, (left, right), strict=True)] == [1.0, 1.0]


def test_an_upscaled_drawing_has_the_instances_of_the_small_one():
    masks = in_cells(3, 2, seed=3)
    large = ndimage.zoom(CODE.encode(masks).astype(float), (3, 3, 1), order=1)
    assert len(CODE.decode(np.rint(large).astype(np.uint8)).values) == 6


def test_fading_brightness_is_one_instance_but_two_sharp_shades_are_two():
    fading = np.zeros((H, W, 3), np.uint8)
    fading[40:140, 40:200, 0] = np.linspace(255, 60, 160).astype(np.uint8)
    decoded = CODE.decode(fading)
    assert len(decoded.values) == 1
    assert decoded.instance_residual[0] > 0.1
    shades = np.zeros((H, W, 3), np.uint8)
    shades[40:140, 40:120, 0] = 255
    shades[40:140, 120:200, 0] = 128
    assert len(CODE.decode(shades).values) == 2


def test_one_colour_in_two_places_is_two_instances_or_one_as_asked():
    drawing = np.zeros((H, W, 3), np.uint8)
    drawing[disc(60, 90, 20) | disc(180, 90, 20)] = (0, 255, 0)
    assert len(InstanceCode(split=True).decode(drawing).values) == 2
    whole = InstanceCode(split=False).decode(drawing).values
    assert np.array_equal(whole, drawing.any(-1)[None])


def test_specks_are_background():
    drawing = CODE.encode(disc(100, 90, 30)[None])
    drawing[5:7, 5:7] = (0, 0, 255)
    decoded = CODE.decode(drawing)
    assert np.array_equal(decoded.values, disc(100, 90, 30)[None])


@pytest.mark.parametrize("level", [0, 20])
def test_black_has_no_instances(level):
    decoded = CODE.decode(np.full((H, W, 3), level, np.uint8))
    assert decoded.values.shape == (0, H, W)
    assert decoded.colours.shape == (0, 3)
    assert decoded.instance_residual.shape == decoded.instance_margin.shape == (0,)


def test_noise_alone_is_decoded_without_instances():
    noise = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
    assert len(CODE.decode(noise).values) == 0


def test_an_instance_may_fill_the_image():
    full = np.ones((1, 4, 5), np.bool_)
    assert np.array_equal(CODE.decode(CODE.encode(full)).values, full)


def test_colours_run_from_left_to_right_whatever_the_order_of_the_masks():
    masks = np.stack([disc(x, 90, 15) for x in (200, 40, 120)])
    drawing = CODE.encode(masks)
    assert [tuple(drawing[90, x]) for x in (40, 120, 200)] == list(instance_colours(3))


@pytest.mark.parametrize(("n", "least"), [(6, 1.0), (15, 0.49), (20, 0.45), (40, 0.3)])
def test_instance_colours_keep_apart_and_off_black(n, least):
    assert separation((BLACK, *instance_colours(n))) >= least
    assert instance_colours(n)[:5] == instance_colours(5)


def test_more_instances_than_names_come_back():
    masks = in_cells(6, 4, seed=1)
    assert len(masks) == 24
    assert len(InstanceCode(tolerance=0.18).decode(CODE.encode(masks)).values) == 24


@pytest.mark.parametrize(
    "masks", [np.zeros((2, 4, 4)), np.zeros((4, 4), bool), np.zeros((1, 0, 4), bool), [[[True]]]], ids=str
)
def test_masks_that_cannot_be_drawn_are_refused(masks):
    with pytest.raises(SchemaError, match="expected bool of shape"):
        CODE.encode(masks)


def test_more_masks_than_colours_are_refused():
    with pytest.raises(SchemaError, match="256 instances"):
        CODE.encode(np.zeros((256, 2, 2), np.bool_))
