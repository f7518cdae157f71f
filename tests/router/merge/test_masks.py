"""Masks: things matched and voted on, classes voted on, and one picture painted of both."""

import numpy as np
import pytest

from visionrouter.merge.front import merge
from visionrouter.merge.panoptic import paint
from visionrouter.merge.part import Part
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import Segmentation

SIZE = (20, 30)


def block(x1, y1, x2, y2):
    mask = np.zeros(SIZE, bool)
    mask[y1:y2, x1:x2] = True
    return mask


def masks(*found, mode="instance", labels=None, scores=None):
    stack = np.array(found, bool).reshape(-1, *SIZE)
    names = labels or ("dog",) * len(stack)
    return Segmentation(
        stack, np.array([1.0] * len(stack) if scores is None else scores, np.float32), names, mode
    )


def fuse(*payloads, weights=None):
    return merge([Part(p, w) for p, w in zip(payloads, weights or [1] * len(payloads), strict=True)])


# ---- things


def test_the_majority_of_three_draws_the_outline():
    a, b, c = block(0, 0, 10, 10), block(1, 0, 11, 10), block(2, 0, 12, 10)
    merged = fuse(masks(a), masks(b), masks(c))
    assert np.array_equal(merged.payload.masks[0], block(1, 0, 11, 10))
    assert merged.payload.scores == pytest.approx([1])
    assert merged.contributors.all()


def test_the_heavier_of_two_draws_the_outline():
    merged = fuse(masks(block(0, 0, 10, 10)), masks(block(2, 0, 10, 10)), weights=[1, 3])
    assert np.array_equal(merged.payload.masks[0], block(2, 0, 10, 10))
    assert merged.element_sources.tolist() == [1]


def test_a_draw_is_neither_the_union_nor_the_overlap():
    outlines = block(0, 0, 10, 10), block(2, 0, 12, 10)
    (mask,) = fuse(masks(outlines[0]), masks(outlines[1])).payload.masks
    assert any(np.array_equal(mask, outline) for outline in outlines)


def test_a_confidence_map_weighs_the_pixels():
    trust = np.ones(SIZE, np.float32)
    trust[:, :5] = 0.1
    heavy = Part(masks(block(0, 0, 10, 10)), 2, trust)
    merged = merge([heavy, Part(masks(block(2, 0, 10, 10)))])
    assert np.array_equal(merged.payload.masks[0], block(2, 0, 10, 10))


def test_instances_match_one_to_one_within_a_label():
    pair = masks(block(0, 0, 10, 10), block(15, 0, 25, 10), labels=("dog", "cat"))
    other = masks(block(15, 0, 25, 10), block(0, 0, 10, 10), labels=("dog", "dog"))
    merged = fuse(pair, other)
    assert sorted(zip(merged.payload.labels, merged.payload.scores.tolist(), strict=True)) == [
        ("cat", 0.5),
        ("dog", 0.5),
        ("dog", 1.0),
    ]
    assert merged.evidence["agreement"] == pytest.approx(2 / 3)


def test_what_is_meant_may_have_two_names():
    woman = masks(block(0, 0, 10, 10), mode="referring", labels=("woman",))
    person = masks(block(0, 0, 10, 9), mode="referring", labels=("person",))
    merged = fuse(woman, person, weights=[1, 2])
    assert merged.payload.labels == ("person",)


def test_prompted_masks_answer_their_prompt_in_order():
    a = masks(block(0, 0, 5, 5), block(10, 0, 20, 10), mode="promptable", scores=[0.2, 0.9])
    b = masks(block(0, 0, 5, 4), block(10, 10, 20, 20), mode="promptable", scores=[0.2, 0.5])
    merged = fuse(a, b)
    assert merged.notes == ("masks_disagree:1",)
    assert np.array_equal(merged.payload.masks[1], block(10, 0, 20, 10)), "the louder one, unmixed"
    assert merged.payload.scores == pytest.approx([0.2, 0.7])
    assert merged.evidence["agreement"] == pytest.approx(0.5)


def test_nothing_and_something_is_half_a_thing():
    merged = fuse(masks(), masks(block(0, 0, 3, 3)))
    assert merged.payload.scores == pytest.approx([0.5])
    assert len(fuse(masks(), masks()).payload) == 0


# ---- classes


def classes(grid, labels, scores=None):
    return masks(*[grid == i for i in range(len(labels))], mode="semantic", labels=labels, scores=scores)


def test_classes_are_voted_by_name_and_no_class_is_no_vote():
    grid = np.zeros(SIZE, int)
    grid[:, 15:] = 1
    blank = np.where(grid == 1, -1, 0)
    merged = fuse(
        classes(grid, ("sky", "road")), classes(blank, ("sky",)), classes(1 - grid, ("road", "sky"))
    )
    assert merged.payload.labels[:1] in (("sky",), ("road",))
    found = dict(zip(merged.payload.labels, merged.payload.masks, strict=True))
    assert np.array_equal(found["sky"], grid == 0)
    assert np.array_equal(found["road"], grid == 1)
    assert merged.evidence["agreement"] == pytest.approx(1)


def test_the_surer_source_wins_its_pixels():
    sky, road = classes(np.zeros(SIZE, int), ("sky",)), classes(np.zeros(SIZE, int), ("road",))
    left = np.full(SIZE, 0.2, np.float32)
    left[:, :15] = 0.9
    merged = merge([Part(sky, 1, left), Part(road, 1, 1.1 - left)])
    found = dict(zip(merged.payload.labels, merged.payload.masks, strict=True))
    assert np.array_equal(found["sky"], block(0, 0, 15, 20))
    assert np.array_equal(merged.source_map == 0, found["sky"])
    assert merged.confidence_map == pytest.approx(0.45)
    assert merged.evidence["agreement"] == pytest.approx(0.5)


# ---- one picture


def test_things_are_painted_by_score_over_stuff():
    things = masks(block(0, 0, 10, 10), block(5, 0, 15, 10), block(1, 1, 9, 9), scores=[0.9, 0.8, 0.7])
    stuff = classes(np.zeros(SIZE, int), ("grass",))
    painted = paint(things, stuff)
    assert painted.dropped == (2,)
    assert [int(m.sum()) for m in painted.things.masks] == [100, 50]
    assert painted.stuff.masks.sum() == 600 - 150
    every = np.concatenate([painted.things.masks, painted.stuff.masks])
    assert (every.sum(0) == 1).all()


def test_a_dropped_thing_leaves_its_pixels_to_those_below():
    things = masks(block(0, 0, 10, 10), block(6, 0, 12, 10), block(10, 0, 12, 10), scores=[0.9, 0.8, 0.1])
    painted = paint(things)
    assert painted.dropped == (1,)
    assert np.array_equal(painted.things.masks[1], block(10, 0, 12, 10))
    assert len(painted.stuff) == 0


def test_stuff_is_no_thing():
    with pytest.raises(SchemaError, match="instances on top"):
        paint(classes(np.zeros(SIZE, int), ("grass",)))
