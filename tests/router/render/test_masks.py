from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from visionrouter.render import overlay
from visionrouter.render.canvas import Canvas
from visionrouter.render.colour import of_instance, of_labels
from visionrouter.render.masks import draw_mask, inner_edge, span
from visionrouter.schema.payload import Segmentation, boxes_of

SCORES = np.array([0.9, 0.8], np.float32)


def disc(width: int, height: int, x: float, y: float, radius: float) -> np.ndarray:
    ys, xs = np.mgrid[:height, :width]
    return np.hypot(xs - x, ys - y) < radius


def test_inside_is_tinted_outside_is_untouched(picture):
    image = picture(320, 240)
    mask = disc(320, 240, 150, 120, 60)
    canvas = Canvas(image)
    draw_mask(canvas, mask, (255, 0, 0), 2)
    drawn = canvas.pixels().astype(int)
    assert np.array_equal(drawn[~mask], image[~mask])
    assert (drawn[mask] != image[mask]).any(-1).all()
    edge = inner_edge(mask, 2)
    assert (drawn[edge] == (255, 0, 0)).all()
    inside = mask & ~edge
    assert np.abs(drawn[inside] - (0.58 * image[inside] + 0.42 * np.array([255, 0, 0]))).max() <= 1.5


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_the_contour_is_what_erosion_takes_away(mask, thickness):
    core = ndimage.binary_erosion(mask, iterations=thickness, border_value=1)
    assert np.array_equal(inner_edge(mask, thickness), mask & ~core)


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
@settings(max_examples=60, deadline=None)
def test_the_span_is_the_tight_box(mask):
    found = span(mask)
    assert (tuple(boxes_of(mask[None])[0]) == found) if found else not mask.any()


def test_semantic_masks_are_coloured_by_label_and_the_rest_by_thing():
    image = np.zeros((240, 320, 3), np.uint8)
    masks = np.stack([disc(320, 240, 80, 120, 60), disc(320, 240, 240, 120, 60)])
    semantic = overlay(Segmentation(masks, SCORES, ("sky", "road"), "semantic"), image)
    colours = of_labels(["sky", "road"])
    assert tuple(semantic[120, 21]) == colours["sky"]
    assert tuple(semantic[120, 181]) == colours["road"]
    instances = overlay(Segmentation(masks, SCORES, ("car", "car"), "instance"), image)
    assert tuple(instances[120, 21]) == of_instance(0)
    assert tuple(instances[120, 181]) == of_instance(1)


def test_the_label_of_a_large_mask_stands_in_its_deepest_place(picture):
    image = picture(640, 480)
    masks = np.zeros((1, 480, 640), np.bool_)
    masks[0, 100:400, 300:600] = True
    masks[0, 250:252, 20:300] = True
    changed = overlay(Segmentation(masks, SCORES[:1], ("lake",), "referring"), image) != overlay(
        Segmentation(masks, SCORES[:1], ("pond",), "referring"), image
    )
    ys, xs = np.nonzero(changed.any(-1))
    assert abs(ys.mean() - 250) < 15
    assert abs(xs.mean() - 450) < 50
