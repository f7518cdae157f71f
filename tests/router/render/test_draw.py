from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from visionrouter.render import overlay, source_overlay
from visionrouter.schema.errors import ImageError, SchemaError

SIZES = [(1, 1), (3, 2), (400, 1), (1, 300), (40, 30), (70, 200), (320, 240), (1100, 800)]


@pytest.mark.parametrize("size", SIZES)
def test_every_kind_at_every_size(picture, every_payload, size):
    image = picture(*size)
    before = image.copy()
    for name, payload in every_payload(*size).items():
        drawn = overlay(payload, image)
        assert drawn.dtype == np.uint8, name
        assert drawn.shape == image.shape, name
        assert np.array_equal(drawn, overlay(payload, image)), name
    assert np.array_equal(image, before)


def test_every_kind_shows_something(picture, every_payload):
    image = picture(320, 240)
    unchanged = [n for n, p in every_payload(320, 240).items() if np.array_equal(overlay(p, image), image)]
    assert unchanged == ["no classes", "nothing to redact"]


def test_a_result_is_drawn_as_its_payload(picture, every_payload, result):
    image = picture(320, 240)
    payload = every_payload(320, 240)["detections"]
    answer = result(image, payload)
    assert np.array_equal(overlay(answer, image), overlay(payload, image))
    assert np.array_equal(answer.overlay(image), overlay(payload, image))


@pytest.mark.parametrize("kind", ["semantic", "metres", "normals", "intrinsics", "count", "redaction"])
def test_the_wrong_image_is_refused(picture, every_payload, kind):
    with pytest.raises(SchemaError, match=r"320x240.*64x48|64x48.*320x240"):
        overlay(every_payload(64, 48)[kind], picture(320, 240))


def test_a_result_of_another_image_is_refused(picture, every_payload, result):
    answer = result(picture(64, 48), every_payload(64, 48)["detections"])
    with pytest.raises(SchemaError, match="64x48"):
        overlay(answer, picture(320, 240))
    with pytest.raises(ImageError):
        overlay(answer, "no_such_file.jpg")


def test_sources_tint_each_backends_pixels(picture, result):
    image = picture(200, 100)
    source_map = np.zeros((100, 200), np.uint8)
    source_map[:, 120:] = 1
    drawn = source_overlay(result(image, None, sources=("a", "b"), source_map=source_map), image).astype(int)
    left, right = drawn[30, 40], drawn[30, 170]
    assert left[0] - left[2] > 40
    assert right[2] - right[0] > 20


def test_sources_need_a_source_map(picture, result):
    image = picture(60, 40)
    with pytest.raises(SchemaError, match="source_map is None"):
        source_overlay(result(image, None), image)
    wrong = result(image, None, sources=("a",), source_map=np.zeros((4, 6), np.uint8))
    with pytest.raises(SchemaError, match="6x4"):
        source_overlay(wrong, image)


def test_needs_no_plotting_library():
    code = "import sys, visionrouter.render; print(sorted({'cv2', 'matplotlib', 'torch'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
