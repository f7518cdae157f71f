"""Joins of composites measure what is there and hide what must be hidden."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.merge.join import count, distance, redact
from visionrouter.schema.payload import DepthMap, Detections, Segmentation


def things(*boxes, label="person"):
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.full(len(array), 0.9, np.float32), (label,) * len(array))


def test_distance_is_the_median_over_the_middle_of_the_box():
    depth = np.full((20, 20), 50, np.float32)
    depth[4:12, 4:12] = 7
    joined = distance(things([2, 2, 14, 14], [15, 15, 20, 20]), DepthMap(depth, "m"))
    assert [e.value for e in joined.entities] == [7, 50]
    assert joined.entities[0].interval == (7, 7)
    assert joined.summary == "person 7.0 m (7.0 to 7.0), person 50.0 m (50.0 to 50.0)"


def test_a_mask_is_measured_instead_of_the_box():
    depth = np.full((10, 10), 50, np.float32)
    depth[0, :] = 3
    mask = np.zeros((1, 10, 10), bool)
    mask[0, 0, :] = True
    mask[0, 9, :1] = True
    joined = distance(Segmentation(mask, np.ones(1, np.float32), ("wire",), "instance"), DepthMap(depth, "m"))
    assert joined.entities[0].value == 3


def test_sky_and_unknown_pixels_do_not_count():
    depth = np.full((10, 10), np.nan, np.float32)
    depth[5:] = np.inf
    depth[4, 4] = 12
    near, nowhere = distance(things([2, 2, 8, 8], [0, 8, 2, 10]), DepthMap(depth, "m")).entities
    assert near.value == 12
    assert nowhere.value is None
    assert nowhere.unit is None


def test_a_disparity_is_no_distance():
    joined = distance(things([0, 0, 4, 4]), DepthMap(np.ones((4, 4), np.float32), "disparity"))
    assert joined.entities[0].value is None
    assert "not known" in joined.summary


def test_count():
    assert count(things([0, 0, 1, 1], [2, 2, 3, 3]), "person").summary == "2 x person"
    assert count(things(), "dog").summary == "0 x dog"


@pytest.mark.parametrize("style", ["blur", "pixelate", "black"])
def test_redaction_hides_the_inside_and_leaves_the_outside(style):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    image = redact(pixels, things([10, 5, 42, 37]), style).image
    inside = np.zeros((40, 60), bool)
    inside[5:37, 10:42] = True
    assert np.array_equal(image[~inside], pixels[~inside])
    assert image[inside].std() < pixels[inside].std() / 3


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.floats(-5, 25), st.floats(-5, 25)),
    st.tuples(st.floats(0, 30), st.floats(0, 30)),
    st.sampled_from(["blur", "pixelate", "black"]),
)
def test_any_box_can_be_redacted_and_measured(corner, size, style):
    box = [corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]]
    pixels = np.full((20, 20, 3), 200, np.uint8)
    assert redact(pixels, things(box), style).image.shape == pixels.shape
    (entity,) = distance(things(box), DepthMap(np.full((20, 20), 4, np.float32), "m")).entities
    assert entity.value in (None, 4.0)
