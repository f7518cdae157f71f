"""Weighted boxes fusion, held against its authors' own package."""

import numpy as np
import pytest
from ensemble_boxes import weighted_boxes_fusion
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.merge.boxes import merge_boxes
from visionrouter.merge.part import Part
from visionrouter.schema.payload import Detections

WORDS = ("car", "dog", "person")


def found(boxes, scores, labels):
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), tuple(labels))


def fuse(payloads, weights):
    return merge_boxes(payloads, [Part(p, w) for p, w in zip(payloads, weights, strict=True)])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_it_is_the_papers_fusion_where_no_source_overlaps_itself(seed):
    rng = np.random.default_rng(seed)
    cells = rng.permutation(16)[: rng.integers(1, 8)]
    true = np.array([[x, y, x + 0.2, y + 0.2] for x, y in ((c % 4 * 0.25, c // 4 * 0.25) for c in cells)])
    names = rng.integers(0, 3, len(true))
    payloads, weights = [], rng.choice([0.5, 1.0, 3.0], 3).tolist()
    for _ in weights:
        seen = np.flatnonzero(rng.random(len(true)) < 0.7)
        boxes = (true[seen] + rng.uniform(0, 0.045, (len(seen), 4))).clip(0, 1)
        payloads.append(found(boxes, rng.uniform(0.1, 1, len(seen)), [WORDS[n] for n in names[seen]]))
    merged = fuse(payloads, weights)
    boxes, scores, labels = weighted_boxes_fusion(
        [p.boxes.tolist() for p in payloads],
        [p.scores.tolist() for p in payloads],
        [[WORDS.index(label) for label in p.labels] for p in payloads],
        weights=weights,
        iou_thr=0.55,
    )
    ours = sorted(
        zip(merged.payload.labels, merged.payload.boxes.tolist(), merged.payload.scores, strict=True)
    )
    theirs = sorted(zip((WORDS[int(n)] for n in labels), boxes.tolist(), scores, strict=True))
    assert [label for label, _, _ in ours] == [label for label, _, _ in theirs]
    np.testing.assert_allclose([b for _, b, _ in ours], [b for _, b, _ in theirs], atol=1e-5)
    np.testing.assert_allclose([s for *_, s in ours], [s for *_, s in theirs], atol=1e-5)


def test_what_one_of_two_saw_is_worth_half():
    merged = fuse([found([[0, 0, 10, 10]], [0.8], ["dog"]), found([], [], [])], [1, 1])
    assert merged.payload.scores == pytest.approx([0.4])
    assert merged.contributors.tolist() == [[True, False]]
    assert merged.evidence["agreement"] == pytest.approx(0.5)


def test_labels_are_matched_by_name():
    merged = fuse([found([[0, 0, 10, 10]], [0.8], ["dog"]), found([[0, 0, 10, 10]], [0.9], ["cat"])], [1, 1])
    assert merged.payload.labels == ("cat", "dog")
    assert merged.element_sources.tolist() == [1, 0]


def test_two_boxes_of_one_source_stay_two():
    pair = found([[0, 0, 10, 10], [1, 0, 10, 10]], [0.9, 0.8], ["dog", "dog"])
    assert len(fuse([pair], [1]).payload) == 2
    merged = fuse([pair, pair], [1, 1])
    np.testing.assert_allclose(merged.payload.boxes, pair.boxes)
    assert merged.contributors.all()


def test_boxes_without_area_or_score_do_no_harm():
    nothing = found([[5, 5, 5, 5]], [0.0], ["dog"])
    merged = fuse([nothing, nothing], [1, 2])
    assert merged.payload.boxes.tolist() == [[5, 5, 5, 5]]
    assert merged.payload.scores.tolist() == [0]
