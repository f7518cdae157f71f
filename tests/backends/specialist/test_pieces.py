"""A map of classes is taken apart into things, and words single out the ones that they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.backends.profile import load_profile
from visionrouter.backends.specialist.pieces import Pieces
from visionrouter.benchmarks.labelled import open_source
from visionrouter.instruction import parse
from visionrouter.schema.errors import BackendError, ProfileError, UnsupportedTargetError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Classification, DepthMap, Detections, Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Task

SIZE = (80, 120)
RED, BLUE = (slice(20, 60), slice(10, 40)), (slice(30, 50), slice(70, 100))
SEMANTIC = frozenset({Task.SEMANTIC})


@pytest.fixture
def picture() -> Image:
    """A large red car on the left and a small blue one on the right, on grey."""
    pixels = np.full((*SIZE, 3), 128, np.uint8)
    pixels[RED], pixels[BLUE] = (200, 30, 30), (30, 40, 200)
    return load_image(pixels)


class Scripted(FakeBackend):
    """Says the same of every picture, with a map of trust."""

    def __init__(self, payload: Segmentation, trust: np.ndarray | None) -> None:
        super().__init__("classes", tasks=SEMANTIC, labels=("car", "road", "person"))
        self._said = Prediction(payload, Evidence({"score": 0.9}, trust))

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._said for _ in queries]


def segmenter(*specks: tuple[int, int], trust: np.ndarray | None = None) -> FakeBackend:
    cars = np.zeros(SIZE, np.bool_)
    cars[RED] = cars[BLUE] = True
    for speck in specks:
        cars[speck] = True
    payload = Segmentation(np.stack([cars, ~cars]), np.ones(2, np.float32), ("car", "road"), "semantic")
    return Scripted(payload, trust)


def only(chain: Pieces, image: Image, words: str) -> tuple[Prediction, Segmentation]:
    instruction = parse(words)
    (prediction,) = chain.predict([Query(instruction.task, image, instruction.targets)])
    assert isinstance(prediction.payload, Segmentation)
    return prediction, prediction.payload


@pytest.mark.parametrize(
    ("words", "place"),
    [("segment the red car", RED), ("segment the blue car", BLUE), ("segment the leftmost car", RED),
     ("segment the smallest car", BLUE)],
)  # fmt: skip
def test_words_single_out_a_piece(picture: Image, words: str, place: tuple[slice, slice]) -> None:
    _, found = only(Pieces(segmenter()), picture, words)
    wanted = np.zeros(SIZE, np.bool_)
    wanted[place] = True
    assert (found.mode, found.labels) == ("referring", ("car",))
    assert (found.masks == wanted).all()


def test_boxes_go_round_the_pieces(picture: Image) -> None:
    (found,) = Pieces(segmenter()).predict([Query(Task.DETECT, picture, parse("find every car").targets)])
    assert isinstance(found.payload, Detections)
    assert found.payload.labels == ("car", "car")
    assert sorted(found.payload.boxes.tolist()) == [[10, 20, 40, 60], [70, 30, 100, 50]]


@pytest.mark.parametrize("unit", ["m", "relative", "disparity"])
def test_a_depth_tells_the_nearest_piece(picture: Image, unit: Any) -> None:
    """The blue car is nearer, whatever the depth is told in; sky and unknown pixels in it change nothing."""
    values = np.full(SIZE, 9.0, np.float32)
    values[RED], values[BLUE] = (2.0, 5.0) if unit == "disparity" else (5.0, 2.0)
    values[30:33, 70:100], values[33:36, 70:100] = np.nan, np.inf
    depth = FakeBackend("depth", tasks=frozenset({Task.DEPTH}), script=Answer(DepthMap(values, unit)))
    for words, place in (("segment the nearest car", BLUE), ("segment the farthest car", RED)):
        prediction, found = only(Pieces(segmenter(), depth), picture, words)
        assert found.masks[(0, *place)].all()
        assert found.masks.shape[0] == 1
        assert not any(note.startswith("unresolved") for note in prediction.notes)
    assert len(depth.calls) == 2
    only(Pieces(segmenter(), depth), picture, "segment the leftmost car")
    assert len(depth.calls) == 2, "words that go by places need no depth"


def test_a_piece_without_any_depth_leaves_nearest_untold(picture: Image) -> None:
    values = np.full(SIZE, 9.0, np.float32)
    values[BLUE] = np.nan
    depth = FakeBackend("depth", tasks=frozenset({Task.DEPTH}), script=Answer(DepthMap(values, "m")))
    prediction, found = only(Pieces(segmenter(), depth), picture, "segment the nearest car")
    assert len(found) == 2
    assert any(note.startswith("unresolved") for note in prediction.notes)


def test_without_a_depth_nearest_is_not_told(picture: Image) -> None:
    prediction, found = only(Pieces(segmenter()), picture, "segment the nearest car")
    assert len(found) == 2
    assert any(note.startswith("unresolved") for note in prediction.notes)


def test_every_piece_of_a_class_is_an_instance_with_the_trust_of_its_own_pixels(picture: Image) -> None:
    trust = np.full(SIZE, 0.5, np.float32)
    trust[BLUE] = 0.8
    prediction, found = only(Pieces(segmenter(trust=trust)), picture, "instance masks of cars")
    assert found.mode == "instance"
    assert sorted(zip(found.masks.sum((1, 2)), found.scores, strict=True)) == [
        (600, pytest.approx(0.8)),
        (1200, pytest.approx(0.5)),
    ]
    assert prediction.evidence.signals["count"] == 2
    assert prediction.evidence.signals["score"] == pytest.approx(0.5)
    assert prediction.evidence.signals["class_score"] == 0.9


def test_what_is_not_there_is_not_found_and_what_has_no_class_is_refused(picture: Image) -> None:
    chain = Pieces(segmenter())
    for words in ("segment the green car", "segment the person"):
        assert len(only(chain, picture, words)[1]) == 0
    with pytest.raises(UnsupportedTargetError, match="giraffe"):
        only(chain, picture, "segment the giraffe")


def test_a_box_means_the_piece_that_fits_it_cut_off_at_its_edges(picture: Image) -> None:
    boxes = np.float32([[68, 28, 102, 52], [10, 20, 40, 40]])
    (prediction,) = Pieces(segmenter()).predict([Query(Task.PROMPTABLE, picture, prompts=Prompts(boxes))])
    found = prediction.payload
    assert isinstance(found, Segmentation)
    blue, half = (np.zeros(SIZE, np.bool_) for _ in range(2))
    blue[BLUE] = half[20:40, 10:40] = True
    assert (found.masks == np.stack([blue, half])).all()
    assert prediction.evidence.signals["prompt_fit"] == pytest.approx(0.5)


def test_a_box_with_no_piece_in_it_gives_an_empty_mask(picture: Image) -> None:
    nothing = Scripted(
        Segmentation(np.zeros((0, *SIZE), np.bool_), np.zeros(0, np.float32), (), "semantic"), None
    )
    prompts = Prompts(np.float32([[5, 5, 20, 20]]))
    (prediction,) = Pieces(nothing).predict([Query(Task.PROMPTABLE, picture, prompts=prompts)])
    assert isinstance(prediction.payload, Segmentation)
    assert prediction.payload.masks.shape == (1, *SIZE)
    assert not prediction.payload.masks.any()
    assert prediction.evidence.signals["prompt_fit"] == 0


def test_specks_do_not_count(picture: Image) -> None:
    with_speck = segmenter((70, 110))
    assert len(only(Pieces(with_speck), picture, "instance masks of cars")[1]) == 2
    assert len(only(Pieces(with_speck, least_share=0), picture, "instance masks of cars")[1]) == 3


def test_wrong_parts_are_told_when_it_is_made() -> None:
    with pytest.raises(ProfileError, match=r"must do segment\.semantic"):
        Pieces(FakeBackend("deep", tasks=frozenset({Task.DEPTH})))
    with pytest.raises(ProfileError, match="least_share is 1"):
        Pieces(segmenter(), least_share=1)
    odd = FakeBackend(
        "classes", tasks=SEMANTIC, script=Answer(Classification(("a",), np.ones(1, np.float32)))
    )
    with pytest.raises(BackendError, match="answered classification"):
        Pieces(odd).predict([Query(Task.INSTANCE, load_image(np.zeros((8, 8, 3), np.uint8)))])


def test_the_shipped_chain_finds_things_of_scenes_that_it_never_saw() -> None:
    """Of the shipped segmenter: masks of what is referred to lie where the thing is, if roughly."""
    chain = load_profile("proving-ground").backends["pieces"]
    overlaps = []
    for item in open_source("town", "calibration").items(Task.REFERRING, 24, seed=900):
        truth = item.truth
        assert isinstance(truth, Segmentation)
        if truth.masks.sum() < 400:
            continue
        (prediction,) = chain.predict([Query(Task.REFERRING, item.image, item.instruction.targets)])
        assert isinstance(prediction.payload, Segmentation)
        mine, wanted = prediction.payload.masks.any(0), truth.masks.any(0)
        overlaps.append(float((mine & wanted).sum() / max(1, (mine | wanted).sum())))
    assert len(overlaps) >= 8
    assert np.mean(overlaps) > 0.3
