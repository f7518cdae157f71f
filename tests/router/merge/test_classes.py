"""Pooled opinions: the linear pool keeps a minority's word, the logarithmic one lets each veto."""

import numpy as np
import pytest

from visionrouter.merge.classes import merge_classes
from visionrouter.merge.part import Part
from visionrouter.schema.payload import Classification


def said(**scores):
    return Classification(tuple(scores), np.array(list(scores.values()), np.float32))


def pool(*payloads, weights=None, how="linear"):
    parts = [Part(p, w) for p, w in zip(payloads, weights or [1] * len(payloads), strict=True)]
    return merge_classes(payloads, parts, pool=how)


def test_the_linear_pool_is_the_weighted_mean_over_all_labels():
    merged = pool(said(cat=0.7, dog=0.3), said(dog=0.6, fox=0.4), weights=[3, 1])
    assert merged.payload.labels == ("cat", "dog", "fox")
    assert merged.payload.scores == pytest.approx([0.525, 0.375, 0.1])
    assert merged.element_sources.tolist() == [0, 0, 1]
    assert merged.evidence["agreement"] == pytest.approx(0.75)


def test_the_logarithmic_pool_vetoes():
    opinions = said(cat=0.9, dog=0.1), said(dog=0.5, fox=0.45, cat=0.05)
    assert pool(*opinions).payload.labels[0] == "cat"
    sure = said(cat=0.98, dog=0.02), said(dog=0.6, fox=0.3999, cat=0.0001)
    assert pool(*sure).payload.labels[0] == "cat"
    assert pool(*sure, how="log").payload.labels[0] == "dog"


@pytest.mark.parametrize("how", ["linear", "log"])
def test_equal_opinions_are_kept_and_equals_stand_by_name(how):
    merged = pool(said(fox=0.3, cat=0.3), said(fox=0.3, cat=0.3), how=how)
    assert merged.payload.labels == ("cat", "fox")
    assert merged.payload.scores == pytest.approx([0.3, 0.3])


@pytest.mark.parametrize("how", ["linear", "log"])
def test_no_opinion_weakens_and_two_of_none_are_none(how):
    assert pool(said(cat=0.8), said(), how=how).payload.scores == pytest.approx([0.4])
    assert len(pool(said(), said(), how=how).payload) == 0
