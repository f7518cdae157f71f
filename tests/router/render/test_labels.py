from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.render.canvas import Canvas, Rect
from visionrouter.render.labels import Chip, draw_chips

HOMES = st.tuples(st.integers(-60, 420), st.integers(-60, 300), st.integers(1, 300), st.integers(1, 200)).map(
    lambda v: Rect(v[0], v[1], v[0] + v[2], v[1] + v[3])
)


def chip(home: Rect, text: str = "person", centre: tuple[int, int] | None = None) -> Chip:
    return Chip(text, " 0.87", (200, 100, 0), home, centre)


@given(st.lists(st.tuples(HOMES, st.text(max_size=60)), max_size=40), st.integers(0, 12))
@settings(max_examples=25, deadline=None)
def test_labels_are_inside_and_apart(things, margin):
    canvas = Canvas(np.full((240, 360, 3), 90, np.uint8))
    canvas.margin = margin
    hidden = draw_chips(canvas, [chip(home, text) for home, text in things])
    for place in canvas.taken:
        assert margin <= place.x0 < place.x1 <= 360 - margin
        assert margin <= place.y0 < place.y1 <= 240 - margin
    assert not any(a.overlaps(b) for a, b in itertools.combinations(canvas.taken, 2))
    assert len(canvas.taken) - (len(things) - hidden) in ((0, 1) if hidden else (0,))


def test_a_label_is_drawn_where_it_is_said_to_be():
    canvas = Canvas(np.full((240, 360, 3), 90, np.uint8))
    draw_chips(canvas, [chip(Rect(100, 100, 200, 200))])
    (place,) = canvas.taken
    assert (place.x0, place.y1) == (100, 100)
    changed = (canvas.pixels() != 90).any(-1)
    inside = np.zeros_like(changed)
    inside[place.y0 : place.y1, place.x0 : place.x1] = True
    assert changed[inside].mean() > 0.9
    assert not changed[~inside].any()


def test_the_more_important_label_is_placed_first():
    canvas = Canvas(np.full((240, 360, 3), 90, np.uint8))
    draw_chips(canvas, [chip(Rect(100, 100, 200, 200), "first"), chip(Rect(100, 100, 200, 200), "second")])
    first, second = canvas.taken
    assert (first.x0, first.y1) == (100, 100)
    assert not first.overlaps(second)


def test_what_does_not_fit_is_counted():
    canvas = Canvas(np.full((120, 160, 3), 90, np.uint8))
    assert draw_chips(canvas, [chip(Rect(20, 20, 60, 60))] * 60) > 0


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_long_label_loses_its_end_and_keeps_its_score(scale):
    canvas = Canvas(np.zeros((300, 400, 3), np.uint8), scale)
    short = canvas.clip("a very long label " * 200, 150, tail=" 0.87")
    assert short.startswith("a ver")
    assert short.endswith("… 0.87")
    assert canvas.text_width(short) <= 150
    assert canvas.clip("short", 400, tail=" 0.87") == "short 0.87"


def test_lines_break_between_words():
    canvas = Canvas(np.zeros((300, 400, 3), np.uint8))
    lines = canvas.wrap("one two three four five six seven eight nine ten", 120, 2)
    assert len(lines) == 2
    assert all(canvas.text_width(line) <= 120 for line in lines)
    assert lines[1].endswith("…")
    assert canvas.wrap("élan\nvital", 400, 3) == ["elan vital"]


def test_text_grows_with_the_picture():
    sizes = [
        Canvas(np.zeros((h, w, 3), np.uint8)).font_px
        for w, h in ((1, 1), (390, 260), (640, 480), (4000, 3000))
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] == 12
    assert 90 < sizes[-1] < 150
    assert not Canvas(np.zeros((20, 30, 3), np.uint8)).takes_text
