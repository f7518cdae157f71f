"""Every result goes to JSON and back without losing a bit; what breaks a payload's contract is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from visionrouter.schema.decision import Attempt, Decision, Outcome, Reason, Risk, Verdict, VerdictKind
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import (
    Classification,
    Composite,
    DepthMap,
    Detections,
    Entity,
    Intrinsics,
    NormalMap,
    Poses,
    Segmentation,
)
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.result import Candidate, Result
from visionrouter.schema.task import Operation, Task
from visionrouter.schema.wire import result_json_schema

words = st.text(min_size=1, max_size=12)
counts = st.integers(0, 4)
sides = st.integers(1, 6)
reals = st.floats(-1e6, 1e6, width=32)


def floats(shape, elements=reals):
    return hnp.arrays(np.float32, shape, elements=elements)


unit = st.floats(0, 1, width=32)


@st.composite
def boxes(draw, n):
    corners = np.sort(draw(floats((n, 2, 2))), axis=1)
    return corners.reshape(n, 4)


@st.composite
def detections(draw):
    n = draw(counts)
    return Detections(
        draw(boxes(n)), draw(floats(n, unit)), tuple(draw(st.lists(words, min_size=n, max_size=n)))
    )


@st.composite
def segmentations(draw):
    n, h, w = draw(counts), draw(sides), draw(sides)
    masks = draw(hnp.arrays(np.bool_, (n, h, w)))
    labels = tuple(draw(st.lists(words, min_size=n, max_size=n)))
    return Segmentation(
        masks, draw(floats(n, unit)), labels, draw(st.sampled_from(["instance", "referring", "promptable"]))
    )


@st.composite
def depth_maps(draw):
    shape = draw(sides), draw(sides)
    values = st.one_of(st.floats(0, 1e5, width=32), st.just(float("inf")), st.just(float("nan")))
    return DepthMap(draw(floats(shape, values)), draw(st.sampled_from(["m", "relative", "disparity"])))


@st.composite
def normal_maps(draw):
    values = draw(floats((draw(sides), draw(sides), 3), st.floats(-1, 1, width=32)))
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return NormalMap(np.where(length > 0.1, values / np.maximum(length, 0.1), np.nan).astype(np.float32))


@st.composite
def intrinsics(draw):
    height, width = draw(sides), draw(sides)
    share, light = unit | st.just(float("nan")), st.floats(0, 1e5, width=32) | st.just(float("nan"))
    number, colour = (height, width), (height, width, 3)
    return Intrinsics(
        draw(floats(colour, share)),
        draw(st.none() | floats(number, share)),
        draw(st.none() | floats(number, share)),
        draw(st.none() | floats(colour, light)),
        draw(st.none() | floats(colour, light)),
    )


@st.composite
def poses(draw):
    n, k = draw(counts), draw(st.integers(1, 3))
    names = tuple(draw(st.lists(words, min_size=k, max_size=k)))
    return Poses(
        draw(floats((n, k, 2))),
        draw(floats((n, k), unit)),
        draw(boxes(n)),
        draw(floats(n, unit)),
        names,
        ((0, k - 1),),
    )


@st.composite
def classifications(draw):
    scores = -np.sort(-draw(floats(draw(counts), unit)))
    return Classification(tuple(draw(st.lists(words, min_size=len(scores), max_size=len(scores)))), scores)


simple = st.one_of(
    detections(), segmentations(), depth_maps(), normal_maps(), intrinsics(), poses(), classifications()
)
finite = st.floats(-1e9, 1e9)
entities = st.builds(
    Entity,
    words,
    st.tuples(*[finite] * 4),
    unit,
    st.none() | finite,
    st.none() | st.tuples(finite, finite),
    st.none() | words,
)
composites = st.builds(
    Composite,
    st.sampled_from(Operation),
    words,
    st.lists(entities, max_size=3).map(tuple),
    st.dictionaries(words, simple, max_size=2),
    st.none() | hnp.arrays(np.uint8, st.tuples(sides, sides, st.just(3))),
)
attempts = st.builds(
    Attempt,
    words,
    st.sampled_from(Task),
    st.builds(Verdict, st.sampled_from(VerdictKind), st.sampled_from(Reason), words, words),
    finite,
    finite,
    signals=st.dictionaries(words, finite, max_size=3),
    weights_digest=st.none() | words,
    notes=st.lists(words, max_size=2).map(tuple),
    error=st.none() | words,
)
leaves = st.builds(
    Decision,
    words,
    st.sampled_from(Task),
    words,
    st.sampled_from(Outcome),
    st.sampled_from(Reason),
    words,
    words,
    words,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    skipped=st.lists(st.tuples(words, st.sampled_from(Reason)), max_size=2).map(tuple),
    tags=st.dictionaries(words, words, max_size=2),
)
decisions = st.builds(
    Decision,
    words,
    st.just(Task.COMPOSITE),
    words,
    st.sampled_from(Outcome),
    st.sampled_from(Reason),
    words,
    words,
    words,
    children=st.lists(leaves, max_size=2).map(tuple),
)
results = st.builds(
    Result,
    words,
    st.sampled_from(Task),
    st.sampled_from(Outcome),
    leaves | decisions,
    st.tuples(sides, sides),
    st.none() | simple | composites,
    confidence=st.none() | unit,
    risk=st.none() | st.builds(Risk, unit, unit, unit, words),
    confidence_map=st.none() | floats((2, 3), unit),
    sources=st.lists(words, max_size=2).map(tuple),
    element_sources=st.none() | hnp.arrays(np.uint8, 3),
    source_map=st.none() | hnp.arrays(np.uint8, (2, 3)),
)


@settings(max_examples=60, deadline=None)
@given(results)
def test_round_trip_is_exact(result):
    text = result.to_json()
    assert Result.from_json(text) == result
    assert Result.from_json(text).to_json() == text
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_candidates_stay_in_memory():
    payload = Classification(("cat",), np.array([0.5], np.float32))
    decision = Decision("r", Task.CLASSIFY, "", Outcome.ACCEPTED, Reason.NO_GATE, "p", "h", "default")
    plain = Result("r", Task.CLASSIFY, Outcome.ACCEPTED, decision, (1, 1), payload)
    full = Result(
        "r",
        Task.CLASSIFY,
        Outcome.ACCEPTED,
        decision,
        (1, 1),
        payload,
        candidates=(Candidate("b", Prediction(payload), Verdict(VerdictKind.ACCEPT, Reason.NO_GATE)),),
    )
    assert full.to_json() == plain.to_json()
    assert Result.from_json(full.to_json()) == full


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"request_id": 1}', "null", "{" * 5000])
def test_a_document_that_is_no_result_is_refused(text):
    with pytest.raises(SchemaError, match="result JSON"):
        Result.from_json(text)


def test_the_schema_describes_what_is_written():
    schema = result_json_schema()
    assert "candidates" not in schema["properties"]
    kinds = {
        d["properties"]["kind"]["const"]
        for d in schema["$defs"].values()
        if "kind" in d.get("properties", {}) and "const" in d["properties"]["kind"]
    }
    assert kinds == {
        *(
            "detections",
            "segmentation",
            "depth",
            "normals",
            "intrinsics",
            "poses",
            "classification",
            "composite",
        )
    }


one = np.ones(1, np.float32)
box = np.array([[0, 0, 1, 1]], np.float32)
half = np.full((2, 2, 3), 0.5, np.float32)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Detections(box.astype(np.float64), one, ("a",)), "expected float32, got float64"),
        (lambda: Detections(box, one, ()), r"expected shape \(0, 4\)"),
        (lambda: Detections(box[:, [2, 3, 0, 1]], one, ("a",)), "x1 > x2"),
        (lambda: Detections(box * np.float32("nan"), one, ("a",)), "NaN"),
        (lambda: Detections(box, one * 2, ("a",)), "0..1"),
        (
            lambda: Segmentation(np.ones((2, 3, 3), bool), np.ones(2, np.float32), ("a", "b"), "semantic"),
            "overlap",
        ),
        (lambda: Segmentation(np.ones((1, 3, 3), np.uint8), one, ("a",), "instance"), "expected bool"),
        (lambda: DepthMap(np.full((2, 2), -1, np.float32), "m"), "negative metres"),
        (lambda: NormalMap(np.ones((2, 2, 3), np.float32)), "unit length"),
        (lambda: NormalMap(np.full((2, 2, 3), np.inf, np.float32)), "infinite"),
        (lambda: Intrinsics(np.full((2, 2, 3), 1.5, np.float32)), "albedo: spans 1.5 to 1.5; it is in 0..1"),
        (lambda: Intrinsics(np.zeros((2, 2), np.float32)), "albedo: expected shape"),
        (lambda: Intrinsics(half, half), r"roughness: expected shape \(2, 2\)"),
        (lambda: Intrinsics(half, metallicity=half[:1, :, 0]), r"metallicity: expected shape \(2, 2\)"),
        (lambda: Intrinsics(half, shading=-half), "shading: spans -0.5"),
        (lambda: Intrinsics(half, residual=np.full((2, 2, 3), np.inf, np.float32)), "residual: infinite"),
        (lambda: Classification(("a", "b"), np.array([0.1, 0.9], np.float32)), "not sorted"),
        (
            lambda: Poses(
                np.zeros((1, 2, 2), np.float32), np.ones((1, 2), np.float32), box, one, ("a", "b"), ((0, 2),)
            ),
            "edge",
        ),
        (lambda: Detections([[0, 0, 1, 1]], one, ("a",)), "numpy array"),
    ],
)
def test_payloads_hold_their_contract(make, words):
    with pytest.raises(SchemaError, match=words):
        make()
