import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from visionrouter.backends.generative.nano.asking import plan
from visionrouter.backends.generative.nano.folder import WeightsFolder
from visionrouter.backends.generative.nano.vocabulary import Vocabulary
from visionrouter.schema.errors import UnsupportedTargetError, WeightsError
from visionrouter.schema.image import load_image
from visionrouter.schema.palette import NAMED_COLOURS
from visionrouter.schema.request import Query
from visionrouter.schema.task import Palette, PaletteEntry, Relation, RelationKind, Target, Task

IMAGE = load_image(np.zeros((4, 4, 3), np.uint8))


def target(noun: str, *attributes: str, relation: Relation | None = None, number: str = "one") -> Target:
    relations = () if relation is None else (relation,)
    return Target(noun, " ".join([*attributes, noun]), attributes, relations, number)  # type: ignore[arg-type]


def query(task: Task, *targets: Target, palette: Palette = ()) -> Query:
    return Query(task, IMAGE, targets, palette)


def paint(**colours: str) -> Palette:
    return tuple(
        PaletteEntry(label.replace("_", " "), NAMED_COLOURS[name]) for label, name in colours.items()
    )


@pytest.mark.parametrize(
    ("asked", "prompts"),
    [
        (query(Task.DEPTH), ["depth map"]),
        (query(Task.NORMALS), ["surface normals"]),
        (query(Task.POSE), ["pose keypoints"]),
        (query(Task.POSE, target("woman")), ["pose keypoints"]),
        (query(Task.INSTANCE, target("car"), target("dog")), ["instances of car", "instances of dog"]),
        (query(Task.REFERRING, target("car", "red")), ["segment the red car"]),
        (query(Task.REFERRING, target("automobile", number="all")), ["segment every car"]),
        (
            query(Task.REFERRING, target("dog", relation=Relation(RelationKind.LEFTMOST, rank=2))),
            ["segment the second dog from the left"],
        ),
        (
            query(
                Task.REFERRING, target("pup", relation=Relation(RelationKind.LEFT_OF, target("auto", "red")))
            ),
            ["segment the dog left of the red car"],
        ),
        (
            query(Task.SEMANTIC, palette=paint(sky="cyan", car="red")),
            ["semantic segmentation: sky = cyan, car = red"],
        ),
        (
            query(Task.SEMANTIC, palette=paint(car="red", background="yellow")),
            ["semantic segmentation: car = red"],
        ),
    ],
)
def test_what_the_model_is_told(vocabulary: Vocabulary, asked: Query, prompts: list[str]) -> None:
    assert [ask.prompt for ask in plan(asked, vocabulary).asks] == prompts


def test_a_folder_may_bring_its_own_words_and_joints(tmp_path: Path, vocabulary: Vocabulary) -> None:
    own = {
        "stuff": ["sky"], "things": ["car"], "colours": [], "max_classes": 1,
        "wording": {"depth": "tell the depth", "segment.semantic": "classes {}", "pair": "{} {}", "joiner": " "},
        "pose": {"joints": ["head", "hip"], "colours": [[255, 0, 0], [0, 255, 0]], "edges": [[0, 1]]},
    }  # fmt: skip
    (tmp_path / "vocabulary.json").write_text(json.dumps(own))
    own_words = Vocabulary.read(WeightsFolder(tmp_path))
    assert plan(query(Task.DEPTH), own_words).asks[0].prompt == "tell the depth"
    chunks = plan(query(Task.SEMANTIC, palette=paint(sky="cyan", car="red")), own_words).asks
    assert [ask.prompt for ask in chunks] == ["classes sky cyan", "classes car red"]
    assert own_words.pose.joints == ("head", "hip")
    assert own_words.phrases[Task.NORMALS] == vocabulary.phrases[Task.NORMALS]


def test_a_palette_that_cannot_be_said_is_drawn_in_other_colours(vocabulary: Vocabulary) -> None:
    unnamed = (PaletteEntry("sky", (1, 2, 3)), PaletteEntry("car", (0, 0, 0)))
    (ask,) = plan(query(Task.SEMANTIC, palette=unnamed), vocabulary).asks
    assert [entry.label for entry in ask.palette] == ["sky", "car"]
    said = {entry.rgb for entry in ask.palette}
    assert len(said) == 2
    assert said <= set(NAMED_COLOURS.values()) - {(0, 0, 0)}


