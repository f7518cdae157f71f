"""Normals: the mean direction, and the lead's where there is none between."""

import numpy as np
import pytest

from visionrouter.merge.front import merge
from visionrouter.merge.part import Part
from visionrouter.schema.payload import NormalMap


def facing(*vector, size=(4, 6)):
    made = np.zeros((*size, 3), np.float32)
    made[:] = np.array(vector) / np.linalg.norm(vector)
    return NormalMap(made)


def test_the_mean_lies_between_and_its_length_is_the_agreement():
    merged = merge([Part(facing(0, 0, 1)), Part(facing(1, 0, 0))])
    assert merged.payload.values[0, 0] == pytest.approx([2**-0.5, 0, 2**-0.5])
    assert merged.evidence["disagreement"] == pytest.approx(1 - 2**-0.5)


def test_opposite_normals_have_no_mean():
    merged = merge([Part(facing(0, 0, 1), 1), Part(facing(0.1, 0, -1), 2)])
    assert merged.payload == facing(0.1, 0, -1)
    assert (merged.source_map == 1).all()
    assert merged.evidence["agreement"] < 0.7


def test_what_one_does_not_know_is_the_others():
    blind = facing(0, 0, 1)
    blind.values[:, :3] = np.nan
    merged = merge([Part(blind, 5), Part(facing(0, 1, 0))])
    assert merged.payload.values[0, 0] == pytest.approx([0, 1, 0])
    assert (merged.source_map[:, :3] == 1).all()
