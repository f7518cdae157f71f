"""Composites say which things were meant, and what could not be told."""

import numpy as np
import pytest

from visionrouter import Router
from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.composite import answer, plan
from visionrouter.instruction import parse
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.payload import DepthMap, Detections
from visionrouter.schema.task import Task

SIZE = (60, 80)
PIXELS = np.full((*SIZE, 3), 128, np.uint8)
PIXELS[:, 40:] = (220, 20, 20)


def scene(*rows):
    """Detections and a metric depth map of things: label, box, depth in metres or None for sky."""
    values = np.full(SIZE, 50, np.float32)
    for _, (x1, y1, x2, y2), metres in rows:
        values[y1:y2, x1:x2] = np.inf if metres is None else metres
    boxes = np.array([box for _, box, _ in rows], np.float32).reshape(-1, 4)
    found = Detections(boxes, np.full(len(rows), 0.9, np.float32), tuple(label for label, *_ in rows))
    return found, DepthMap(values, "m")


def ask(words, *rows):
    """The joined answer where both parts were accepted, and the router's own result."""
    things, depth = scene(*rows)

    def script(query):
        if query.task is Task.DEPTH:
            return Answer(depth)
        nouns = {target.noun for target in query.targets}
        kept = [i for i, label in enumerate(things.labels) if label in nouns]
        labels = tuple(things.labels[i] for i in kept)
        return Answer(Detections(things.boxes[kept], things.scores[kept], labels))

    policy = {
        "schema_version": 1,
        "name": "any",
        "default": {"route": {"try": ["any"], "accept": "always"}},
    }
    with Router([FakeBackend("only", script=script)], policy) as router:
        request = router.request(PIXELS, words)
        parts = {step.name: router.run(PIXELS, step.instruction) for step in plan(request.instruction)}
        return answer(request.instruction, request.image, parts), router.run(PIXELS, words)


def values(joined):
    return [entity.value for entity in joined.payload.entities]


NEAR_BUS = ("bus", (20, 10, 40, 50), 10)
CAR_BEHIND = ("car", (30, 5, 50, 30), 20)
CAR_BEFORE = ("car", (25, 35, 45, 55), 5)


def test_what_is_behind_an_anchor_of_another_kind_is_found():
    joined, _ = ask("how far is the car behind the bus?", NEAR_BUS, CAR_BEHIND, CAR_BEFORE)
    assert values(joined) == [20]
    assert (joined.outcome, joined.reason, joined.notes) == (Outcome.MERGED, Reason.WITHIN_LIMITS, ())


def test_a_place_and_a_depth_are_told_together():
    rows = ("car", (2, 20, 10, 30), 9), ("car", (12, 20, 18, 30), 7), ("car", (60, 20, 70, 30), 3), NEAR_BUS
    joined, _ = ask("how far is the nearest car left of the bus?", *rows)
    assert values(joined) == [7]
    assert joined.notes == ()


def test_a_colour_and_a_depth_are_told_together():
    rows = ("car", (2, 20, 20, 30), 3), ("car", (45, 20, 55, 30), 9), ("car", (60, 20, 75, 30), 8)
    joined, _ = ask("how far is the nearest red car?", *rows)
    assert values(joined) == [8]


def test_an_anchor_singled_out_by_depth_is_found():
    rows = ("dog", (0, 20, 8, 30), 4), ("dog", (44, 20, 54, 30), 6), NEAR_BUS, ("bus", (60, 10, 78, 50), 5)
    joined, _ = ask("how far is the dog next to the nearest bus?", *rows)
    assert values(joined) == [6]


@pytest.mark.parametrize(
    ("words", "rows", "said"),
    [
        ("how far is the car behind the bus?", [CAR_BEHIND, CAR_BEFORE], "no bus is among"),
        ("how far is the nearest car?", [CAR_BEFORE, ("car", (50, 5, 70, 30), None)], "depths are known"),
        ("how far is the nearest car?", [CAR_BEFORE, ("car", (50, 5, 70, 30), 5)], "a tie of 2"),
    ],
)
def test_what_depth_cannot_tell_is_said_and_degrades_the_answer(words, rows, said):
    joined, result = ask(words, *rows)
    assert len(joined.payload.entities) == 2, "all that may be meant"
    assert (joined.outcome, joined.reason) == (Outcome.DEGRADED, Reason.UNRESOLVED)
    assert all(note.startswith("unresolved:") for note in joined.notes)
    assert said in joined.notes[0]
    assert said in joined.payload.summary
    assert said in result.payload.summary


def test_a_missing_part_is_a_missing_answer():
    with Router([FakeBackend("only", tasks=frozenset({Task.DETECT}))]) as router:
        request = router.request(PIXELS, "how far is the nearest car?")
        parts = {step.name: router.run(PIXELS, step.instruction) for step in plan(request.instruction)}
    joined = answer(request.instruction, request.image, parts)
    assert joined.payload is None
    assert joined.reason is Reason.PART_MISSING


def test_only_where_depth_decides_are_all_kinds_detected():
    def things(words):
        return plan(parse(words))[0].instruction.targets

    (alone,) = things("how far is the red car left of the bus?")
    assert alone.relations
    assert alone.attributes == ("red",)
    kinds = things("how far is the nearest red car left of the bus?")
    assert [(t.noun, t.attributes, t.relations, t.number) for t in kinds] == [
        ("car", (), (), "all"),
        ("bus", (), (), "all"),
    ]