def test_a_broad_word_takes_every_class_it_means(vocabulary: Vocabulary) -> None:
    drawn = plan(query(Task.SEMANTIC, palette=paint(vehicle="red", sky="cyan")), vocabulary)
    assert [entry.label for entry in drawn.asks[0].palette] == ["vehicle", "vehicle", "vehicle", "sky"]
    assert len({entry.rgb for entry in drawn.asks[0].palette}) == 4
    masks = plan(query(Task.REFERRING, target("vehicle")), vocabulary).asks
    assert [ask.prompt.split()[-1] for ask in masks] == ["car", "bus", "truck"]
    assert {ask.target for ask in masks} == {0}


def test_a_class_named_by_its_own_word_is_that_class_alone(tmp_path: Path) -> None:
    names = {"stuff": [], "things": ["chair", "couch", "bench", *"abcdefg"], "colours": []}
    (tmp_path / "vocabulary.json").write_text(json.dumps(names))
    furniture = Vocabulary.read(WeightsFolder(tmp_path))
    (ask,) = plan(query(Task.SEMANTIC, palette=paint(chair="red", couch="cyan")), furniture).asks
    assert [entry.label for entry in ask.palette] == ["chair", "couch"]
    (ask,) = plan(
        query(Task.REFERRING, target("chair", relation=Relation(RelationKind.NEAREST))), furniture
    ).asks
    assert ask.prompt == "segment the nearest chair"


def test_nothing_named_means_all_classes(vocabulary: Vocabulary) -> None:
    everything = plan(query(Task.SEMANTIC), vocabulary).asks
    assert [entry.label for ask in everything for entry in ask.palette] == [*vocabulary.classes]
    assert len(plan(query(Task.INSTANCE), vocabulary).asks) == len(vocabulary.things)


def test_what_is_lost_is_noted(vocabulary: Vocabulary) -> None:
    assert plan(query(Task.INSTANCE, target("woman")), vocabulary).notes == ("specificity_lost:woman",)
    left = target("person", "tall", relation=Relation(RelationKind.LEFTMOST))
    assert plan(query(Task.POSE, left), vocabulary).notes == ("unresolved:tall", "unresolved:leftmost")
    assert plan(query(Task.DEPTH, left), vocabulary).notes == ()


@pytest.mark.parametrize(
    "asked",
    [
        query(Task.REFERRING, target("zebra")),
        query(Task.REFERRING, target("car", "striped")),
        query(Task.REFERRING, target("car", relation=Relation(RelationKind.WITH, target("dog")))),
        query(Task.REFERRING, target("vehicle", relation=Relation(RelationKind.NEAREST))),
        query(Task.REFERRING, target("car", relation=Relation(RelationKind.LEFT_OF, target("zebra")))),
        query(Task.REFERRING),
        query(Task.REFERRING, target("object")),
        query(Task.INSTANCE, target("sky")),
        query(Task.POSE, target("car")),
        query(Task.SEMANTIC, palette=paint(zebra="red")),
        query(Task.SEMANTIC, palette=paint(person="red", woman="cyan")),
        query(Task.SEMANTIC, palette=paint(background="red")),
    ],
    ids=lambda asked: f"{asked.task.value}-{len(asked.targets)}",
)
def test_what_the_model_does_not_know_is_refused(vocabulary: Vocabulary, asked: Query) -> None:
    with pytest.raises(UnsupportedTargetError):
        plan(asked, vocabulary)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stuff": 3, "things": [], "colours": []}'])
def test_a_damaged_vocabulary_is_a_weights_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "vocabulary.json").write_text(text)
    with pytest.raises(WeightsError, match=r"vocabulary\.json"):
        Vocabulary.read(WeightsFolder(tmp_path))


def test_a_prompt_never_changes_with_the_image(vocabulary: Vocabulary) -> None:
    asked = query(Task.SEMANTIC)
    other = dataclasses.replace(asked, image=load_image(np.full((9, 5, 3), 7, np.uint8)))
    assert plan(asked, vocabulary) == plan(other, vocabulary)
