"""What counts as losing, as a tie, as a broken certificate; and what cannot be told is not met."""

import pytest

from visionrouter.benchmarks.rainy.answers import Held
from visionrouter.benchmarks.rainy.document import Certified, Estimate, Planted, Score, Shot
from visionrouter.benchmarks.rainy.intervals import Bootstrap
from visionrouter.benchmarks.rainy.score import score_cell
from visionrouter.benchmarks.rainy.targets import loses, standing, targets

P = "safety-critical"


def score(versus=None, certified=None):
    return Score("depth", "c", P, 4, 4, Estimate(0.1), 1.0, Estimate(1.0), versus=versus, certified=certified)


def told(scores=(), planted=(), faulted=()):
    return {t.name: t for t in targets([P], scores, [], planted, faulted)}


def test_losing_is_beyond_the_interval_and_a_tie_is_a_tie():
    beyond, within = score(Estimate(0.1, 0.02, 0.2)), score(Estimate(0.1, -0.02, 0.2))
    tie, better, one_scene = (
        score(Estimate(0.0, 0.0, 0.0)),
        score(Estimate(-0.1, -0.2, 0.0)),
        score(Estimate(0.3)),
    )
    assert [loses(s) for s in (beyond, within, tie, better, one_scene)] == [True, False, False, False, False]
    counts = standing([beyond, within, tie, better, one_scene])
    assert counts == {"better": 1, "tie": 1, "worse within the interval": 2, "loses": 1}
    target = told([beyond, *[tie] * 19])["no worse than the better backend alone, in a cell"]
    assert (target.value, target.met) == (0.95, True)
    assert not told([beyond, *[tie] * 18])["no worse than the better backend alone, in a cell"].met


@pytest.mark.parametrize(
    ("certified", "value", "met"),
    [
        (Certified(40, 3, 0.1, False), 0, True),
        (Certified(40, 20, 0.1, True), 1, False),
        (Certified(1, 1, 0.3, False), None, False),
    ],
)
def test_a_certificate_that_nothing_could_refute_is_not_kept(certified, value, met):
    target = told([score(certified=certified)])["cells in which a certificate is violated"]
    assert (target.value, target.met) == (value, met)
    assert f"{certified.bad} of {certified.n} accepted are bad" in target.detail


def test_a_cell_with_more_bad_ones_than_certified_is_violated_beyond_chance_alone():
    def cell(bad):
        shots = [
            Shot(
                str(i),
                str(i),
                "depth",
                "c",
                P,
                "accepted",
                "certified",
                loss,
                True,
                loss,
                certificate_alpha=0.1,
            )
            for i, loss in enumerate([0.5] * bad + [0.01] * (40 - bad))
        ]
        (found,) = score_cell("depth", "c", {P: [Held(s, ()) for s in shots]}, [], Bootstrap(100))
        return found.certified

    assert cell(5) == Certified(40, 5, 0.1, False), "12.5 % may be chance"
    assert cell(12) == Certified(40, 12, 0.1, True)


def test_plants_are_counted_by_how_many_there_were():
    rows = [
        Planted("scale", "depth", "a", P, 10, 10, Estimate(1.0), Estimate(0.0)),
        Planted("other_scene", "depth", "a", P, 30, 10, Estimate(0.9), Estimate(0.4)),
        Planted("scale", "depth", "a", "default", 99, 99, Estimate(0.0), Estimate(1.0)),
    ]
    found = told(planted=rows)
    assert found["planted hallucinations caught"].value == pytest.approx(0.925)
    assert not found["planted hallucinations caught"].met
    assert found["false alarms on the same items, unplanted"].value == pytest.approx(0.2)
