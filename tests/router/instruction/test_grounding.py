"""Targets on the closed vocabularies of real backends."""

from __future__ import annotations

import pytest

from visionrouter.instruction import parse
from visionrouter.instruction.grounding import Grounding, ground
from visionrouter.instruction.inflection import plural, singular
from visionrouter.schema.task import Target

COCO = tuple(
    """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,bench,
    bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,
    sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,
    bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,
    toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,
    teddy bear,hair drier,toothbrush""".replace("\n    ", "").split(",")
)
SCENES = ("sky", "grass", "road", "building", "tree", "car", "person", "cone", "ball", "crate", "post")


def grounded(words: str, labels: tuple[str, ...] = COCO) -> Grounding:
    return ground(parse(f"detect {words}").targets[0], labels)


@pytest.mark.parametrize("label", COCO)
def test_every_label_means_itself_in_both_numbers(label: str) -> None:
    for noun in (singular(label), singular(plural(singular(label)))):
        found = ground(Target(noun, noun), COCO)
        assert found.exact
        assert label in found.labels


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ("people", "person"), ("humans", "person"), ("the bike", "bicycle"), ("sofas", "couch"), ("the telly", "tv"),
        ("my phone", "cell phone"), ("motorbikes", "motorcycle"), ("aeroplanes", "airplane"), ("a lorry", "truck"),
        ("the fridge", "refrigerator"), ("rucksacks", "backpack"), ("doughnuts", "donut"), ("wine glasses", "wine glass"),
        ("glasses of wine", "wine glass"), ("hot dogs", "hot dog"), ("balls", "sports ball"), ("skis", "skis"),
        ("vehicles", "bicycle,car,motorcycle,airplane,bus,train,truck,boat"),
        ("animals", "bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe"),
        ("cutlery", "fork,knife,spoon"), ("fruit", "banana,apple,orange"), ("farm animals", "horse,sheep,cow"),
        ("luggage", "backpack,handbag,suitcase"), ("the fluffy dog", "dog"),
    ],
)  # fmt: skip
def test_synonyms_and_kinds(words: str, labels: str) -> None:
    assert grounded(words) == Grounding(
        tuple(label for label in COCO if label in labels.split(",")), exact=True
    )


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("women", "person"), ("the man", "person"), ("pedestrians", "person"), ("babies", "person"), ("the puppy", "dog"),
        ("kittens", "cat"), ("taxis", "car"), ("police cars", "car"), ("a beer mug", "cup"),
        ("the cup of tea", "cup"), ("football players", "person"), ("footballs", "sports ball"), ("pigeons", "bird"), ("armchairs", "chair"),
    ],
)  # fmt: skip
def test_broader_labels_are_marked(words: str, label: str) -> None:
    assert grounded(words) == Grounding((label,), exact=False)


@pytest.mark.parametrize(
    "words", ["unicorns", "the helmet", "trees", "toy cars", "guinea pigs", "shadows", "the thingamajig"]
)
def test_what_has_no_label_has_none(words: str) -> None:
    assert grounded(words).labels == ()


def test_the_classes_of_the_proving_ground() -> None:
    assert grounded("traffic cones", SCENES).labels == ("cone",)
    assert grounded("the pole", SCENES).labels == ("post",)
    assert grounded("the street", SCENES).labels == ("road",)
    assert grounded("houses", SCENES) == Grounding(("building",), exact=False)
    assert grounded("vegetation", SCENES).labels == ("grass", "tree")


def test_descriptions_as_in_imagenet() -> None:
    labels = ("tench, Tinca tinca", "tabby, tabby cat", "golden retriever", "Great Pyrenees", "lion, king of beasts", "hotdog, hot dog",
              "cassette player", "mouse, computer mouse", "cellular telephone, cellular phone")  # fmt: skip
    assert grounded("dogs", labels).labels == ("golden retriever", "Great Pyrenees")
    assert grounded("puppies", labels) == Grounding(("golden retriever", "Great Pyrenees"), exact=False)
    assert grounded("animals", labels).labels == labels[:5]
    assert grounded("people", labels).labels == ()
    assert grounded("the phone", labels).labels == (labels[-1],)


def test_objects_mean_everything_and_names_are_compared_loosely() -> None:
    assert grounded("objects on the table").labels == COCO
    assert grounded("traffic lights", ("Traffic_Light", "Cars")).labels == ("Traffic_Light",)
    assert grounded("cars", ("Traffic_Light", "Cars", "Cars")).labels == ("Cars",)
