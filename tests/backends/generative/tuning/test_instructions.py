"""What is written about a picture is true of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.backends.generative.nano.prompts import target_words
from visionrouter.backends.generative.tuning.facts import Facts, measure
from visionrouter.backends.generative.tuning.instructions import (
    PAINTS,
    Written,
    fixed_palette,
    instance_colour,
    write,
)
from visionrouter.backends.generative.tuning.labelled import TASKS, Labelled, Source, Vocabulary
from visionrouter.backends.generative.tuning.referring import Meant, Scene, about, absent
from visionrouter.schema.palette import NAMED_COLOURS
from visionrouter.schema.task import RelationKind, Task

CPU = torch.device("cpu")
COUNTS = dict.fromkeys(TASKS, 6)
MIRRORED = {RelationKind.LEFTMOST: RelationKind.RIGHTMOST, RelationKind.LEFT_OF: RelationKind.RIGHT_OF}
MIRRORED |= {there: here for here, there in MIRRORED.items()}

seeds = st.integers(0, 5000)


def scene(source: Source, seed: int, mirrored: bool = False) -> tuple[Scene, Labelled]:
    pictures = source.pictures(seed, 1, 32, CPU)
    facts = measure(pictures, source.vocabulary)
    return Scene(facts.mirrored() if mirrored else facts, 0, source.vocabulary), pictures


def targets(some: Scene) -> Iterator[Meant]:
    for thing in np.unique(some.thing[some.clear]):
        yield from about(some, int(thing), np.random.default_rng(0))


def test_facts_are_counted_pixels(boxes: Source) -> None:
    pictures = boxes.pictures(7, 1, 32, CPU)
    facts = measure(pictures, boxes.vocabulary)
    for region in range(boxes.vocabulary.regions):
        mask = pictures.region[0].numpy() == region
        assert facts.area[0, region] == pytest.approx(mask.mean())
        if mask.any():
            ys, xs = np.nonzero(mask)
            assert facts.x[0, region] == pytest.approx((xs + 0.5).mean() / 32, abs=1e-5)
            assert facts.y[0, region] == pytest.approx((ys + 0.5).mean() / 32, abs=1e-5)
            depth = pictures.depth_m[0].float().numpy()[mask]
            finite = depth[np.isfinite(depth)]
            expected = finite.mean() if len(finite) else np.nan
            assert facts.depth_m[0, region] == pytest.approx(expected, rel=1e-3, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_superlatives_win_clearly(boxes: Source, seed: int) -> None:
    some, _ = scene(boxes, seed)
    axes = {
        RelationKind.LEFTMOST: some.x, RelationKind.RIGHTMOST: -some.x, RelationKind.TOPMOST: some.y,
        RelationKind.BOTTOMMOST: -some.y, RelationKind.NEAREST: some.depth_m, RelationKind.FARTHEST: -some.depth_m,
        RelationKind.SMALLEST: some.area, RelationKind.LARGEST: -some.area,
    }  # fmt: skip
    for meant in targets(some):
        for relation in meant.target.relations:
            if relation.kind in axes and not meant.target.attributes:
                (region,) = meant.regions
                thing = some.vocabulary.things.index(meant.target.noun)
                values = axes[relation.kind]
                order = sorted(some.clear_of(thing), key=lambda k: values[k])
                assert order[relation.rank - 1] == region - some.first_object
                assert all(values[k] > values[order[relation.rank - 1]] for k in order[relation.rank :])


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_a_mirrored_picture_means_the_same_things_on_the_other_side(boxes: Source, seed: int) -> None:
    def said(some: Scene, swap: bool) -> set[tuple[str, str, int, frozenset[int]]]:
        out = set()
        for meant in targets(some):
            for relation in meant.target.relations:
                kind = MIRRORED.get(relation.kind, relation.kind) if swap else relation.kind
                if relation.anchor is None:
                    name = " ".join([*meant.target.attributes, meant.target.noun])
                    out.add((name, kind.value, relation.rank, meant.regions))
        return out

    assert said(scene(boxes, seed)[0], swap=True) == said(scene(boxes, seed, mirrored=True)[0], swap=False)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_what_is_absent_is_not_there(boxes: Source, seed: int) -> None:
    some, _ = scene(boxes, seed)
    meant = absent(some, np.random.default_rng(seed))
    assert not meant.regions
    target_words(meant.target)
    if meant.target.noun in some.vocabulary.things:
        thing = some.vocabulary.things.index(meant.target.noun)
        colours = [some.vocabulary.colours.index(word) for word in meant.target.attributes]
        assert not some.of(thing, colours[0] if colours else None)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_writing_is_a_function_of_seed_and_picture(boxes: Source, seed: int) -> None:
    facts = measure(boxes.pictures(seed, 1, 32, CPU), boxes.vocabulary)

    def words(number: int) -> list[tuple[str, bytes]]:
        return [(w.words, w.colours.tobytes()) for w in write(facts, number, boxes.vocabulary, COUNTS, 3)]

    assert words(5) == words(5)
    assert words(5) != words(6)


def written(source: Source, seed: int, **changed: np.ndarray) -> tuple[Facts, list[Written]]:
    facts = measure(source.pictures(seed, 1, 32, CPU), source.vocabulary)
    for name, value in changed.items():
        facts = Facts(**{**vars(facts), name: value})
    return facts, write(facts, 0, source.vocabulary, COUNTS, 0)


def test_only_what_labels_answer_is_asked(boxes: Source) -> None:
    answers = np.array([[task is Task.REFERRING for task in TASKS]])
    assert {w.task for w in written(boxes, 1, answers=answers)[1]} == {Task.REFERRING}


def test_half_of_the_instructions_are_for_the_mirrored_picture(boxes: Source) -> None:
    _, some = written(boxes, 1)
    for task in {w.task for w in some}:
        assert [w.mirrored for w in some if w.task is task] == [False] * 3 + [True] * 3


def test_fixed_palettes_never_share_a_colour() -> None:
    vocabulary = Vocabulary(tuple("abcdefgh"), tuple("ijklmnopqrstuvwxyz"), (), 1)
    labels = [*"abcdefghijklmno"]
    paints = [paint for _, paint in fixed_palette(labels, vocabulary)]
    assert len(set(paints)) == len(labels) == len(PAINTS)
    assert set(paints) <= NAMED_COLOURS.keys() - {"black"}


@settings(max_examples=50, deadline=None)
@given(x=st.floats(0, 1), y=st.floats(0, 1))
def test_instance_colours_are_never_dark(x: float, y: float) -> None:
    assert all(63 <= level <= 255 for level in instance_colour(x, y))
