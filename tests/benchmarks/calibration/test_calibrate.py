"""`visionrouter calibrate`, for real: the embedded detector on rendered streets, certified, and taken by the router."""

import json
import re

import pytest
from click.testing import CliRunner

from visionrouter.benchmarks.calibration.collect import load_rows
from visionrouter.benchmarks.confidence.systems import alone, by_item, gated, score
from visionrouter.benchmarks.labelled.opening import open_source
from visionrouter.cli.main import cli
from visionrouter.confidence.documents import load_calibration
from visionrouter.router import Router
from visionrouter.schema.decision import Reason
from visionrouter.schema.task import Task

ITEMS = 48
DATA = "scenes:street"
POLICY = """
schema_version: 1
name: found
default:
  route: {try: [nanodet], accept: {risk: 0.6, delta: 0.2}, evidence: [input_quality], otherwise: abstain}
"""


def calibrate(folder, *words, policy=POLICY):
    (folder / "policy.yaml").write_text(policy)
    options = ["--policy", str(folder / "policy.yaml"), "--out", str(folder / "made.json"), *words]
    return CliRunner().invoke(cli, ["calibrate", "--task", "detect", "--data", DATA, *options])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A calibration, its rows and its report."""
    folder = tmp_path_factory.mktemp("calibration")
    done = calibrate(
        folder, "--n", str(ITEMS), "--conditions", "clean,noise2", "--alpha", "0.6", "--delta", "0.2",
        "--rows", str(folder / "rows.jsonl"), "--report", str(folder / "report"),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return folder, done


def test_it_says_what_it_found_and_writes_what_it_says(made):
    folder, done = made
    assert re.search(r"\d+ items, \d+ of them bad", done.output)
    document = load_calibration(folder / "made.json")
    (subject,) = document.subjects
    assert (subject.scope.subject, subject.scope.task) == ("nanodet", Task.DETECT)
    assert {"score", "input_noise"} <= set(subject.sample) | {n for n, _ in document.calibrators[0].dropped}
    assert "<svg" in (folder / "report" / "nanodet-detect.html").read_text()
    rows = load_rows(folder / "rows.jsonl")
    assert len({row.item for row in rows}) == ITEMS
    assert {row.tags["condition"] for row in rows} == {"clean", "noise2"}
    assert len({row.scene for row in rows}) == len(rows), "every condition has scenes of its own"


def test_rows_that_are_there_are_not_asked_for_again(made):
    folder, _ = made
    before = (folder / "rows.jsonl").read_text()
    again = calibrate(
        folder, "--n", str(ITEMS), "--conditions", "clean,noise2", "--alpha", "0.7",
        "--rows", str(folder / "rows.jsonl"),
    )  # fmt: skip
    assert again.exit_code == 0
    assert (folder / "rows.jsonl").read_text() == before


def test_rows_of_another_route_are_refused(made):
    folder, _ = made
    other = calibrate(
        folder, "--n", "20", "--rows", str(folder / "rows.jsonl"),
        policy=POLICY.replace("[input_quality]", "[input_quality, flip]"),
    )  # fmt: skip
    assert "made along another route" in str(other.exception)


def test_the_router_takes_the_file_and_holds_what_it_says(made):
    folder, _ = made
    (folder / "policy.yaml").write_text(POLICY)
    items = list(open_source(DATA, "test").items(Task.DETECT, 4))
    with Router.from_profile("nano", folder / "policy.yaml", calibrations=[folder / "made.json"]) as router:
        results = [router.run(i.image, i.instruction, tags=i.tags) for i in items]
    reasons = {result.decision.attempts[0].verdict.reason for result in results}
    assert reasons <= {
        Reason.CERTIFIED, Reason.CONFIDENCE_LOW, Reason.EXTRAPOLATED, Reason.NOTHING_FOUND, Reason.UNCERTIFIED,
    }  # fmt: skip
    for result in results:
        assert (result.risk is not None) is (result.decision.reason is Reason.CERTIFIED)
        assert result.answered is (result.risk is not None)


def test_systems_scored_from_rows_agree_with_the_rows(made):
    folder, _ = made
    document, rows = load_calibration(folder / "made.json"), load_rows(folder / "rows.jsonl")
    items = by_item(rows)
    plain = score(items, alone("nanodet"), Task.DETECT)
    careful = score(items, gated(["nanodet"], document), Task.DETECT)
    assert plain.coverage == 1
    assert plain.risk == pytest.approx(sum(row.loss > 0.5 for row in rows) / len(rows))
    assert careful.coverage <= plain.coverage
    if careful.coverage:
        assert careful.risk <= plain.risk
    assert careful.seconds >= plain.seconds


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--data", "moon"], "unknown source"),
        (["--conditions", "hail3"], "no condition hail3"),
        (["--data", "depth:/nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_told(tmp_path, words, complaint):
    assert complaint in str(calibrate(tmp_path, *words).exception)


def test_an_edited_file_is_refused(made):
    folder, _ = made
    data = json.loads((folder / "made.json").read_text())
    data["calibrators"][0]["intercept"] += 1
    (folder / "edited.json").write_text(json.dumps(data))
    (folder / "policy.yaml").write_text(POLICY)
    with pytest.raises(Exception, match="edited after it was made"):
        Router.from_profile("nano", folder / "policy.yaml", calibrations=[folder / "edited.json"])
