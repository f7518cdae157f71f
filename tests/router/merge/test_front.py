"""What every merger keeps to: order does not matter, equal answers come back, nothing is invented."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visionrouter.merge.front import merge
from visionrouter.merge.part import Part
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import (
    Classification,
    Composite,
    DepthMap,
    Detections,
    Poses,
    Segmentation,
)
from visionrouter.schema.task import Operation

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEEDS = st.integers(0, 2**32 - 1)


def draw_parts(make, seed, n=None, maps=True):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5)) if n is None else n
    return [
        Part(
            make(rng),
            float(rng.choice([0.5, 1.0, 1.0, 2.0])),
            rng.random((24, 32)).astype(np.float32) if maps and rng.random() < 0.5 else None,
        )
        for _ in range(n)
    ]


def close(a, b):
    assert type(a) is type(b)
    for name in a.__dataclass_fields__:
        x, y = getattr(a, name), getattr(b, name)
        if isinstance(x, np.ndarray):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)
        else:
            assert x == y, name


@quick
@given(seed=SEEDS, shuffle=SEEDS)
def test_the_order_of_the_parts_does_not_matter(make, seed, shuffle):
    parts = draw_parts(make, seed)
    order = np.random.default_rng(shuffle).permutation(len(parts))
    one, other = merge(parts), merge([parts[i] for i in order])
    assert one.payload == other.payload
    assert one.evidence == pytest.approx(other.evidence)
    if one.contributors is not None:
        assert np.array_equal(one.contributors[:, order], other.contributors)
    if one.source_map is not None and len({p.weight for p in parts}) == len(parts):
        assert np.array_equal(one.source_map, order[other.source_map])


@quick
@given(seed=SEEDS, n=st.integers(1, 4))
def test_equal_answers_come_back_as_they_are(make, seed, n):
    (part,) = draw_parts(make, seed, 1)
    merged = merge([part] * n)
    assert merged.evidence["agreement"] == pytest.approx(1)
    assert merged.notes == ()
    if isinstance(part.payload, Detections | Segmentation | Poses | Classification):
        merged_by = _sorted(merged.payload)
        close(merged_by, _sorted(part.payload))
    else:
        close(merged.payload, part.payload)
    if merged.source_map is not None and part.confidence_map is not None:
        known = merged.confidence_map > 0
        np.testing.assert_allclose(merged.confidence_map[known], part.confidence_map[known], atol=1e-5)


def _sorted(payload):
    """Elements in one order: a merged answer is best first."""
    if isinstance(payload, Segmentation) and payload.mode in ("semantic", "promptable"):
        return payload
    if isinstance(payload, Classification):
        order = sorted(range(len(payload)), key=lambda i: (-payload.scores[i], payload.labels[i]))
        return Classification(tuple(payload.labels[i] for i in order), payload.scores[order])
    rows = payload.boxes.tolist()
    labels = getattr(payload, "labels", ("",) * len(payload))
    order = sorted(range(len(payload)), key=lambda i: (-float(payload.scores[i]), labels[i], rows[i]))
    if isinstance(payload, Detections):
        return Detections(payload.boxes[order], payload.scores[order], tuple(labels[i] for i in order))
    if isinstance(payload, Segmentation):
        picked = tuple(labels[i] for i in order)
        return Segmentation(payload.masks[order], payload.scores[order], picked, payload.mode)
    return Poses(
        payload.keypoints[order],
        payload.keypoint_scores[order],
        payload.boxes[order],
        payload.scores[order],
        payload.names,
        payload.edges,
    )


def held(parts, merged):
    """What was given, and the answer: with its numbers of sources and its trust in range."""
    if merged.source_map is not None:
        assert merged.source_map.max() < len(parts)
    if merged.confidence_map is not None:
        assert 0 <= merged.confidence_map.min() <= merged.confidence_map.max() <= 1
    return [part.payload for part in parts], merged.payload


@quick
@given(
    seed=SEEDS,
    kind=st.sampled_from(["detections", "instance", "referring", "promptable", "poses", "classes"]),
)
def test_no_thing_is_invented(makers, seed, kind):
    parts = draw_parts(makers[kind], seed)
    merged = merge(parts)
    payloads, answer = held(parts, merged)
    assert merged.contributors.any(1).all()
    assert all(merged.contributors[i, s] for i, s in enumerate(merged.element_sources))
    if isinstance(answer, Poses):
        assert set(answer.names) == {name for p in payloads for name in p.names}
    else:
        for i, label in enumerate(answer.labels):
            assert label in payloads[merged.element_sources[i]].labels
    if isinstance(answer, Segmentation):
        assert not (answer.masks.any(0) & ~np.any([p.masks.any(0) for p in payloads], 0)).any()
    if isinstance(answer, Detections | Poses) and len(answer):
        corners = np.concatenate([p.boxes for p in payloads])
        assert (answer.boxes.min(0) >= corners.min(0)).all()
        assert (answer.boxes.max(0) <= corners.max(0)).all()


@quick
@given(seed=SEEDS)
def test_no_class_is_invented(makers, seed):
    payloads, answer = held(parts := draw_parts(makers["semantic"], seed), merge(parts))
    assert set(answer.labels) == {label for p in payloads for label in p.labels}
    for label, mask in zip(answer.labels, answer.masks, strict=True):
        said = [p.masks[p.labels.index(label)] for p in payloads if label in p.labels]
        assert not (mask & ~np.any(said, 0)).any()


@quick
@given(seed=SEEDS)
def test_no_depth_is_invented(makers, seed):
    payloads, answer = held(parts := draw_parts(makers["metres"], seed), merge(parts))
    stack = np.array([p.values for p in payloads])
    low, high = np.fmin.reduce(stack), np.fmax.reduce(stack)
    known = ~np.isnan(answer.values)
    assert np.array_equal(known, ~np.isnan(low))
    assert (answer.values[known] >= low[known] * 0.9999).all()
    assert (answer.values[known] <= high[known] * 1.0001).all()
    assert not (np.isposinf(answer.values) & ~np.isposinf(stack).any(0)).any()
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.nanmin(np.abs(np.log(stack / answer.values)), 0, initial=9)
    assert (apart[np.isfinite(answer.values)] <= np.log(1.25) + 1e-5).all(), (
        "a depth that some source is near to"
    )


@quick
@given(seed=SEEDS)
def test_no_direction_is_invented(makers, seed):
    payloads, answer = held(parts := draw_parts(makers["normals"], seed), merge(parts))
    stack = np.array([p.values for p in payloads])
    known = np.isfinite(answer.values).all(-1)
    assert np.array_equal(known, np.isfinite(stack).all(-1).any(0))
    assert (np.nan_to_num((stack * answer.values).sum(-1), nan=-1).max(0)[known] >= 0.49).all()


def test_parts_that_answer_different_questions_are_refused(makers):
    rng = np.random.default_rng(0)
    with pytest.raises(SchemaError, match="different tasks"):
        merge([Part(makers["detections"](rng)), Part(makers["metres"](rng))])
    with pytest.raises(SchemaError, match="modes"):
        merge([Part(makers["instance"](rng)), Part(makers["semantic"](rng))])
    with pytest.raises(SchemaError, match="0 parts"):
        merge([])
    with pytest.raises(SchemaError, match="Composite does not merge"):
        merge([Part(Composite(Operation.COUNT, "1 x dog"))])


def test_parts_of_different_sizes_are_refused(makers):
    small = DepthMap(np.ones((4, 4), np.float32), "m")
    with pytest.raises(SchemaError, match="sizes"):
        merge([Part(makers["metres"](np.random.default_rng(0))), Part(small)])
    with pytest.raises(SchemaError, match="confidence_map"):
        merge([Part(small, 1.0, np.ones((5, 4), np.float32))])


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_is_a_positive_number(weight):
    with pytest.raises(SchemaError, match="weight"):
        Part(DepthMap(np.ones((4, 4), np.float32), "m"), weight)
