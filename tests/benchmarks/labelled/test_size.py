"""The size of what is asked for: the median true object's share of the image."""

import numpy as np
import pytest

from visionrouter.benchmarks.labelled.item import Item
from visionrouter.benchmarks.labelled.size import object_share
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap, Detections, Segmentation
from visionrouter.schema.task import Instruction, Task

ONES = np.ones(3, np.float32)
BOXES = np.array([[0, 0, 5, 4], [0, 0, 10, 20], [3, 3, 3, 3]], np.float32)


def masks(mode):
    shown = np.zeros((3, 20, 10), np.bool_)
    shown[0, :4, :5] = True
    shown[1, 4:, :] = True
    return Segmentation(shown, ONES, ("cat", "cat", "dog"), mode)


@pytest.mark.parametrize(
    ("truth", "share"),
    [
        (Detections(BOXES, ONES, ("cat",) * 3), 0.55),  # of 0.1 and 1; an empty box is not there
        (masks("instance"), 0.45),
        (masks("semantic"), None),
        (DepthMap(np.ones((20, 10), np.float32), "m"), None),
        (Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ()), None),
    ],
)
def test_object_share(truth, share):
    image = load_image(np.zeros((20, 10, 3), np.uint8))
    found = object_share(Item("i", "s", image, Instruction(Task.DETECT, "detect"), truth))
    assert found == (None if share is None else pytest.approx(share))
