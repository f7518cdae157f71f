"""Singular and plural of what people look for in pictures."""

from __future__ import annotations

import pytest

from visionrouter.instruction.inflection import is_plural, plural, singular


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("person", "people"), ("man", "men"), ("fireman", "firemen"), ("human", "humans"), ("child", "children"),
        ("mouse", "mice"), ("goose", "geese"), ("foot", "feet"), ("knife", "knives"), ("leaf", "leaves"), ("glove", "gloves"),
        ("bus", "buses"), ("cactus", "cacti"), ("box", "boxes"), ("bench", "benches"), ("brush", "brushes"), ("dress", "dresses"),
        ("house", "houses"), ("horse", "horses"), ("vase", "vases"), ("potato", "potatoes"), ("shoe", "shoes"),
        ("lady", "ladies"), ("movie", "movies"), ("monkey", "monkeys"), ("traffic light", "traffic lights"),
        ("wine glass", "wine glasses"), ("cup of coffee", "cups of coffee"), ("passer-by", "passers-by"),
        ("police officer", "police officers"), ("octopus", "octopuses"), ("moustache", "moustaches"),
    ],
)  # fmt: skip
def test_pairs(one: str, many: str) -> None:
    assert (singular(many), plural(one), singular(one)) == (one, many, one)
    assert is_plural(many)
    assert not is_plural(one)


@pytest.mark.parametrize(
    "noun",
    ["sheep", "fish", "glasses", "scissors", "trousers", "grass", "tennis", "lens", "iris", "bus", "chess"],
)
def test_forms_that_are_no_plural(noun: str) -> None:
    assert singular(noun) == noun
    assert not is_plural(noun)
