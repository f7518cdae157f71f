"""Detections on real photos, against the golden outputs of an independent decoder."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from visionrouter.backends.specialist.nanodet import NanoDet
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Detections
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Relation, RelationKind, Target, Task


@pytest.fixture(scope="module")
def nanodet() -> NanoDet:
    return NanoDet()


def ask(nanodet: NanoDet, image: Image, *targets: Target) -> Prediction:
    (prediction,) = nanodet.predict([Query(Task.DETECT, image, targets)])
    return prediction


def detections(prediction: Prediction) -> Detections:
    assert isinstance(prediction.payload, Detections)
    return prediction.payload


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "china", "coffee", "flower", "rocket"])
def test_the_golden_detections(
    photo: Callable[[str], Image], golden: Callable[[str], Any], name: str
) -> None:
    found = detections(ask(NanoDet(threshold=0.35, duplicate_iou=1), photo(name)))
    expected = golden(f"nanodet_{name}")["detections"]
    assert list(found.labels) == [row["label"] for row in expected]
    np.testing.assert_allclose(found.scores, [row["score"] for row in expected], atol=0.02)
    np.testing.assert_allclose(found.boxes, np.reshape([row["xyxy"] for row in expected], (-1, 4)), atol=2)


def test_one_thing_has_one_name(photo: Callable[[str], Image]) -> None:
    """At a low threshold the cat is also a dog, and the dahlia a cake and an orange."""
    assert detections(ask(NanoDet(threshold=0.35), photo("chelsea"))).labels == ("cat",)
    assert "orange" not in detections(ask(NanoDet(threshold=0.35), photo("flower"))).labels


def test_only_what_is_asked_for_is_given(nanodet: NanoDet, photo: Callable[[str], Image]) -> None:
    everything = detections(ask(nanodet, photo("coffee")))
    assert everything.labels == ("cup", "dining table")
    cup = ask(nanodet, photo("coffee"), Target("cup", "the cup"))
    assert detections(cup).labels == ("cup",)
    assert cup.evidence.signals == pytest.approx({"count": 1, "score": 0.732}, abs=0.02)


def test_everyday_words_find_their_class(nanodet: NanoDet, photo: Callable[[str], Image]) -> None:
    assert detections(ask(nanodet, photo("coffee"), Target("mug", "the mug"))).labels == ("cup",)
    assert detections(ask(nanodet, photo("astronaut"), Target("woman", "the woman"))).labels == ("person",)


def test_a_word_that_says_more_than_its_class_is_noted(
    nanodet: NanoDet, photo: Callable[[str], Image]
) -> None:
    kitten = ask(nanodet, photo("chelsea"), Target("kitten", "the kitten"))
    assert detections(kitten).labels == ("cat",)
    assert kitten.notes == ("specificity_lost:kitten",)
    assert ask(nanodet, photo("chelsea"), Target("cat", "the cat")).notes == ()


def test_what_is_asked_for_and_not_there_gives_nothing(
    nanodet: NanoDet, photo: Callable[[str], Image]
) -> None:
    nothing = ask(nanodet, photo("coffee"), Target("horse", "the horse", number="one"))
    assert len(detections(nothing)) == 0
    assert dict(nothing.evidence.signals) == {"count": 0.0}


@pytest.mark.parametrize(
    ("noun", "hint"), [("sports bag", "nearest: sports ball"), ("xylograph", "it knows person,")]
)
def test_a_word_outside_the_classes_is_refused_with_the_nearest(
    nanodet: NanoDet, photo: Callable[[str], Image], noun: str, hint: str
) -> None:
    with pytest.raises(UnsupportedTargetError, match=f"nanodet has no label for '{noun}' .{hint}"):
        ask(nanodet, photo("coffee"), Target(noun, f"the {noun}"))


def test_relations_pick_among_the_boxes(nanodet: NanoDet, photo: Callable[[str], Image]) -> None:
    coffee = photo("coffee")
    beside = np.concatenate([coffee.pixels, coffee.pixels[:, ::-1]], 1)
    two = Image(np.ascontiguousarray(beside))
    cups = detections(ask(nanodet, two, Target("cup", "cups")))
    assert cups.labels == ("cup", "cup")
    for kind, middle in ((RelationKind.LEFTMOST, 290), (RelationKind.RIGHTMOST, 1200 - 290)):
        target = Target("cup", "the cup", relations=(Relation(kind),), number="one")
        chosen = detections(ask(nanodet, two, target))
        assert len(chosen) == 1
        assert chosen.boxes[0, ::2].mean() == pytest.approx(middle, abs=20)


def test_colours_pick_among_the_boxes(nanodet: NanoDet, photo: Callable[[str], Image]) -> None:
    """The picture twice, its red and blue swapped the second time: an orange suit and a blue one."""
    portrait = photo("astronaut")
    two = Image(np.ascontiguousarray(np.concatenate([portrait.pixels, portrait.pixels[..., ::-1]], 1)))
    for colour, side in (("orange", 0), ("blue", 1)):
        chosen = detections(
            ask(nanodet, two, Target("person", f"the {colour} person", (colour,), number="one"))
        )
        assert len(chosen) == 1
        assert chosen.boxes[0, ::2].mean() // 512 == side


def test_an_anchor_is_found_too(nanodet: NanoDet, photo: Callable[[str], Image]) -> None:
    on_the_table = Relation(RelationKind.ON, Target("dining table", "the table", number="one"))
    on_the_horse = Relation(RelationKind.ON, Target("horse", "the horse", number="one"))
    there = ask(nanodet, photo("coffee"), Target("cup", "the cup", relations=(on_the_table,)))
    assert (detections(there).labels, there.notes) == (("cup",), ())
    unknown = ask(nanodet, photo("coffee"), Target("cup", "the cup", relations=(on_the_horse,)))
    assert unknown.notes == ("unresolved:on the horse",)


def test_a_relation_that_needs_depth_is_left_open(nanodet: NanoDet, photo: Callable[[str], Image]) -> None:
    nearest = Target("cup", "the nearest cup", relations=(Relation(RelationKind.NEAREST),), number="one")
    assert "unresolved:nearest" in ask(nanodet, photo("coffee"), nearest).notes


def test_images_of_one_canvas_share_a_run(nanodet: NanoDet, photo: Callable[[str], Image]) -> None:
    queries = [Query(Task.DETECT, photo(name)) for name in ("astronaut", "flower", "china", "astronaut")]
    together = nanodet.predict(queries)
    assert [detections(p).labels for p in together] == [("person",), ("cake",), (), ("person",)]
    alone = detections(ask(nanodet, photo("flower")))
    np.testing.assert_allclose(detections(together[1]).boxes, alone.boxes, atol=1e-2)


def test_boxes_come_back_in_the_pixels_of_the_image(nanodet: NanoDet, photo: Callable[[str], Image]) -> None:
    """Twice the picture, twice the box."""
    import PIL.Image

    image = photo("astronaut")
    double = Image(np.asarray(PIL.Image.fromarray(image.pixels).resize((1024, 1024))))
    small, large = detections(ask(nanodet, image)), detections(ask(nanodet, double))
    np.testing.assert_allclose(large.boxes, 2 * small.boxes, atol=12)
