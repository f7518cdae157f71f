from __future__ import annotations

import numpy as np

from visionrouter.render import overlay
from visionrouter.render.boxes import draw_box, rects_of
from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.colour import of_labels
from visionrouter.schema.payload import Detections

RED = (200, 10, 20)


def test_the_line_is_on_the_box_and_nothing_else_changes(picture):
    image = picture(320, 240)
    canvas = Canvas(image)
    draw_box(canvas, Rect(50, 40, 150, 120), RED)
    drawn = canvas.pixels()
    for y, x in ((40, 50), (40, 100), (119, 100), (80, 50), (80, 149), (119, 149)):
        assert tuple(drawn[y, x]) == RED
    inner = canvas.line_px + 1
    assert np.array_equal(
        drawn[40 + inner : 120 - inner, 50 + inner : 150 - inner],
        image[40 + inner : 120 - inner, 50 + inner : 150 - inner],
    )
    outside = np.ones(image.shape[:2], bool)
    outside[39:121, 49:151] = False
    assert np.array_equal(drawn[outside], image[outside])


def test_boxes_are_rounded_to_pixels_and_clipped():
    canvas = Canvas(np.zeros((100, 200, 3), np.uint8))
    whole, far, point = rects_of([[10.4, 9.6, 20.5, 30.6], [-1e9, -1e9, 1e9, 1e9], [5, 5, 5, 5]], canvas)
    assert whole == (10, 10, 20, 31)
    assert far.x0 < 0
    assert far.x1 > 200
    assert (point.width, point.height) == (1, 1)


def test_a_small_box_is_seen_on_a_large_one(picture):
    image = picture(320, 240)
    boxes = np.array([[30, 60, 60, 90], [30, 60, 300, 230]], np.float32)
    drawn = overlay(Detections(boxes, np.array([0.5, 0.9], np.float32), ("small", "large")), image)
    assert tuple(drawn[80, 30]) == of_labels(["small", "large"])["small"], "where their lines meet"
    assert tuple(drawn[89, 45]) == of_labels(["small", "large"])["small"]
    assert tuple(drawn[229, 150]) == of_labels(["small", "large"])["large"]


def test_a_box_outside_the_picture_leaves_it_alone(picture):
    image = picture(320, 240)
    outside = Detections(
        np.array([[400, 300, 500, 400]], np.float32), np.array([0.9], np.float32), ("ghost",)
    )
    changed = (overlay(outside, image) != image).any(-1)
    assert not changed[:180, :].any(), "only the note that a label is not shown, at the bottom"
