"""What a network sees, and the way back to image pixels."""

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.backends.specialist.window import Window

sides = st.integers(1, 3000)
few = settings(max_examples=60, deadline=None)


def gradient(width: int, height: int) -> np.ndarray:
    """R grows along x and G along y, so that a sampled colour tells where it was taken."""
    ys, xs = np.mgrid[:height, :width]
    return np.stack(
        [xs * 255 / max(1, width - 1), ys * 255 / max(1, height - 1), np.full_like(xs, 77)], -1
    ).astype(np.uint8)


@few
@given(sides, sides, st.booleans())
def test_the_whole_picture_fits_its_canvas(width: int, height: int, centred: bool) -> None:
    window = Window.whole((width, height), 512, 32, centred=centred)
    assert window.width % 32 == 0
    assert window.height % 32 == 0
    assert max(window.width, window.height) == 512
    corners = window.to_canvas(np.float32([[0, 0], [width, height]]))
    assert (corners >= -0.01).all()
    assert (corners <= [window.width + 0.01, window.height + 0.01]).all()


@few
@given(sides, sides, st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(8, 512))
def test_a_window_around_a_box_holds_it_inside_the_image(
    width: int, height: int, places: list[float], long_side: int
) -> None:
    x1, x2 = sorted((places[0] * width, places[2] * width))
    y1, y2 = sorted((places[1] * height, places[3] * height))
    window = Window.around((x1, y1, x2, y2), (width, height), long_side, 0.1)
    assert 0 <= window.x1 <= x1 <= x2 <= window.x2 <= width or window.x2 - window.x1 == 1
    assert 0 <= window.y1 <= y1 <= y2 <= window.y2 <= height or window.y2 - window.y1 == 1
    assert 1 <= max(window.width, window.height) <= long_side


@few
@given(sides, sides, st.booleans())
def test_canvas_and_image_coordinates_are_inverse(width: int, height: int, centred: bool) -> None:
    window = Window.whole((width, height), 256, 32, centred=centred)
    points = np.float32([[0, 0], [width / 3, height / 7], [width, height]])
    np.testing.assert_allclose(
        window.to_image(window.to_canvas(points)), points, atol=2e-3 * max(width, height)
    )


def test_a_sampled_pixel_lies_where_the_coordinates_say() -> None:
    pixels = gradient(900, 600)
    window = Window.square((200, 100, 500, 300), 192, 0.1)
    canvas = window.sample(pixels)
    at = np.array([[40, 60], [150, 120]])
    x, y = window.to_image(at + np.float32(0.5)).T
    red, green, _ = canvas[at[:, 1], at[:, 0]].T.astype(float)
    np.testing.assert_allclose(red, x * 255 / 900, atol=1.5)
    np.testing.assert_allclose(green, y * 255 / 600, atol=1.5)


def test_sampling_a_whole_picture_is_pillows_resize() -> None:
    pixels = gradient(640, 427)
    window = Window.whole((640, 427), 512, 32, centred=True)
    canvas = window.sample(pixels)
    resized = np.asarray(PIL.Image.fromarray(pixels).resize((512, 342), PIL.Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(canvas[5:347], resized)
    assert not canvas[:5].any()
    assert not canvas[347:].any()


def test_beyond_the_picture_is_black() -> None:
    canvas = Window.square((0, 0, 40, 40), 100, 0.5).sample(np.full((40, 40, 3), 255, np.uint8))
    assert (canvas[26:74, 26:74] == 255).all()
    assert not canvas[:24].any()
    assert not canvas[:, 76:].any()


def test_a_window_outside_the_picture_is_black() -> None:
    assert not Window(100, 100, 120, 120, 8, 8).sample(np.full((40, 40, 3), 255, np.uint8)).any()


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1)])
def test_a_thin_picture_is_sampled_without_its_square(size: tuple[int, int]) -> None:
    pixels = np.full((size[1], size[0], 3), 200, np.uint8)
    canvas = Window.square((0, 0, *size), 192, 0.1).sample(pixels)
    assert canvas.shape == (192, 192, 3)
