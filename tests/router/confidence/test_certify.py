"""A certificate's threshold is the one the procedure proves, and what cannot be proven is said."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.risk_control import BinaryClassificationController, control_fwer

from visionrouter.confidence.bounds import binomial_p, least_accepted
from visionrouter.confidence.certificate import Certificate, Infeasible, certificate_for
from visionrouter.confidence.certify import _rejected, certify, ltt_threshold, one_per_unit
from visionrouter.schema.decision import Risk


def population(n, seed, base=0.0, slope=3.0):
    """Confidence (N,), 0/1 loss (N,): risk falls with confidence."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return 1 / (1 + np.exp(-z)), (rng.random(n) < 1 / (1 + np.exp(-(base - slope - slope * z)))).astype(float)


@pytest.fixture
def stated(scope, digests):
    return {"scope": scope, "digests": digests, "alpha": 0.05, "delta": 0.1}


@pytest.mark.parametrize("method", ["ltt-binomial", "ltt-hb", "crc-joint"])
def test_what_is_counted_is_what_passes(stated, method):
    confidence, loss = population(1200, 0)
    (made,) = certify(confidence, loss, method=method, **stated)
    assert isinstance(made, Certificate)
    passed = confidence >= made.threshold
    assert made.accepted == passed.sum() == sum(made.accepts(c) for c in confidence.tolist())
    assert made.bad == loss[passed].sum()
    assert made.empirical_risk <= made.bound <= made.alpha
    assert made.coverage == pytest.approx(passed.mean())
    assert (made.delta is None) == (method == "crc-joint")
    assert not made.accepts(math.nan)


def test_the_joint_risk_is_called_joint(stated):
    confidence, loss = population(1200, 0)
    (made,) = certify(confidence, loss, method="crc-joint", **stated)
    assert "joint risk, not the risk of what is accepted" in str(made)
    (made,) = certify(confidence, loss, **stated)
    assert "of what is accepted at most 0.05 is wrong, with certainty 0.9" in str(made)


def test_a_result_says_what_was_proven_and_no_more(stated):
    confidence, loss = population(1200, 0)
    (made,) = certify(confidence, loss, **stated)
    assert made.risk("abc") == Risk(0.05, 0.05, 0.1, "abc", "absrel > 0.1")
    (joint,) = certify(confidence, loss, method="crc-joint", **stated)
    assert joint.risk("abc") is None


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.05, 0.15]))
def test_one_chain_is_mapies_fixed_sequence(seed, alpha):
    confidence, loss = population(600, seed)
    start = max(least_accepted(alpha, 0.1), 150)
    order = np.argsort(-confidence)
    counts = np.arange(start, 601)
    p = binomial_p(np.cumsum(loss[order])[start - 1 :].astype(int), counts, alpha)
    rejected = control_fwer(p, 0.1, fwer_method="fixed_sequence")
    threshold = ltt_threshold(confidence, loss, alpha=alpha, delta=0.1, starts=(0.25,))
    assert (threshold is None) == (not len(rejected))
    if threshold is not None:
        assert (confidence >= threshold).sum() == counts[rejected[-1]]


def test_a_threshold_that_mapie_finds_is_one_of_ours():
    """MAPIE tests a fixed grid (for 0/1 losses without the factor e); we stop within a step of it."""
    confidence, loss = population(2000, 3)
    controller = BinaryClassificationController(
        predict_function=lambda x: np.column_stack([1 - x[:, 0], x[:, 0]]),
        risk="precision",  # of "good" where accepted: 1 - P(bad | accepted)
        target_level=0.95,
        confidence_level=0.9,
        list_predict_params=np.linspace(0.8, 0.1, 8),
        fwer_method="fixed_sequence",
    )
    controller.calibrate(confidence[:, None], 1 - loss.astype(int))
    theirs = float(np.min(controller.valid_predict_params))
    ours = ltt_threshold(confidence, loss, alpha=0.05, delta=0.1)
    assert ours is not None
    assert ours == pytest.approx(theirs, abs=0.1)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_ties_are_never_cut(seed, levels):
    rng = np.random.default_rng(seed)
    confidence = rng.integers(1, levels + 1, 500) / (levels + 1)
    loss = (rng.random(500) < 0.2 * (1 - confidence)).astype(float)
    threshold = ltt_threshold(confidence, loss, alpha=0.1, delta=0.1)
    if threshold is not None:
        accepted = int((confidence >= threshold).sum())
        assert accepted >= 62
        assert binomial_p(int(loss[confidence >= threshold].sum()), accepted, 0.1) <= 0.1


