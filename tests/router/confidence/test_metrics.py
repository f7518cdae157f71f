"""Figures of merit are those of the books, whatever the order of the rows."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from visionrouter.confidence.metrics import (
    aurc,
    auroc,
    brier,
    ece,
    excess_aurc,
    reliability,
    risk_coverage,
    sparsification,
)

samples = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 12), min_size=n, max_size=n).map(lambda v: np.array(v) / 12),
        st.lists(st.booleans(), min_size=n, max_size=n).map(np.array),
        st.randoms(use_true_random=False),
    )
)


@settings(max_examples=40)
@given(samples)
def test_auroc_and_brier_are_sklearns(sample):
    confidence, bad, _ = sample
    assert brier(confidence, ~bad) == pytest.approx(brier_score_loss(~bad, confidence, labels=[False, True]))
    if bad.all() or not bad.any():
        assert math.isnan(auroc(confidence, bad))
    else:
        assert auroc(confidence, bad) == pytest.approx(roc_auc_score(~bad, confidence))


@settings(max_examples=40)
@given(samples)
def test_the_order_of_rows_counts_for_nothing(sample):
    confidence, bad, random = sample
    order = list(range(len(bad)))
    random.shuffle(order)
    for figure in (aurc, excess_aurc, auroc, lambda c, b: ece(c, ~b)):
        assert figure(confidence[order], bad[order]) == pytest.approx(figure(confidence, bad), nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=5))
def test_aurc_of_ties_is_the_mean_over_their_orders(items):
    confidence = np.array([float(c) for c, _ in items])
    bad = np.array([b for _, b in items])
    orders = [p for p in permutations(range(len(items))) if (np.diff(confidence[list(p)]) <= 0).all()]
    areas = [(np.cumsum(bad[list(p)]) / np.arange(1, len(items) + 1)).mean() for p in orders]
    assert aurc(confidence, bad) == pytest.approx(np.mean(areas))


@settings(max_examples=40)
@given(samples)
def test_an_oracle_has_no_excess_and_a_reversed_one_the_most(sample):
    _, bad, _ = sample
    loss = bad.astype(float)
    assert excess_aurc(-loss, loss) == pytest.approx(0)
    assert excess_aurc(loss, loss) >= excess_aurc(np.zeros(len(loss)), loss) - 1e-12


def test_the_curve_ends_at_the_base_rate():
    curve = risk_coverage(np.array([0.9, 0.1, 0.5, 0.7]), np.array([0, 1, 1, 0]))
    assert curve.risk.tolist() == [0, 0, pytest.approx(1 / 3), 0.5]
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]


def test_ece_sees_overconfidence_and_bins_hold_equally_many():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    good = rng.random(20_000) < p
    assert ece(p, good) < 0.015
    assert ece(np.clip(p + 0.2, 0, 1), good) > 0.1
    table = reliability(p, good, bins=8)
    assert {b.n for b in table} == {2500}
    assert sum(b.low <= b.confidence <= b.high for b in table) >= 7
    assert all(b.low <= b.rate <= b.high for b in table)


@pytest.mark.parametrize("figure", [auroc, aurc, brier, ece])
def test_nan_is_refused(figure):
    with pytest.raises(ValueError, match="NaN"):
        figure(np.array([0.1, math.nan]), np.array([True, False]))


def test_sparsification_ranks_oracle_confidence_random():
    rng = np.random.default_rng(0)
    maps = []
    for _ in range(6):
        error = rng.gamma(1.0, 0.1, (40, 50))
        error[0] = np.nan
        maps.append((-error + 0.05 * rng.normal(size=error.shape), error))
    made = sparsification(maps)
    assert made.images == 6
    assert made.by_confidence[0] == pytest.approx(made.random[0])
    assert 0 < made.ause < 0.3 * made.ause_random
    assert made.aurg == pytest.approx(made.ause_random - made.ause)
    assert sparsification([(-e, e) for _, e in maps]).ause == pytest.approx(0)
    assert sparsification([(rng.random(e.shape), e) for _, e in maps]).ause == pytest.approx(
        made.ause_random, rel=0.1
    )
    assert sparsification([(np.zeros_like(e), e) for _, e in maps]).aurg == pytest.approx(0)


def test_an_image_counts_once_in_sparsification():
    one = (np.zeros((100, 100)), np.ones((100, 100)))
    two = (np.zeros((2, 2)), np.full((2, 2), 3.0))
    assert sparsification([one, two]).by_confidence[0] == 2
    with pytest.raises(ValueError, match="nothing to sparsify"):
        sparsification([(one[0], one[1] * np.nan)])
