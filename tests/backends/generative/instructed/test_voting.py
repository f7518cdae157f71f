"""Drawings in permuted colours are put to the vote, pixel by pixel."""

import numpy as np
import pytest

from visionrouter.backends.generative.asks import Ask
from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.instructed.asking import ballots
from visionrouter.backends.generative.instructed.voting import tally
from visionrouter.backends.generative.instructed.wording import Wording
from visionrouter.schema.arrays import U8
from visionrouter.schema.image import load_image
from visionrouter.schema.palette import BLACK
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Task

H, W = 40, 60
PALETTE = (PaletteEntry("sky", (0, 0, 255)), PaletteEntry("road", (255, 0, 0)))
QUERY = Query(Task.SEMANTIC, load_image(np.zeros((H, W, 3), np.uint8)), palette=PALETTE)
TRUTH = np.zeros((H, W), int)
TRUTH[20:] = 1


def drawn(ask: Ask, labels: np.ndarray) -> U8:
    return PaletteCode((*ask.palette, PaletteEntry("", BLACK))).encode(labels)


def test_the_many_outvote_the_few_and_the_share_is_told() -> None:
    rounds = ballots(QUERY, Wording(), 5)
    wrong = TRUTH.copy()
    wrong[:, :15] = 1 - wrong[:, :15]
    drawings = [[drawn(asks[0], wrong if turn < 2 else TRUTH)] for turn, asks in enumerate(rounds)]
    classes = tally(rounds, drawings)
    assert (classes.value == TRUTH).all()
    assert classes.trust[:, :15] == pytest.approx(0.6)
    assert (classes.trust[:, 15:] == 1).all()
    assert classes.signals["vote_agreement"] == pytest.approx(0.25 * 0.6 + 0.75)
    reading = classes.reading(Frame.around(W, H, 60, 4))
    assert isinstance(reading.payload, Segmentation)
    assert reading.payload.labels == ("sky", "road")
    assert reading.payload.masks[1, 22:].all()


def test_one_bad_drawing_speaks_against_all() -> None:
    rounds = ballots(QUERY, Wording(), 3)
    gray = np.full((H, W, 3), 90, np.uint8)
    good = [[drawn(asks[0], TRUTH)] for asks in rounds]
    assert tally(rounds, good).signals["code_residual"] == 0
    assert tally(rounds, [*good[:2], [gray]]).signals["code_residual"] > 0.2