def test_chains_end_alone_and_join_their_levels():
    p = np.array([0.9, 0.04, 0.2, 0.01, 0.04, 0.09, 0.02, 0.2])
    assert _rejected(p, [2, 4, 5], 0.15).tolist() == [False, True, False, True, True, True, True, False]
    assert _rejected(p, [2, 6], 0.1).tolist() == [False, True, False, False, False, False, False, False]
    assert _rejected(p[3:], [1], 0.1).tolist() == [True, True, True, True, False]


def test_overconfident_items_at_the_top_end_one_chain_only():
    confidence, loss = np.linspace(1, 0, 1000), np.zeros(1000)
    loss[:8] = 1
    assert ltt_threshold(confidence, loss, alpha=0.05, delta=0.1, starts=(0.1,)) is None
    assert ltt_threshold(confidence, loss, alpha=0.05, delta=0.1) == 0


def test_few_items_leave_one_chain_with_all_of_delta():
    confidence = np.linspace(0, 1, 45)
    assert ltt_threshold(confidence, np.zeros(45), alpha=0.05, delta=0.1) == 0
    assert ltt_threshold(confidence[:44], np.zeros(44), alpha=0.05, delta=0.1) is None


def test_infeasible_says_what_it_would_take(stated):
    confidence, loss = population(40, 0)
    (made,) = certify(confidence, loss * 0, **stated)
    assert isinstance(made, Infeasible)
    assert (made.n, made.least_n) == (40, 45)
    assert "it takes at least 45 items, all accepted and none bad, and there are 40" in str(made)
    assert made.best_alpha == pytest.approx(0.056, abs=0.003)
    (made,) = certify(*population(500, 0, base=4.0), **stated)
    assert isinstance(made, Infeasible)
    assert "the 500 items are too few for the share of them that is bad" in str(made)
    (again,) = certify(*population(500, 0, base=4.0), **(stated | {"alpha": made.best_alpha}))
    assert isinstance(again, Certificate)
    (none,) = certify(confidence, np.ones(40), **stated)
    assert isinstance(none, Infeasible)
    assert none.best_alpha is None


def test_the_joint_risk_needs_few_items(stated):
    (made,) = certify(np.linspace(0.1, 0.9, 18), np.zeros(18), method="crc-joint", **stated)
    assert isinstance(made, Infeasible)
    assert made.least_n == 19
    (made,) = certify(np.linspace(0.1, 0.9, 19), np.zeros(19), method="crc-joint", **stated)
    assert isinstance(made, Certificate)
    assert made.threshold == 0


def test_each_group_has_a_threshold_of_its_own(stated):
    clear, rain, fog = population(800, 1, base=-1.0), population(800, 2, base=1.0), population(30, 3)
    confidence, loss = (np.concatenate(parts) for parts in zip(clear, rain, fog, strict=True))
    groups = ["clear"] * 800 + ["rain"] * 800 + ["fog"] * 30
    made = certify(confidence, loss, groups=groups, tag="weather", **stated)
    by = {outcome.group: outcome for outcome in made}
    assert by["weather", "clear"].threshold < by["weather", "rain"].threshold
    assert isinstance(by["weather", "fog"], Infeasible)
    (alone,) = certify(*rain, **stated)
    assert alone.threshold == by["weather", "rain"].threshold

    (everything,) = certify(confidence, loss, **stated)
    both = (*made, everything)
    assert certificate_for(both, {"weather": "rain"}) == by["weather", "rain"]
    assert certificate_for(both, {"weather": "fog"}) == by["weather", "fog"]
    assert certificate_for(both, {"weather": "snow"}) is None
    assert certificate_for(both, {"camera": "north"}) == everything
    assert certificate_for(made, {}) is None


@pytest.mark.parametrize(
    ("confidence", "loss", "message"),
    [
        ([0.5, math.nan], [0, 1], "NaN"),
        ([0.5, 0.6], [0, math.nan], "NaN"),
        ([0.5, 1.6], [0, 1], "not a raw score"),
        ([0.5, 0.6], [0, 2], r"losses should lie in \[0, 1\]"),
        ([0.5, 0.6], [0, 0.5], "use ltt-hb"),
        ([0.5, 0.6], [0], "one length"),
    ],
)
def test_bad_input_is_refused(stated, confidence, loss, message):
    with pytest.raises(ValueError, match=message):
        certify(np.array(confidence), np.array(loss), **stated)


def test_one_row_a_scene():
    units = ["a", "b", "a", "c", "c", "c"]
    drawn = [tuple(one_per_unit(units, seed)) for seed in range(20)]
    assert all(sorted(units[i] for i in rows) == ["a", "b", "c"] for rows in drawn)
    assert len(set(drawn)) > 3
    assert drawn[0] == tuple(one_per_unit(units, 0))
