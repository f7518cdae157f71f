"""Bounds and p-values are those of the books, agree with each other, and say what they need."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from scipy.stats import binom, binomtest

from visionrouter.confidence.bounds import (
    binomial_p,
    clopper_pearson,
    crc_joint_threshold,
    hoeffding,
    hoeffding_bentkus,
    hoeffding_bentkus_p,
    least_accepted,
)

counts = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.001, 0.6)


@given(counts.filter(lambda c: c[1] > 0), levels)
def test_clopper_pearson_is_scipys(count, delta):
    bad, n = count
    interval = binomtest(bad, n).proportion_ci(
        confidence_level=1 - 2 * delta if delta < 0.5 else 0.0, method="exact"
    )
    if delta < 0.5:
        assert clopper_pearson(bad, n, delta) == pytest.approx(interval.high, abs=1e-9)


@given(counts.filter(lambda c: c[1] > 0), levels)
def test_the_binomial_p_value_is_scipys(count, alpha):
    bad, n = count
    assert binomial_p(bad, n, alpha) == pytest.approx(
        binomtest(bad, n, alpha, alternative="less").pvalue, abs=1e-9
    )


@given(st.integers(2, 500), st.floats(0, 0.999), st.floats(0.005, 0.9))
def test_hoeffding_bentkus_is_mapies(n, mean, alpha):
    mean = (
        int(mean * n) + 0.5
    ) / n  # MAPIE's ceil of n x mean rounds up on some whole numbers, 187 x (61 / 187)
    theirs = compute_hoeffding_bentkus_p_value(np.array([mean]), n, alpha).item()
    assert hoeffding_bentkus_p(mean, n, alpha) == pytest.approx(min(1.0, theirs), rel=1e-6, abs=1e-12)


@given(counts.filter(lambda c: c[1] > 0), st.floats(0.005, 0.9))
def test_hoeffding_bentkus_of_a_0_1_loss_counts_whole_losses(count, alpha):
    bad, n = count
    assert hoeffding_bentkus_p(bad / n, n, alpha) <= min(1, np.e * binom.cdf(bad, n, alpha)) + 1e-12


@pytest.mark.parametrize(
    ("alpha", "bad", "least"),
    [(0.05, 0, 45), (0.05, 5, 184), (0.05, 20, 538), (0.01, 0, 230), (0.01, 5, 926), (0.01, 20, 2701)],
)
def test_least_accepted(alpha, bad, least):
    assert least_accepted(alpha, 0.1, bad) == least
    assert binom.cdf(bad, least, alpha) <= 0.1 < binom.cdf(bad, least - 1, alpha)


@given(counts.filter(lambda c: c[1] > 0), st.floats(0.01, 0.4), st.floats(0.01, 0.4))
def test_a_test_rejects_exactly_where_its_bound_is_below(count, alpha, delta):
    bad, n = count
    for p, bound in (
        (binomial_p(bad, n, alpha), clopper_pearson(bad, n, delta)),
        (hoeffding_bentkus_p(bad / n, n, alpha), hoeffding_bentkus(bad / n, n, delta)),
    ):
        assert (p <= delta) == (bound <= alpha) or abs(bound - alpha) < 1e-6


@given(counts.filter(lambda c: 0 < c[0] < c[1]), st.floats(0.01, 0.3))
def test_order_of_the_bounds(count, delta):
    bad, n = count
    exact = clopper_pearson(bad, n, delta)
    assert bad / n < exact <= clopper_pearson(bad + 1, n, delta)
    assert exact <= clopper_pearson(bad, n, delta / 2)
    assert exact <= hoeffding(bad / n, n, delta) + 1e-12
    assert exact <= hoeffding_bentkus(bad / n, n, delta) + 1e-9


def test_nothing_drawn_shows_nothing():
    assert clopper_pearson(0, 0, 0.1) == hoeffding(0.0, 0, 0.1) == hoeffding_bentkus(0.0, 0, 0.1) == 1.0
    assert clopper_pearson(7, 7, 0.1) == 1.0


@pytest.mark.parametrize(("alpha", "delta"), [(0, 0.1), (1, 0.1), (0.1, 0), (0.1, 1), (float("nan"), 0.1)])
def test_levels_lie_between_0_and_1(alpha, delta):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        least_accepted(alpha, delta)


def test_the_joint_threshold_is_the_least_that_keeps_the_inequality():
    rng = np.random.default_rng(0)
    for n in (5, 30, 200):
        confidence = rng.integers(0, 20, n) / 20
        loss = rng.random(n) * (rng.random(n) < 0.4)
        for alpha in (0.05, 0.2, 0.5):
            found = crc_joint_threshold(confidence, loss, alpha)
            holds = lambda t: (loss[confidence >= t].sum() + 1) / (n + 1) <= alpha + 1e-12  # noqa: E731, B023
            if found is None:
                assert not holds(2.0)
                continue
            assert holds(found)
            assert all(not holds(t) for t in np.unique(confidence) if t < found)
