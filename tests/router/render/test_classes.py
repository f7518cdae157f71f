from __future__ import annotations

import numpy as np

from visionrouter.render import overlay
from visionrouter.schema.payload import Classification


def blue_rows(drawn: np.ndarray) -> list[int]:
    """Bar lengths, pixels, of the runs of rows with blue in them."""
    ints = drawn.astype(int)
    lengths = ((ints[..., 2] - ints[..., 0]) > 35).sum(1)
    runs = np.split(lengths, np.flatnonzero(np.diff((lengths > 0).astype(int))) + 1)
    return [int(run.max()) for run in runs if run.max() > 0]


def test_bars_are_as_long_as_the_scores():
    scores = np.array([0.8, 0.4, 0.2], np.float32)
    lengths = blue_rows(overlay(Classification(("", "", ""), scores), np.full((400, 600, 3), 128, np.uint8)))
    assert len(lengths) == 3
    assert np.allclose(np.array(lengths) / lengths[0], scores / scores[0], atol=0.06)


def test_the_best_five_at_most():
    scores = np.linspace(0.9, 0.1, 12).astype(np.float32)
    names = tuple("" for _ in scores)
    assert len(blue_rows(overlay(Classification(names, scores), np.full((400, 600, 3), 128, np.uint8)))) == 5


def test_the_picture_is_kept_beside_the_list():
    image = np.full((400, 600, 3), 128, np.uint8)
    drawn = overlay(Classification(("tabby",), np.array([0.7], np.float32)), image)
    assert (drawn[:300] == 128).all()
    assert (drawn != 128).any()
