"""A whole run on made-up scenes, of which every figure can be told beforehand."""

import math

import pytest

from visionrouter.benchmarks.rainy.document import Document
from visionrouter.benchmarks.rainy.markdown import markdown
from visionrouter.benchmarks.rainy.run import Plan, conduct
from visionrouter.benchmarks.rainy.targets import targets

PLAN = Plan(
    "made up", "flat", ("default", "safety-critical"), scenes=4, plants=4, fault_rates=(0.3,), draws=200
)


@pytest.fixture
def document(matrix, bench, tmp_path):
    return conduct(PLAN, matrix, bench, tmp_path)


def only(found):
    (one,) = found
    return one


def close(value):
    return pytest.approx(value, abs=1e-4)


def test_every_system_is_scored_in_every_cell_on_the_same_items(document):
    names = {"sharp", "steady", "merged", "default", "safety-critical", "oracle"}
    assert {s.name for s in document.systems} == names
    for condition in ("clean", "fog1", "fog2", "fog3", "rain3"):
        scores = [s for s in document.scores if s.condition == condition]
        assert {s.system for s in scores} == names
        assert {(s.n, s.scenes) for s in scores} == {(4, 4)}


@pytest.mark.parametrize(
    ("condition", "sharp", "routed"), [("clean", 0.01, 0.01), ("fog1", 0.09, 0.09), ("fog3", 0.25, 0.08)]
)
def test_utility_is_the_loss_of_the_answer_that_the_policy_gives(document, condition, sharp, routed):
    assert document.score("depth", condition, "sharp").utility.value == close(sharp)
    assert document.score("depth", condition, "steady").utility.value == close(0.08)
    assert document.score("depth", condition, "default").utility.value == close(routed)
    assert document.score("depth", condition, "oracle").utility.value == close(min(sharp, 0.08))


def test_regret_and_the_difference_to_the_best_alone_are_paired(document):
    fog = document.score("depth", "fog1", "default")
    assert fog.best == "steady"
    assert fog.versus.value == fog.regret.value == close(0.01)
    assert fog.versus.low == fog.versus.high == close(0.01), "the same in every scene"
    foggier = document.score("depth", "fog3", "default")
    assert foggier.versus.value == foggier.regret.value == close(0)


def test_mpc_means_over_damages_then_severities_and_rpc_is_its_share_of_clean(document):
    sharp = only(s for s in document.summaries if s.system == "sharp")
    fog, rain = (0.91 + 0.83 + 0.75) / 3, 0.75
    assert sharp.clean.value == close(0.99)
    assert sharp.mpc.value == close((fog + rain) / 2)
    assert sharp.rpc.value == close((fog + rain) / 2 / 0.99)
    assert sharp.metrics_mpc["AbsRel"] == close(((0.09 + 0.17 + 0.25) / 3 + 0.25) / 2)


def test_regret_is_told_as_a_share_of_what_the_oracle_gains(document):
    found = {s.system: s for s in document.summaries}
    oracle, steady = (0.01 + 4 * 0.08) / 5, 0.08
    assert found["default"].gap == close(steady - oracle)
    assert found["default"].regret_share == pytest.approx(0.01 / 5 / (steady - oracle), abs=1e-3)
    assert found["oracle"].regret_share == 0


def test_seconds_and_cost_are_of_all_that_was_asked(document):
    assert document.score("depth", "clean", "default").cost == 1
    assert document.score("depth", "fog3", "default").cost == 11
    assert document.score("depth", "clean", "safety-critical").cost == 11, "the second opinion is paid for"
    assert all(s.seconds > 0 for s in document.scores)


def test_a_plant_without_a_second_opinion_goes_through_and_with_one_it_is_caught(document):
    rows = {(p.plant, p.backend, p.system): p for p in document.planted}
    for kind in ("scale", "other_scene"):
        assert rows[kind, "sharp", "default"].caught.value == 0, "its evidence was kept"
        assert rows[kind, "sharp", "safety-critical"].caught.value == 1
        assert rows[kind, "sharp", "safety-critical"].false_alarms.value == 0
    assert rows["scale", "sharp", "default"].n == 4
    assert ("scale", "steady", "default") not in rows, "never asked on clean scenes, so nothing was planted"


def test_faults_are_answered_by_the_other_backend_and_nothing_is_lost(document):
    row = only(f for f in document.faulted if f.system == "default")
    assert row.faults > 0
    assert row.lost == 0
    assert row.reasons
    assert row.n == 12, "clean, and both damages of severity 3"
    assert row.utility.value > row.utility_well


def test_targets_are_told_with_their_numbers(document):
    found = {(t.name.split(",")[0], t.system): t for t in document.targets}
    worse = found["no worse than the better backend alone", "default"]
    assert worse.value == close(4 / 5)
    assert not worse.met
    assert "loses 1" in worse.detail
    assert found["planted hallucinations caught", "safety-critical"].value == 1
    assert found["no request is lost to a fault", "all"].met


def test_a_cell_where_routing_loses_is_told_on_the_first_page(document):
    text = markdown(document)
    first = text.index("## Where routing loses")
    assert first < text.index("## depth\n")
    assert "default, depth, fog1 | 0.090 | steady 0.080 | 0.010 [0.010, 0.010]" in text


def test_the_same_again_is_the_same_and_asks_no_model(document, matrix, bench, tmp_path):
    asked = [backend.asked for backend in bench.backends.values()]
    again = conduct(PLAN, matrix, bench, tmp_path)
    assert again.scores == document.scores
    assert again.shots == document.shots
    assert again.planted == document.planted
    assert [backend.asked for backend in bench.backends.values()] == asked


def test_a_document_with_every_part_reads_back(document):
    read = Document.from_json(document.to_json())
    assert read == document
    assert "NaN" not in document.to_json()
    assert not any(math.isnan(s.utility.value) for s in read.scores)


def test_a_promise_that_cannot_be_told_is_not_met():
    for target in targets(["default"], [], [], [], []):
        assert target.value is None
        assert not target.met
