"""The small benchmark, for real: shipped weights on rendered towns and a street that they do not know.

The thresholds lie between what is measured and what a broken gate, decoder or weight would give; they hold for the
embedded backbone's four test scenes of seed 7, and are no claims about it.
"""

import json

import pytest
from click.testing import CliRunner

from visionrouter.benchmarks.rainy.document import Document
from visionrouter.benchmarks.rainy.leaderboard import read
from visionrouter.benchmarks.rainy.store import Store
from visionrouter.cli.main import cli

CHOSEN = ["--profile", "proving-ground", "--conditions", "fog4,night4,street", "--scenes", "4", "--seed", "7"]
WORDS = [*CHOSEN, "--tasks", "depth,segment.referring", "--policies", "default,safety-critical", "--plants", "4",
         "--faults", "0.1", "--draws", "200"]  # fmt: skip


def bench(folder, name, *words):
    done = CliRunner().invoke(
        cli, ["bench", *words, "--out", str(folder / name), "--store", str(folder / "store")]
    )
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rainy")
    done = bench(folder, "first", "rainy-day", *WORDS, "--leaderboard", str(folder / "board.jsonl"))
    return folder, done, Document.load(folder / "first" / "rainy-day.json")


def test_the_backbone_is_worth_on_its_home_ground_what_it_was(made):
    document = made[2]
    nano = next(s for s in document.summaries if (s.task, s.system) == ("depth", "nano"))
    assert nano.clean.value > 0.90
    assert nano.mpc.value > 0.85
    assert nano.metrics_clean["depth d1"] > 0.9
    assert document.score("segment.referring", "clean", "nano").metrics["ref cIoU"] > 0.6


def test_the_gate_vouches_at_home_and_keeps_silent_abroad(made):
    document = made[2]
    for system in ("default", "safety-critical"):
        assert document.score("depth", "clean", system).coverage.value >= 0.75
        assert document.score("depth", "street", system).coverage.value <= 0.25
    alone = document.score("depth", "street", "nano")
    assert document.score("depth", "street", "safety-critical").utility.value < alone.utility.value
    vouched = [s for s in document.shots if s.system == "safety-critical" and s.vouched]
    assert sum(s.loss > 0.1 for s in vouched if s.task == "depth") <= 2


def test_planted_depths_are_never_believed_and_right_ones_are(made):
    """In a backend that nobody vouches for, and in the one that is vouched for: there the other contradicts."""
    rows = [p for p in made[2].planted if (p.system, p.task) == ("safety-critical", "depth")]
    assert {(p.backend, p.plant) for p in rows} == {
        (backend, plant) for backend in ("scene_unet", "nano") for plant in ("scale", "other_scene")
    }
    assert all(p.n == 4 and p.caught.value == 1 for p in rows)
    assert all(p.would_be_good >= 3 and p.false_alarms.value <= 0.25 for p in rows)


def test_what_is_referred_to_is_seldom_planted_with_success(made):
    rows = [p for p in made[2].planted if (p.system, p.task) == ("safety-critical", "segment.referring")]
    planted = sum(p.n for p in rows)
    assert planted >= 8
    assert sum(p.n * p.caught.value for p in rows if p.n) >= 0.8 * planted


def test_a_tenth_of_the_calls_may_fail_and_every_request_has_a_result(made):
    rows = made[2].faulted
    assert sum(row.faults for row in rows) > 0
    assert all(row.lost == 0 for row in rows)


def test_it_writes_what_it_says_it_writes(made):
    folder, done, document = made
    text = (folder / "first" / "rainy-day.md").read_text()
    assert text.index("## Targets") < text.index("## Where routing loses") < text.index("## depth\n")
    assert "rainy-day.json" in done.output
    assert "planted hallucinations caught, safety-critical" in done.output
    assert {line["system"] for line in read(folder / "board.jsonl")} >= {"nano", "default"}
    for failure in document.failures:
        found = {path.name for path in (folder / "first" / failure.folder).iterdir()}
        assert found >= {"picture.png", "side_by_side.png", "truth.png", "result.json"}
    assert document.machine.cores > 0
    assert all(system.weights for system in document.systems if system.kind != "oracle")


def test_the_same_again_asks_no_model_and_finds_the_same(made):
    folder, _, first = made
    store = Store(folder / "store")
    before = len(store)
    bench(folder, "second", "rainy-day", *WORDS)
    second = Document.load(folder / "second" / "rainy-day.json")
    assert len(store) == before
    assert second.scores == first.scores
    assert second.shots == first.shots
    store.close()


def test_the_frontier_is_swept_on_the_same_answers(made):
    folder = made[0]
    done = bench(folder, "frontier", "frontier", *CHOSEN, "--tasks", "depth", "--signals", "familiarity")
    (found,) = json.loads((folder / "frontier" / "frontier.json").read_text())["tasks"]
    assert (found["first"], found["second"]) == ("scene_unet", "nano")
    assert {curve["signal"] for curve in found["curves"]} == {"familiarity"}
    assert "Area below the line of random routing" in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--policies", "no-such.yaml"], "no-such.yaml"),
        (["--conditions", "hail"], "no condition hail"),
        (["--tasks", "juggle"], "is no task"),
        (["--faults", "1.5"], "shares of calls between 0 and 1"),
        (["--data", "mars"], "unknown source"),
    ],
)
def test_a_mistake_is_told_before_anything_is_run(tmp_path, words, told):
    done = CliRunner().invoke(cli, ["bench", "rainy-day", *words, "--out", str(tmp_path / "out")])
    assert done.exit_code != 0
    assert told in f"{done.output}{done.exception}"
