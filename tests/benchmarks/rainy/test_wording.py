"""Questions in other words ask the same; a slip of the pen is one slip; nothing is nothing."""

import numpy as np
import pytest

from visionrouter.benchmarks.labelled.item import Item
from visionrouter.benchmarks.labelled.opening import open_source
from visionrouter.benchmarks.rainy.wording import is_nothing, missing, misspell, paraphrase, wordings_of
from visionrouter.instruction import parse
from visionrouter.instruction.parser import without_text
from visionrouter.schema.errors import InstructionError
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap, Segmentation
from visionrouter.schema.task import Task

EMPTY = Segmentation(np.zeros((1, 8, 8), np.bool_), np.ones(1, np.float32), ("ball",), "referring")
PIXELS = load_image(np.zeros((8, 8, 3), np.uint8))


@pytest.fixture(scope="module")
def items():
    source = open_source("town", "calibration")
    return {task: list(source.items(task, 6)) for task in (Task.DEPTH, Task.REFERRING, Task.DETECT)}


def test_most_paraphrases_are_understood_as_what_they_say(items):
    asked = [item for some in items.values() for item in some]
    same = 0
    for item in asked:
        words = paraphrase(item)
        assert words != item.instruction.text
        try:
            same += without_text(parse(words)) == without_text(item.instruction)
        except InstructionError:
            continue
    assert same / len(asked) >= 0.8


def test_a_paraphrase_is_the_same_whenever_it_is_asked_for(items):
    assert [paraphrase(i) for i in items[Task.REFERRING]] == [paraphrase(i) for i in items[Task.REFERRING]]
    assert len({paraphrase(i).split()[0] for i in items[Task.REFERRING]}) > 1


def test_a_slip_exchanges_two_letters_inside_one_word(items):
    for item in items[Task.REFERRING]:
        text, slip = item.instruction.text, misspell(item)
        off = [i for i, (a, b) in enumerate(zip(text, slip, strict=True)) if a != b]
        assert len(off) == 2
        assert off[1] == off[0] + 1
        assert text[off[0]] == slip[off[1]]
        assert text[off[0] - 1].isalpha()


def asked_in_vain(words, truth=EMPTY):
    return Item("i", "s", PIXELS, parse(words), truth)


def test_a_missing_class_is_told_from_a_missing_colour():
    assert missing(asked_in_vain("segment the ball")) == "absent"
    assert missing(asked_in_vain("segment the red ball")) == "wrong_colour"
    there = Segmentation(np.ones((1, 8, 8), np.bool_), np.ones(1, np.float32), ("ball",), "referring")
    assert missing(asked_in_vain("segment the ball", there)) is None


def test_only_a_thing_that_was_asked_for_can_be_nowhere():
    assert is_nothing(EMPTY)
    assert not is_nothing(DepthMap(np.ones((8, 8), np.float32), "m"))
    classes = Segmentation(np.zeros((1, 8, 8), np.bool_), np.ones(1, np.float32), ("road",), "semantic")
    assert not is_nothing(classes), "a class of the palette may be absent; the answer is then all the rest"


def test_palettes_and_prompts_have_no_other_words():
    assert wordings_of(Task.SEMANTIC) == wordings_of(Task.PROMPTABLE) == ()
    assert "wrong_colour" not in wordings_of(Task.DEPTH)
