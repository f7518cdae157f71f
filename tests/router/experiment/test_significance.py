"""The statistics against exact enumeration, other libraries, and their own promises."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.experiment.bootstrap import Metric, resample, values
from visionrouter.experiment.eprocess import anytime_p, confidence_sequence, e_process
from visionrouter.experiment.pairs import Row, as_pairs
from visionrouter.experiment.significance import cuped, holm, mcnemar_exact, sign_flip


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(pairs):
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    wanted = scipy.stats.binomtest(only_a, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
    assert mcnemar_exact(a, b) == pytest.approx(wanted)
    assert mcnemar_exact(b, a) == pytest.approx(mcnemar_exact(a, b))


def test_sign_flips_agree_with_every_flip_there_is():
    d = np.array([0.3, -0.1, 0.8, 0.25, 0.6, -0.05, 0.4, 0.15])
    flips = [abs(np.dot(s, d)) for s in itertools.product((-1, 1), repeat=len(d))]
    exact = np.mean(np.array(flips) >= abs(d.sum()) - 1e-12)
    assert sign_flip(d, 200_000) == pytest.approx(exact, abs=0.005)
    assert sign_flip(np.zeros(5), 100) == 1.0
    assert sign_flip(np.full(20, 0.5), 999) == pytest.approx(0.001)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_monotone_at_least_as_large_and_rejects_what_step_down_rejects(p):
    adjusted = holm(p)
    assert all(x >= y for x, y in zip(adjusted, p, strict=True))
    alpha, left = 0.05, sorted(p)
    rejected = 0
    while rejected < len(p) and left[rejected] <= alpha / (len(p) - rejected):
        rejected += 1
    assert sum(x <= alpha for x in adjusted) == rejected


@given(st.integers(0, 2**31), st.floats(-3, 3))
def test_cuped_keeps_the_mean_and_takes_the_explained_variance_away(seed, slope):
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=200), rng.normal(size=200)
    d = slope * x + noise
    adjusted = cuped(d, x)
    assert adjusted.mean() == pytest.approx(d.mean())
    r = np.corrcoef(d, x)[0, 1]
    assert adjusted.var() == pytest.approx(d.var() * (1 - r**2))
    assert np.array_equal(cuped(d, np.ones(200)), d)


def rows(a, b, clusters=None, **fields):
    return as_pairs(
        Row(str(i), {"loss": x}, {"loss": y}, cluster=str(clusters[i]) if clusters is not None else "", **fields)
        for i, (x, y) in enumerate(zip(a, b, strict=True))
    )  # fmt: skip


def test_the_bootstrap_of_single_rows_is_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(size=300), rng.uniform(size=300)
    (drawn,) = resample(rows(a, b), [Metric("loss")], 4000, 0)
    wanted = scipy.stats.bootstrap((b - a,), np.mean, n_resamples=4000, method="percentile", rng=2)
    d = drawn[:, 1] - drawn[:, 0]
    assert np.quantile(d, [0.025, 0.975]) == pytest.approx(wanted.confidence_interval, abs=0.004)
    assert d.std() == pytest.approx(wanted.standard_error, rel=0.06)


def test_clusters_are_drawn_whole():
    rng = np.random.default_rng(1)
    of_scene = np.repeat(rng.uniform(size=40), 25)
    clusters = np.repeat(np.arange(40), 25)
    (drawn,) = resample(rows(np.zeros(1000), of_scene, clusters), [Metric("loss")], 2000, 0)
    assert drawn[:, 1].std() == pytest.approx(of_scene.std() / math.sqrt(40), rel=0.1)
    (alone,) = resample(rows(np.zeros(1000), of_scene), [Metric("loss")], 2000, 0)
    assert alone[:, 1].std() == pytest.approx(of_scene.std() / math.sqrt(1000), rel=0.1)


def test_every_metric_is_computed_anew_from_each_draw():
    rng = np.random.default_rng(3)
    clusters = rng.integers(0, 30, 200)
    clusters[:30] = np.arange(30)
    a, b = rng.lognormal(size=200), rng.lognormal(size=200)
    b[rng.uniform(size=200) < 0.3] = np.nan
    pairs = as_pairs(
        Row(str(i), {"x": a[i]}, {} if math.isnan(b[i]) else {"x": b[i]}, str(clusters[i]), weight=1 + i % 3)
        for i in range(200)
    )
    mean, tail = Metric("x"), Metric("x", "quantile", 0.9)
    assert values(pairs, mean)[0] == pytest.approx(np.average(a, weights=pairs.weights))
    drawn = np.random.default_rng(7).integers(0, 30, (5, 30))
    means, tails = resample(pairs, [mean, tail], 5, 7)
    for k in range(5):
        repeats = np.bincount(drawn[k], minlength=30)[pairs.cluster] * pairs.weights.astype(int)
        for side, column in enumerate((a, b)):
            kept = np.repeat(column, repeats)
            kept = np.sort(kept[~np.isnan(kept)])
            assert means[k, side] == pytest.approx(kept.mean())
            assert tails[k, side] == kept[math.ceil(0.9 * len(kept)) - 1]


@pytest.mark.parametrize("null", [0.0, -0.2, 0.3])
def test_the_capital_is_fair_on_every_path_of_a_fair_game(null):
    """Over all sign sequences with mean exactly `null`, the expected capital is 1 at every step."""
    up = (1 + null) / 2
    expected = np.zeros(10)
    for path in itertools.product((1.0, -1.0), repeat=10):
        d = np.array(path)
        expected += np.prod(np.where(d > 0, up, 1 - up)) * e_process(d, null)
    assert expected == pytest.approx(np.ones(10))


@settings(max_examples=60)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.floats(-0.9, 0.9))
def test_capital_is_never_negative_and_bets_do_not_see_ahead(d, null):
    d = np.array(d)
    capital = e_process(d, null)
    assert (capital > 0).all()
    assert e_process(d[:-1], null) == pytest.approx(capital[:-1])


def test_it_finds_a_difference_and_the_more_of_it_the_sooner():
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, 2000)
    first = [int(np.argmax(e_process(noise + shift) >= 20)) for shift in (0.05, 0.15, 0.4)]
    assert all(first)
    assert first == sorted(first, reverse=True)
    assert anytime_p(-noise - 0.1) > 0.5


@pytest.mark.parametrize("mean", [0.0, 0.3, -0.8])
def test_the_confidence_sequence_holds_the_mean_at_all_times(mean):
    rng = np.random.default_rng(5)
    misses = 0
    for _ in range(300):
        d = np.where(rng.uniform(size=400) < (1 + mean) / 2, 1.0, -1.0)
        low, high = confidence_sequence(d, 0.1)
        misses += bool((low > mean).any() or (high < mean).any())
        assert (np.diff(low) >= 0).all()
        assert (np.diff(high) <= 0).all()
    assert misses <= 300 * 0.1
    width = high[-1] - low[-1]
    assert width < 0.45


@pytest.mark.parametrize(("d", "null"), [([1.5], 0.0), ([0.5], 1.0), ([float("nan")], 0.0)])
def test_what_is_out_of_bounds_is_refused(d, null):
    with pytest.raises(ValueError, match=r"\[-1, 1\]|null"):
        e_process(np.array(d), null)
