"""Which detections a target means, on scenes whose answer a person would not dispute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.instruction import parse
from visionrouter.instruction.colours import looks
from visionrouter.instruction.selection import Selection, select
from visionrouter.schema.errors import SchemaError

SIZE = (640, 480)
# A street: three cars in a row, a man with a hat behind the last, a child on a bench, a dog beside the bench.
SCENE = {
    "small car": ("car", (20, 300, 80, 340)),
    "big car": ("car", (200, 280, 360, 360)),
    "far car": ("car", (420, 300, 500, 345)),
    "man": ("person", (440, 220, 500, 340)),
    "hat": ("hat", (455, 212, 485, 230)),
    "child": ("person", (560, 330, 590, 400)),
    "bench": ("bench", (545, 380, 620, 430)),
    "dog": ("dog", (500, 395, 540, 430)),
}
NAMES = list(SCENE)
LABELS = [label for label, _ in SCENE.values()]
BOXES = np.array([box for _, box in SCENE.values()], np.float32)
DEPTHS = np.array([9, 12, 7, 11, 11, 5, 5, 4.5], np.float32)
COLOURS = np.array(
    [(190, 30, 40), (40, 60, 170), (200, 200, 205), (90, 90, 90), (30, 30, 30), (230, 200, 40), (110, 70, 40), (95, 65, 40)],
    np.float32,
)  # fmt: skip


def chosen(words: str, **known: np.ndarray) -> tuple[set[str], tuple[str, ...]]:
    selection = select(parse(f"detect {words}").targets[0], BOXES, LABELS, SIZE, **known)
    return {NAMES[i] for i in selection.indices}, selection.unresolved


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("the largest car", "big car"),
        ("the smallest car", "small car"),
        ("the leftmost car", "small car"),
        ("the car on the right", "far car"),
        ("the second car from the left", "big car"),
        ("the third car from the left", "far car"),
        ("the fourth car from the left", ""),
        ("the second largest car", "far car"),
        ("two cars on the left", "small car,big car"),
        ("the two largest cars", "big car,far car"),
        ("all cars on the left", "small car,big car"),
        ("all cars on the right", "far car"),
        ("the middle car", "big car"),
        ("cars", "small car,big car,far car"),
        ("vehicles", "small car,big car,far car"),
        ("the person on the bench", "child"),
        ("the person with a hat", "man"),
        ("the dog next to the bench", "dog"),
        ("the dog right of the bench", ""),
        ("the hat above the dog", "hat"),
        ("cars left of the hat", "small car,big car"),
        ("the car left of the largest car", "small car"),
        ("the hat of the person on the left", "hat"),
        ("the cat", ""),
    ],
)
def test_places_sizes_ranks_and_anchors(words: str, names: str) -> None:
    found, unresolved = chosen(words)
    assert found == {name for name in names.split(",") if name}
    assert unresolved == ()


def test_depth_decides_only_where_it_is_known() -> None:
    assert chosen("the nearest car", depths_m=DEPTHS) == ({"far car"}, ())
    assert chosen("the farthest car", depths_m=DEPTHS) == ({"big car"}, ())
    assert chosen("the person behind the rightmost car", depths_m=DEPTHS) == ({"man"}, ())
    assert chosen("the car in front of the person with a hat", depths_m=DEPTHS) == ({"far car"}, ())
    every = {"small car", "big car", "far car"}
    for known in ({}, {"depths_m": np.where(np.arange(8) == 1, np.nan, DEPTHS).astype(np.float32)}):
        found, unresolved = chosen("the nearest car", **known)
        assert found == every
        assert unresolved[0] == '"nearest" cannot be told: not all depths are known'


def test_colour_decides_only_where_it_is_known() -> None:
    assert chosen("the red car", colours=COLOURS) == ({"small car"}, ())
    assert chosen("blue cars", colours=COLOURS) == ({"big car"}, ())
    assert chosen("the green car", colours=COLOURS) == (set(), ())
    found, unresolved = chosen("the red car")
    assert found == {"small car", "big car", "far car"}
    assert '"red" cannot be told' in unresolved


def test_a_function_of_colours_is_asked_for_candidates_alone() -> None:
    asked: list[int] = []

    def mean(i: int) -> tuple[float, float, float]:
        asked.append(i)
        return tuple(COLOURS[i])

    target = parse("detect the yellow person").targets[0]
    assert select(target, BOXES, LABELS, SIZE, colours=mean) == Selection((NAMES.index("child"),))
    assert asked == [NAMES.index("man"), NAMES.index("child")]


@pytest.mark.parametrize(
    ("words", "found", "reason"),
    [
        ("the car", "small car,big car,far car", '"the car": 1 asked for, 3 fit'),
        ("two cars", "small car,big car,far car", '"2 cars": 2 asked for, 3 fit'),
        ("the car behind the tree", "small car,big car,far car", "no tree is among the detections"),
        ("the broken car on the left", "small car", '"broken" cannot be told'),
        ("the woman with a hat", "man", '"woman" is not told from any other person'),
        ("the largest cars", "small car,big car,far car", '"largest" does not say how many'),
    ],
)
def test_what_cannot_be_told_is_said_and_narrows_nothing(words: str, found: str, reason: str) -> None:
    names, unresolved = chosen(words)
    assert names == set(found.split(","))
    assert any(reason in sentence for sentence in unresolved)


def test_ties_are_not_broken_silently() -> None:
    boxes = np.array([(0, 0, 10, 10), (20, 0, 30, 10)], np.float32)
    selection = select(parse("detect the largest dog").targets[0], boxes, ["dog", "dog"], SIZE)
    assert selection.indices == (0, 1)
    assert "tie" in selection.unresolved[0]


def test_the_middle_of_the_row_and_of_the_image_may_differ() -> None:
    boxes = np.array([(300, 200, 340, 240), (400, 200, 440, 240), (500, 200, 540, 240)], np.float32)
    selection = select(parse("detect the middle dog").targets[0], boxes, ["dog"] * 3, SIZE)
    assert selection.indices == (0, 1)
    assert "middle" in selection.unresolved[0]


WORDS = ["the largest dog", "all dogs on the left", "two dogs", "the dog next to the cat", "the dog behind the dog", "the red dog",
         "the second dog from the top", "the dog in the middle", "dogs with cats", "the dog's cat", "the nearest dog"]  # fmt: skip
box = st.tuples(st.integers(0, 600), st.integers(0, 440), st.integers(0, 40), st.integers(0, 40))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(WORDS),
    st.lists(st.tuples(box, st.sampled_from(["dog", "cat"])), max_size=6),
    st.booleans(),
)
def test_only_detections_of_the_noun_are_chosen_and_too_many_are_explained(
    words: str, found: list[tuple[tuple[int, int, int, int], str]], depths: bool
) -> None:
    boxes = np.array([(x, y, x + w, y + h) for (x, y, w, h), _ in found], np.float32).reshape(-1, 4)
    labels = [label for _, label in found]
    target = parse(f"detect {words}").targets[0]
    depths_m = np.linspace(1, 9, len(labels), dtype=np.float32) if depths else None
    selection = select(target, boxes, labels, SIZE, depths_m=depths_m)
    assert {labels[i] for i in selection.indices} <= {target.noun}
    if target.number == "one" and len(selection.indices) > 1:
        assert selection.unresolved


@pytest.mark.parametrize(
    ("boxes", "known"),
    [
        (np.zeros((2, 4), np.float32), {}),
        (np.full((1, 4), np.nan, np.float32), {}),
        (np.zeros((1, 4), np.float32), {"depths_m": np.zeros(2, np.float32)}),
        (np.zeros((1, 4), np.float32), {"colours": np.zeros((1, 4), np.float32)}),
    ],
)
def test_shapes_are_checked(boxes: np.ndarray, known: dict[str, np.ndarray]) -> None:
    with pytest.raises(SchemaError, match="select"):
        select(parse("detect the dog").targets[0], boxes, ["dog"], SIZE, **known)


@pytest.mark.parametrize(
    ("rgb", "named", "never"),
    [
        ((200, 20, 20), "red", "green blue black white"),
        ((120, 30, 30), "dark red", "blue green"),
        ((30, 60, 200), "blue", "red yellow white"),
        ((150, 190, 240), "light blue", "red"),
        ((240, 240, 235), "white", "black red blue"),
        ((15, 15, 18), "black", "white red yellow"),
        ((128, 128, 130), "gray", "red blue green"),
        ((110, 70, 35), "brown", "blue green white"),
        ((250, 140, 20), "orange", "blue green"),
        ((240, 220, 40), "yellow", "blue red"),
        ((60, 140, 50), "green", "red blue"),
        ((130, 50, 170), "purple", "green yellow"),
        ((250, 170, 190), "pink", "green blue black"),
    ],
)
def test_colour_names(rgb: tuple[int, int, int], named: str, never: str) -> None:
    row = np.array([rgb], np.float32)
    for colour, expected in ((named, True), *((colour, False) for colour in never.split(" "))):
        seen = looks(row, colour)
        assert seen is not None
        assert bool(seen[0]) is expected, colour


def test_colours_without_a_range_are_not_guessed() -> None:
    assert looks(np.zeros((1, 3), np.float32), "transparent") is None
    assert looks(np.zeros((1, 3), np.float32), "neon green") is None
