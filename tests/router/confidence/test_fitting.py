"""Few items cannot weigh many signals: those that are of use are read, and the others are named."""

import numpy as np
import pytest

from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.metrics import auroc

NOISE = 40


def rows_of(n, seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    good = truth + 0.4 * rng.normal(size=n) > 0
    rows = [{"told": float(t), **{f"noise{k}": float(v) for k, v in enumerate(rng.normal(size=NOISE))}} for t in truth]  # fmt: skip
    return rows, good


@pytest.mark.parametrize("n", [30, 300])
def test_no_more_signals_are_read_than_there_are_items_to_weigh_them(scope, n):
    rows, good = rows_of(n, seed=1)
    calibrator = Calibrator.fit(rows, good, scope=scope)
    most = min(good.sum(), (~good).sum()) // 3
    assert "told" in calibrator.signals
    assert len(calibrator.signals) == min(most, NOISE + 1)
    assert len(calibrator.dropped) == NOISE + 1 - len(calibrator.signals)
    assert all("few items" in why for _, why in calibrator.dropped)


def test_noise_does_not_drown_the_signal_that_tells(scope):
    rows, good = rows_of(40, seed=2)
    held_out, truth = rows_of(2000, seed=3)
    chosen = Calibrator.fit(rows, good, scope=scope)
    everything = Calibrator.fit(rows, good, scope=scope, signals=sorted(rows[0]))
    scores = [auroc(np.array([c.confidence(r) for r in held_out]), ~truth) for c in (chosen, everything)]
    assert scores[0] > scores[1]


def test_signals_asked_for_by_name_are_all_read(scope):
    rows, good = rows_of(40, seed=2)
    wanted = ["noise3", "told", "noise1"]
    assert list(Calibrator.fit(rows, good, scope=scope, signals=wanted).signals) == wanted
