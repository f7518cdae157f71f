"""Box arithmetic, against pycocotools and torchvision."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from visionrouter.backends.specialist.boxes import pairwise_iou, suppress

few = settings(max_examples=40, deadline=None)
corners = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 12), st.just(4)), elements=st.integers(0, 60).map(float)
)


def ordered(raw: np.ndarray) -> np.ndarray:
    low, high = np.minimum(raw[:, :2], raw[:, 2:]), np.maximum(raw[:, :2], raw[:, 2:])
    return np.concatenate([low, high + 1], 1)


@few
@given(corners, corners)
def test_iou_is_that_of_pycocotools(a: np.ndarray, b: np.ndarray) -> None:
    from pycocotools import mask

    a, b = ordered(a), ordered(b)
    as_xywh = [
        np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).astype(np.float64) for boxes in (a, b)
    ]
    np.testing.assert_allclose(pairwise_iou(a, b), mask.iou(*as_xywh, [0] * len(b)), atol=1e-5)


@few
@given(corners, st.sampled_from([0.31, 0.52, 0.73]))
def test_suppression_is_that_of_torchvision(raw: np.ndarray, iou: float) -> None:
    import torch
    from torchvision.ops import nms

    boxes = ordered(raw)
    scores = np.linspace(0.9, 0.1, len(boxes), dtype=np.float32)
    expected = nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou).numpy()
    np.testing.assert_array_equal(suppress(boxes, scores, iou), expected)


def test_boxes_without_area_overlap_nothing() -> None:
    boxes = np.zeros((2, 4), np.float32)
    assert pairwise_iou(boxes, boxes).tolist() == [[0, 0], [0, 0]]
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5).tolist() == []
