"""What passes between processes arrives as it was sent, and nothing else is read."""

import json
import os
from dataclasses import replace
from enum import StrEnum

import numpy as np
import pytest

from visionrouter.backends.fake import ALL_TASKS, plausible
from visionrouter.backends.isolation.arena import Arena
from visionrouter.backends.isolation.codec import Landing, Packer, unpack
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import Composite
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Criticality, Prompts, Query
from visionrouter.schema.task import Operation, PaletteEntry, Relation, RelationKind, Target, Task

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
ANCHOR = Target("wall", "the wall", number=2)
QUERY = Query(
    Task.PROMPTABLE,
    load_image(PIXELS),
    (Target("dog", "the red dog", ("red",), (Relation(RelationKind.BEHIND, ANCHOR, 2),), "one"),),
    (PaletteEntry("sky", (1, 2, 255), "blue"),),
    Prompts(boxes=np.array([[0, 1, 2, 3]], np.float32)),
    7,
    "naïve \ud800",
    {"camera": "4"},
    Criticality.SAFETY,
)


def passed(value):
    packer, arena = Packer(), Arena()
    header = json.loads(json.dumps(packer.pack(value)))
    packer.write(arena.memory(packer.size))
    try:
        return unpack(header, Landing().copy(arena.memory(packer.size), packer.size))
    finally:
        arena.close()


def test_a_query_arrives_whole():
    got = passed(QUERY)
    for name in ("task", "targets", "palette", "seed", "text", "tags", "criticality"):
        assert getattr(got, name) == getattr(QUERY, name)
    assert type(got.targets) is tuple
    assert np.array_equal(got.image.pixels, PIXELS)
    assert not got.image.pixels.flags.writeable
    assert np.array_equal(got.prompts.boxes, QUERY.prompts.boxes)


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_a_prediction_arrives_whole(task):
    payload = plausible(Query(task, QUERY.image))
    trust = np.linspace(0, 1, 54, dtype=np.float32).reshape(6, 9)
    sent = Prediction(payload, Evidence({"score": 0.5, "odd": float("inf")}, trust), PIXELS, ("note",))
    assert passed(sent) == sent


def test_a_callers_own_enum_of_strings_arrives_as_its_string():
    class Camera(StrEnum):
        NORTH = "north"

    got = passed(replace(QUERY, tags={"camera": Camera.NORTH}))
    assert got.tags == {"camera": "north"}
    assert type(got.tags["camera"]) is str
    assert got.task is Task.PROMPTABLE


def test_nan_and_infinity_in_a_map_arrive():
    values = np.array([[np.nan, np.inf], [1, 2]], np.float32)
    (got,) = passed((values,))
    assert np.array_equal(got, values, equal_nan=True)


def test_arrays_out_of_order_in_memory_are_laid_straight():
    flipped = PIXELS[::-1, ::2].transpose(1, 0, 2)
    assert np.array_equal(passed(flipped), flipped)


def test_one_image_of_many_queries_is_laid_down_once():
    packer = Packer()
    packer.pack((Query(Task.DEPTH, QUERY.image), Query(Task.NORMALS, QUERY.image)))
    assert packer.size < 2 * PIXELS.nbytes


@pytest.mark.parametrize("value", [object(), np.array(["a"]), Composite(Operation.COUNT, "two")])
def test_a_type_that_is_not_ours_does_not_leave(value):
    with pytest.raises(SchemaError, match="cannot pass between processes"):
        Packer().pack(value)


@pytest.mark.parametrize(
    "header",
    [
        ["d", "Popen", ["t", "true"]],
        ["d", "DepthMap"],
        ["d", "DepthMap", ["a", "<f4", [2], 0], "m", "depth"],
        ["e", "Task", "sing"],
        ["a", "<f4", [1000], 0],
        ["a", "<f4", [-1], 0],
        ["a", "<f4", [1], -8],
        ["a", "|O", [1], 0],
        ["a", "no type", [1], 0],
        ["x"],
        [],
    ],
)
def test_what_pack_never_writes_is_not_read(header):
    with pytest.raises(SchemaError):
        unpack(header, memoryview(bytes(64)))


def test_an_arena_grows_under_both_sides_and_keeps_what_was_written():
    ours = Arena()
    theirs = Arena(os.dup(ours.fd))
    ours.memory(10)[:3] = b"abc"
    theirs.memory(5 << 20)[4 << 20] = 7
    assert ours.memory(5 << 20)[4 << 20] == 7
    assert bytes(ours.memory(10)[:3]) == b"abc"
    ours.close()
    theirs.close()


def test_memory_still_looked_at_is_not_overwritten():
    landing = Landing()
    first = landing.copy(memoryview(b"first"), 5)
    second = landing.copy(memoryview(b"other"), 5)
    assert bytes(first) == b"first"
    place = second.ctypes.data
    del second
    assert landing.copy(memoryview(b"third"), 5).ctypes.data == place
