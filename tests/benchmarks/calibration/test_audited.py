"""Labels of live traffic make a calibration that the router they came from takes; what was made otherwise is left out."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.benchmarks.calibration.audited import audited_rows, calibrate_on_ledger
from visionrouter.benchmarks.calibration.fit import Levels, calibrate
from visionrouter.cli.calibrate import calibrate as command
from visionrouter.confidence.documents import save_calibration
from visionrouter.ledger import Audit, Label, Ledger, LedgerReader
from visionrouter.ledger.store import label_existing
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.errors import CalibrationError
from visionrouter.schema.task import Task

PHOTO = np.zeros((8, 8, 3), np.uint8)
NOISE = np.random.default_rng(0).uniform(0, 1, 500)


def backend(weights="ab" * 32):
    made = FakeBackend("a", script=lambda query: Answer(signals={"noise": float(NOISE[query.seed])}))
    made.spec = replace(made.spec, weights_digest=weights)
    return made


def policy(accept="always"):
    route = {"try": ["a"], "accept": accept}
    at_night = {"name": "night", "when": 'request.tags["when"] == "night"', "route": route}
    return {"schema_version": 1, "name": "p", "rules": [at_night], "default": {"route": route}}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """500 answers, good where their noise is small; labelled by who looked at them, but for every tenth."""
    where = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with Ledger(where, audit=Audit(0.8)) as kept, Router([backend()], policy(), sinks=[kept]) as router:
        made = [
            router.run(PHOTO, Task.DEPTH, seed=i, tags={"camera": str(i % 250), "when": "night" if i % 2 else "day"})
            for i in range(500)
        ]  # fmt: skip
    good = np.random.default_rng(1).random(500) < 1 / (1 + np.exp(20 * (NOISE - 0.6)))
    label_existing(where, [Label(made[i].decision.request_id, float(good[i])) for i in range(500) if i % 10])
    return where


def test_a_ledger_calibrates_the_router_that_filled_it(ledger, tmp_path):
    with LedgerReader(ledger) as reader, Router([backend()], policy()) as router:
        found = audited_rows(reader, router, Task.DEPTH, scene="camera")
    assert found.left_out == {"not drawn for an audit": 450 - len(found.rows)}
    assert 320 < len(found.rows) < 400
    assert len({row.scene for row in found.rows}) <= 250
    done = calibrate(found.rows, found.made_with, Levels(0.2, 0.1), data="a ledger")
    save_calibration(done.document, tmp_path / "a.json")
    given = policy({"risk": 0.2, "delta": 0.1})
    with Router([backend()], given, calibrations=[tmp_path / "a.json"]) as router:
        sure, unsure = (router.run(PHOTO, Task.DEPTH, seed=int(i)) for i in np.argsort(NOISE)[[5, -5]])
    assert sure.decision.reason is Reason.CERTIFIED
    assert not unsure.answered


def test_what_would_be_made_otherwise_is_left_out(ledger):
    with LedgerReader(ledger) as reader:
        with Router([backend("cd" * 32)], policy()) as router:
            found = audited_rows(reader, router, Task.DEPTH)
        assert (found.rows, "made with other weights" in found.left_out) == ((), True)
        with Router([backend()], policy({"evidence": {"noise": {"max": 1}}})) as router:
            found = audited_rows(reader, router, Task.DEPTH)
        assert (found.rows, "made under another policy" in found.left_out) == ((), True)


def test_answers_are_thinned_to_the_least_probability(tmp_path):
    where = tmp_path / "ledger.db"
    failing = FakeBackend("a", script=lambda q: Answer(signals={"noise": 2.0 * (q.seed % 2)}))
    second = FakeBackend("b", script=Answer(signals={"noise": 0.5}))
    route = {"try": ["a", "b"], "accept": {"evidence": {"noise": {"max": 1}}}}
    given = {"schema_version": 1, "name": "p", "default": {"route": route}}
    with (
        Ledger(where, audit=Audit(1.0, {Outcome.FELL_BACK: 0.25})) as kept,
        Router([failing, second], given, sinks=[kept]) as router,
    ):
        ids = [router.run(PHOTO, Task.DEPTH, seed=i).decision.request_id for i in range(400)]
        kept.flush()
        label_existing(where, [Label(key, 1.0) for key in ids])
        with LedgerReader(where) as reader:
            found = audited_rows(reader, router, Task.DEPTH)
    counts = [sum(row.subject == name for row in found.rows) for name in "ab"]
    assert all(20 < count < 85 for count in counts)
    assert found.left_out["thinned to the least audit probability"] == 200 - counts[0]


def test_nothing_to_calibrate_on_says_why(ledger):
    with pytest.raises(
        CalibrationError, match=r"no audited answer to depth can be used: .*under another policy"
    ):
        calibrate_on_ledger(ledger, "nano", "default", Task.DEPTH, Levels(0.1, 0.1))
    with pytest.raises(CalibrationError, match="none has a label"):
        calibrate_on_ledger(ledger, "nano", "default", Task.DEPTH, Levels(0.1, 0.1), metric="absrel")


def test_the_command_line(ledger, tmp_path):
    words = ["--task", "depth", "--ledger", str(ledger), "--out", str(tmp_path / "a.json")]
    with pytest.raises(CalibrationError, match="under another policy"):
        CliRunner().invoke(command, words, catch_exceptions=False)
    both = CliRunner().invoke(command, [*words, "--rows", "rows.jsonl"])
    assert (both.exit_code, "a ledger keeps its own" in both.output) == (2, True)


def test_the_command_line_to_the_end(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(Router, "from_profile", lambda *_: Router([backend()], policy()))
    out, pages = tmp_path / "a.json", tmp_path / "pages"
    words = ["--task", "depth", "--ledger", str(ledger), "--out", str(out), "--report", str(pages)]
    done = CliRunner().invoke(command, [*words, "--alpha", "0.2"], catch_exceptions=False)
    assert (done.exit_code, out.exists(), (pages / "a-depth.html").exists()) == (0, True, True)
    assert "not drawn for an audit" in done.output
