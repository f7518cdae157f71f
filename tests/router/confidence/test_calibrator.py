"""A calibrator gives honest probabilities, says what it lacks and where it guesses, and never claims certainty."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from visionrouter.confidence.calibrator import Calibrator, EvidenceMissingError, Feature
from visionrouter.confidence.fitting import _monotone
from visionrouter.confidence.metrics import auroc, ece
from visionrouter.schema.errors import CalibrationError

METHODS = ("logistic", "isotonic")


@pytest.fixture(scope="module")
def fitted(calibration, scope):
    return {m: Calibrator.fit(calibration.rows, calibration.good, scope=scope, method=m) for m in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_confidence_is_the_share_that_is_good(fitted, held_out, method):
    confidence = np.array([fitted[method].confidence(row) for row in held_out.rows])
    assert ece(confidence, held_out.good) < 0.03
    assert np.abs(confidence - held_out.p_good).mean() < 0.03
    assert auroc(confidence, ~held_out.good) > auroc(held_out.p_good, ~held_out.good) - 0.01


@pytest.mark.parametrize("method", METHODS)
def test_it_beats_each_signal_alone(fitted, held_out, method):
    confidence = np.array([fitted[method].confidence(row) for row in held_out.rows])
    for name in ("familiarity", "noise"):
        alone = auroc(np.array([-row[name] for row in held_out.rows]), ~held_out.good)
        assert auroc(confidence, ~held_out.good) > alone + 0.05


def test_a_constant_signal_is_dropped_and_named(fitted):
    assert fitted["logistic"].dropped == (("always", "constant (1)"),)
    assert fitted["logistic"].signals == ("code_residual", "familiarity", "noise")


def test_a_signal_that_some_rows_lack_is_dropped_unless_asked_for(calibration, scope):
    rows = [{**row, "flip": 0.5 + i} for i, row in enumerate(calibration.rows)]
    del rows[3]["flip"]
    rows[4]["flip"] = math.nan
    free = Calibrator.fit(rows, calibration.good, scope=scope)
    assert ("flip", "absent or not finite in 2 of 1500 rows") in free.dropped
    with pytest.raises(EvidenceMissingError, match="'flip' is absent"):
        Calibrator.fit(rows, calibration.good, scope=scope, signals=("noise", "flip"))


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_missing_signal_is_an_error_that_names_it(fitted, calibration, value):
    row = dict(calibration.rows[0])
    if value is None:
        del row["familiarity"]
    else:
        row["familiarity"] = value
    with pytest.raises(EvidenceMissingError, match="familiarity") as caught:
        fitted["logistic"].confidence(row)
    assert caught.value.signal == "familiarity"


def test_what_calibration_never_saw_is_flagged(fitted, calibration):
    row = dict(calibration.rows[0])
    assert not fitted["logistic"].read(row).extrapolated
    row |= {"code_residual": 3.0, "noise": 1.5}
    assert fitted["logistic"].read(row).outside == ("code_residual", "noise")


@pytest.mark.parametrize("method", METHODS)
@given(values=st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3))
def test_never_certain_never_nan(fitted, method, values):
    calibrator = fitted[method]
    least = 1 / (calibrator.n + 2)
    confidence = calibrator.confidence(dict(zip(calibrator.signals, values, strict=True)))
    assert least <= confidence <= 1 - least + 1e-15
    assert 0 < confidence < 1


@given(
    transform=st.sampled_from(["identity", "log1p", "ranks"]),
    pair=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
)
def test_transforms_rise(transform, pair):
    feature = Feature("s", transform, 0.1, 2.0, 1.0, -1.0, 1.0, 0.01, (-3.0, -1.0, 0.5, 7.0))
    low, high = sorted(pair)
    assert feature.term(low) <= feature.term(high)


def test_the_ridge_regression_is_sklearns(calibration, fitted):
    calibrator = fitted["logistic"]
    raw = [replace(f, weight=1.0) for f in calibrator.features]
    design = np.array([[f.term(row[f.name]) for f in raw] for row in calibration.rows])
    theirs = LogisticRegression(C=1 / (calibrator.l2 * len(design)), tol=1e-10, max_iter=1000)
    theirs.fit(design, calibration.good)
    assert [f.weight for f in calibrator.features] == pytest.approx(theirs.coef_[0], rel=1e-3, abs=1e-4)
    assert calibrator.intercept == pytest.approx(theirs.intercept_[0], rel=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(20, 200), st.booleans())
def test_the_monotone_regression_is_sklearns(seed, n, ties):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 15, n).astype(float) if ties else rng.normal(size=n)
    good = rng.random(n) < 1 / (1 + np.exp(-scores + scores.mean()))
    try:
        centres, rates = _monotone(scores, good)
    except CalibrationError:
        return
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, good.astype(float))
    assert np.unique(theirs.predict(scores)) == pytest.approx(np.array(rates), abs=1e-9)
    assert theirs.predict(np.array(centres)) == pytest.approx(np.array(rates), abs=1e-9)


def test_it_is_deterministic_and_keeps_units_together(calibration, scope):
    units = [f"scene-{i // 3}" for i in range(len(calibration.rows))]
    one, two = (
        Calibrator.fit(calibration.rows, calibration.good, scope=scope, units=units, seed=5) for _ in range(2)
    )
    assert one == two
    with pytest.raises(CalibrationError, match="2 units"):
        Calibrator.fit(calibration.rows, calibration.good, scope=scope, units=["a", "b"] * 750)


def test_labels_of_one_kind_teach_nothing(calibration, scope):
    with pytest.raises(CalibrationError, match="0 of 1500 items are bad"):
        Calibrator.fit(calibration.rows, np.ones(1500, bool), scope=scope)
    with pytest.raises(CalibrationError, match="no signal varies"):
        Calibrator.fit([{"a": 1.0}] * 1500, calibration.good, scope=scope)
    with pytest.raises(CalibrationError, match="should be bool"):
        Calibrator.fit(calibration.rows, calibration.good.astype(float), scope=scope)


def test_separable_labels_stay_finite(scope):
    rows = [{"a": float(i)} for i in range(40)]
    calibrator = Calibrator.fit(rows, np.arange(40) >= 20, scope=scope)
    assert calibrator.confidence({"a": 39.0}) > 0.9
    assert calibrator.confidence({"a": 0.0}) < 0.1
    assert all(math.isfinite(f.weight) for f in calibrator.features)
