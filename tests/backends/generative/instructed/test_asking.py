"""What is said to a model that reads any words, and what its colours will mean."""

import json

import numpy as np
import pytest

from visionrouter.backends.generative.instructed.asking import ballots, plan
from visionrouter.backends.generative.instructed.wording import Wording
from visionrouter.schema.errors import ProfileError, UnsupportedTargetError
from visionrouter.schema.image import load_image
from visionrouter.schema.palette import BLACK
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Relation, RelationKind, Target, Task

IMAGE = load_image(np.zeros((48, 64, 3), np.uint8))
PALETTE = (PaletteEntry("cat", (255, 0, 0), "red"), PaletteEntry("background", (255, 255, 0), "yellow"))


def mapping(prompt: str) -> dict[str, str]:
    said: dict[str, str] = json.loads(prompt[prompt.index("{") :])
    return said


def test_a_palette_is_said_in_the_users_colours_and_black_is_the_background() -> None:
    (ask,) = plan(Query(Task.SEMANTIC, IMAGE, palette=PALETTE), Wording()).asks
    assert mapping(ask.prompt) == {"cat": "red", "background": "black"}
    assert ask.label == "background"
    assert [entry.label for entry in ask.palette] == ["cat"]


def test_a_class_in_black_gets_another_colour() -> None:
    palette = (PaletteEntry("cat", BLACK, "black"), PaletteEntry("dog", (255, 0, 0), "red"))
    (ask,) = plan(Query(Task.SEMANTIC, IMAGE, palette=palette), Wording()).asks
    assert ask.label == ""
    assert all(entry.rgb != BLACK for entry in ask.palette)
    assert len({entry.rgb for entry in ask.palette}) == 2


def test_many_classes_take_several_drawings() -> None:
    palette = tuple(PaletteEntry(f"thing {i}", (i, i, i)) for i in range(30))
    asks = plan(Query(Task.SEMANTIC, IMAGE, palette=palette), Wording(), most_classes=12).asks
    assert [len(ask.palette) for ask in asks] == [12, 12, 6]


@pytest.mark.parametrize("labels", [("cat",), ("cat", "dog", "sky")])
def test_each_ballot_has_the_same_classes_in_other_colours(labels: tuple[str, ...]) -> None:
    palette = tuple(PaletteEntry(label, (i, 1, 1)) for i, label in enumerate(labels))
    query = Query(Task.SEMANTIC, IMAGE, palette=palette, seed=3)
    rounds = ballots(query, Wording(), 8)
    assert rounds[0] == plan(query, Wording()).asks
    for (ask,) in rounds:
        assert tuple(entry.label for entry in ask.palette) == labels
        assert mapping(ask.prompt).keys() == {*labels, "background"}
    assert len({ask.prompt for (ask,) in rounds}) > 4
    assert rounds == ballots(query, Wording(), 8)


def test_targets_are_said_as_written_and_named_by_their_noun() -> None:
    target = Target("car", "the nearest red car", ("red",), (Relation(RelationKind.NEAREST),), "one")
    (ask,) = plan(Query(Task.REFERRING, IMAGE, (target,)), Wording()).asks
    assert "the nearest red car" in ask.prompt
    assert ask.label == "car"
    planned = plan(Query(Task.INSTANCE, IMAGE, (target,)), Wording())
    assert "red car" in planned.asks[0].prompt
    assert planned.notes == ("unresolved:nearest",)


def test_nothing_named_is_refused() -> None:
    for task in (Task.REFERRING, Task.SEMANTIC):
        with pytest.raises(UnsupportedTargetError, match="name"):
            plan(Query(task, IMAGE), Wording())


def test_other_words_for_a_model_that_was_tuned_on_them() -> None:
    wording = Wording({"depth": "depth map", "segment.semantic": "paint {}"}, is_grayscale=True)
    assert wording.say(Task.DEPTH) == "depth map"
    assert wording.say_palette([("sky", "blue")], "background").startswith('paint {"sky"')
    assert "gray" in Wording(is_grayscale=True).say(Task.DEPTH)
    with pytest.raises(ProfileError, match="no drawn task"):
        Wording({"detect": "boxes"})
    with pytest.raises(ProfileError, match="must hold"):
        Wording({"segment.semantic": "paint"})
