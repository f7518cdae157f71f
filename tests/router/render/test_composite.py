from __future__ import annotations

import numpy as np
import pytest

from visionrouter.render import overlay
from visionrouter.render.colour import of_instance
from visionrouter.render.composite import quantity, tail_of
from visionrouter.schema.payload import Composite, Entity, Segmentation
from visionrouter.schema.task import Operation

BOX = (100.0, 60.0, 200.0, 160.0)


@pytest.mark.parametrize(
    ("entity", "operation", "text"),
    [
        (Entity("a", BOX, 0.9, 4.26, (3.91, 4.6), "m"), Operation.DISTANCE, " 4.3 m (3.9 to 4.6)"),
        (Entity("a", BOX, 0.9, 140.4, None, "m"), Operation.DISTANCE, " 140 m"),
        (Entity("a", BOX, 0.9, 0.421, None, "relative"), Operation.DISTANCE, " 0.42 rel."),
        (Entity("a", BOX, 0.9), Operation.DISTANCE, " not measured"),
        (Entity("a", BOX, 0.9), Operation.COUNT, " 0.90"),
    ],
)
def test_what_a_label_says(entity, operation, text):
    assert tail_of(entity, operation) == text


def test_quantities_have_no_exponent():
    assert [quantity(v) for v in (0, 0.054, 9.96, 99.94, 12345.6)] == [
        "0.00",
        "0.05",
        "10.0",
        "99.9",
        "12346",
    ]


def test_boxes_of_entities_and_the_summary(picture):
    image = picture(400, 300)
    entities = (
        Entity("person", BOX, 0.9, 4.2, (3.9, 4.6), "m"),
        Entity("dog", (250, 60, 350, 160), 0.9, 7, None, "m"),
    )
    with_summary = overlay(Composite(Operation.DISTANCE, "The person is 4.2 m away.", entities), image)
    assert tuple(with_summary[159, 150]) == of_instance(0)
    assert tuple(with_summary[159, 300]) == of_instance(1)
    without = overlay(Composite(Operation.DISTANCE, "", entities), image)
    assert np.array_equal(with_summary[:240], without[:240])
    assert (with_summary[240:] != without[240:]).any(-1).sum() > 1000


def test_the_masks_it_was_joined_from_are_shown(picture):
    image = picture(400, 300)
    masks = np.zeros((1, 300, 400), np.bool_)
    masks[0, 60:160, 100:200] = True
    part = Segmentation(masks, np.ones(1, np.float32), ("person",), "instance")
    entities = (Entity("person", BOX, 0.9),)
    plain = overlay(Composite(Operation.COUNT, "", entities), image)
    tinted = overlay(Composite(Operation.COUNT, "", entities, {"segment.instance": part}), image)
    assert (plain[110, 150] == image[110, 150]).all()
    assert (tinted[110, 150] != image[110, 150]).any()


def test_a_redaction_is_the_edited_picture_and_no_more(picture):
    edited = picture(400, 300)[::-1].copy()
    answer = Composite(Operation.REDACT, "1 face", (Entity("face", BOX, 0.9),), image=edited)
    assert np.array_equal(overlay(answer, picture(400, 300)), edited)
