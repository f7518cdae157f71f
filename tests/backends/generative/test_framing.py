import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.backends.generative.framing import Frame

sides = st.integers(1, 900)


@settings(max_examples=40, deadline=None)
@given(sides, sides, st.sampled_from([(256, 32), (128, 16), (200, 64)]))
def test_the_canvas_holds_the_image_in_its_aspect(width: int, height: int, model: tuple[int, int]) -> None:
    working, stride = model
    frame = Frame.around(width, height, working, stride)
    canvas = frame.place(np.zeros((height, width, 3), np.uint8))
    assert canvas.shape == (frame.canvas_height, frame.canvas_width, 3)
    assert frame.canvas_height % stride == frame.canvas_width % stride == 0
    assert max(frame.inner_width, frame.inner_height) == working
    assert frame.crop(canvas).shape == (frame.inner_height, frame.inner_width, 3)
    scale = working / max(width, height)
    assert frame.inner_width == pytest.approx(max(1, width * scale), abs=0.51)
    assert frame.inner_height == pytest.approx(max(1, height * scale), abs=0.51)


@settings(max_examples=20, deadline=None)
@given(st.integers(40, 700), st.integers(40, 700))
def test_corners_of_the_image_come_back(width: int, height: int) -> None:
    frame = Frame.around(width, height, 256, 32)
    left, top = frame.left, frame.top
    corners = np.array([[left, top], [left + frame.inner_width, top + frame.inner_height]])
    assert frame.to_image(corners.astype(np.float32)) == pytest.approx(
        np.float32([[0, 0], [width, height]]), abs=1e-2
    )


def test_the_rim_is_filled_with_the_edge_of_the_image() -> None:
    frame = Frame.around(256, 100, 256, 32)
    image = np.zeros((100, 256, 3), np.uint8)
    image[0], image[-1] = 50, 200
    canvas = frame.place(image)
    assert frame.top > 0
    assert (canvas[: frame.top] == 50).all()
    assert (canvas[frame.top + 100 :] == 200).all()


def test_maps_keep_their_place_and_labels_their_values() -> None:
    frame = Frame.around(640, 427, 256, 32)
    inner = np.zeros((frame.inner_height, frame.inner_width), np.int16)
    inner[:, : frame.inner_width // 2] = 7
    labels = frame.enlarge_labels(inner)
    assert labels.shape == (427, 640)
    assert set(np.unique(labels)) == {0, 7}
    assert (labels[:, :319] == 7).all()
    assert (labels[:, 321:] == 0).all()
    ramp = np.broadcast_to(np.arange(frame.inner_width, dtype=np.float32), inner.shape)
    large = frame.enlarge(np.ascontiguousarray(ramp))
    expected = (np.arange(640) + 0.5) * frame.inner_width / 640 - 0.5
    assert large[100, 5:-5] == pytest.approx(expected[5:-5], abs=0.01)
