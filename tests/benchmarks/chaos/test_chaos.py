"""No policy loses a request, whatever fault strikes whom; the safety-critical one vouches for no planted answer. And the
tool that says so sees it where it is not so."""

import re
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from visionrouter.backends import faulty
from visionrouter.benchmarks.chaos import run as running
from visionrouter.benchmarks.chaos.faults import IN_PROCESS, Fault, faults_named
from visionrouter.benchmarks.chaos.matrix import Cell, cells
from visionrouter.benchmarks.chaos.run import VOUCHED, run
from visionrouter.benchmarks.chaos.setting import FAKES
from visionrouter.benchmarks.chaos.table import as_document, as_text
from visionrouter.engine import deadline
from visionrouter.policies import preset_names
from visionrouter.schema.decision import Outcome
from visionrouter.schema.errors import PolicyError, RequestError
from visionrouter.schema.task import Task

DEADLINE_MS = 400.0
IN_THREADS = tuple(fault for fault in Fault if fault not in IN_PROCESS)
AT_ONCE = tuple(
    fault for fault in IN_THREADS if fault not in (Fault.TIMEOUT, Fault.HANG_IN_THREAD, Fault.SLOW)
)
MATRIX = [str(cell) for cell in cells(tuple(Fault), tuple(FAKES))]


def rows_of(policy, faults, task=Task.DEPTH, **options):
    made = run(policy, faults, task, **{"deadline_ms": DEADLINE_MS, **options})
    return {str(Cell(row.fault, row.where)): row for row in made}


@pytest.fixture(scope="module")
def safe():
    return rows_of("safety-critical", tuple(Fault), deadline_ms=800.0)


@pytest.mark.parametrize("cell", MATRIX)
def test_safety_critical_ends_each_cell_in_an_agreed_answer_or_in_none(safe, cell):
    row = safe[cell]
    assert not row.lost
    assert not row.wrong
    if row.where == "all" and row.fault is not Fault.SLOW:
        assert row.outcome == Outcome.ABSTAINED
        assert row.reason in ("no_answer", "deadline_exceeded", "disagreement")
    else:
        assert Outcome(row.outcome) in VOUCHED, "one of three who fails costs no answer"
        assert not [note for note in row.notes if note.startswith("unchecked")]


@pytest.mark.parametrize(
    "more", [{"attempt_timeout_ms": 100}, {"reserve_share": 0.5}, {"reserve_ms": 250}, {}], ids=str
)
def test_where_time_is_kept_for_those_after_it_one_who_never_answers_costs_no_answer(more):
    route = {"try": ["specialist", "generative"], "check_with": {"backend": "any"}, **more}
    policy = {"schema_version": 1, "name": "in-time", "default": {"route": route}}
    rows = rows_of(policy, (Fault.TIMEOUT, Fault.HANG_IN_THREAD))
    assert {row.outcome for row in rows.values() if row.where == "all"} == {Outcome.ABSTAINED}
    unanswered = [r for r in rows.values() if r.where != "all" and Outcome(r.outcome) not in VOUCHED]
    assert bool(unanswered) == (not more)


def test_the_matrix_is_whole(safe):
    assert list(safe) == MATRIX


@pytest.mark.parametrize(
    ("fault", "noticed"),
    [
        ("exception", "backend_error"),
        ("out_of_memory", "out_of_memory"),
        ("hang", "hung"),
        ("seize", "hung"),
        ("crash", "crashed"),
        ("nan", "invalid_output"),
        ("wrong_shape", "invalid_output"),
        ("wrong_kind", "invalid_output"),
        ("constant", "invalid_output"),
        ("corrupted_weights", "not_loaded"),
        ("full_queue", "overloaded"),
        ("timeout", "timeout"),
        ("hang_in_thread", "timeout"),
    ],
)
def test_each_fault_is_told_by_its_reason(safe, fault, noticed):
    row = safe[f"{fault} all"]
    assert noticed in row.noticed
    assert row.outcome == Outcome.ABSTAINED


def test_the_table_in_the_docs_is_what_the_command_prints(safe):
    """But for the times."""

    def plain(line):
        return " ".join(re.sub(r"\s+\d+$", "", line).split())

    told = {
        plain(line) for line in (Path(__file__).parents[3] / "docs" / "chaos.md").read_text().splitlines()
    }
    lines = as_text(list(safe.values())).splitlines()[:-2]
    assert len(lines) == 1 + len(MATRIX)
    assert not [line for line in map(plain, lines) if line not in told]


def test_stale_weights_are_outvoted_by_those_who_know_better(safe):
    assert safe["stale_digest first: specialist-1"].noticed == ("outvoted",)
    assert safe["stale_digest first: specialist-1"].by == ("specialist-2",)
    assert safe["stale_digest all"].outcome == Outcome.ABSTAINED


def test_a_full_disk_costs_no_answer_and_what_is_not_written_is_told(safe):
    assert safe["disk_full telemetry"].notes == ("written 0", "logged")
    assert safe["disk_full ledger"].notes == ("written 0, spilled 1, lost 0", "logged")


@pytest.mark.parametrize("policy", sorted(set(preset_names()) - {"safety-critical"}))
def test_no_preset_loses_a_request(policy):
    rows = rows_of(policy, IN_THREADS)
    assert not [row for row in rows.values() if row.lost]
    wrong = {row.fault for row in rows.values() if row.wrong}
    assert wrong == {Fault.STALE_DIGEST}, "limits alone cannot tell a good signal of other weights"


def test_nor_does_the_default_where_processes_die():
    rows = rows_of("default", (Fault.CRASH,))
    assert not [row for row in rows.values() if row.lost or row.wrong]
    assert rows["crash first: specialist-1"].outcome == Outcome.FELL_BACK


@pytest.mark.parametrize("task", sorted(set(Task) - {Task.COMPOSITE, Task.DEPTH, Task.INTRINSICS}))
def test_safety_critical_is_contradicted_on_every_task_but_where_all_err_alike(task):
    rows = rows_of("safety-critical", AT_ONCE, task)
    assert not [row for row in rows.values() if row.lost]
    assert {cell for cell, row in rows.items() if row.wrong} == {"constant all"}


def test_one_albedo_for_all_is_found_out_as_one_depth_is():
    rows = rows_of("safety-critical", (Fault.CONSTANT, Fault.NAN, Fault.STALE_DIGEST), Task.INTRINSICS)
    assert not [row for row in rows.values() if row.lost or row.wrong]
    assert rows["constant all"].noticed == rows["nan all"].noticed == ("invalid_output",)


def by_risk(**more):
    route = {"try": ["specialist", "generative"], "accept": {"risk": 0.05}, **more}
    return {"schema_version": 1, "name": "by-risk", "default": {"route": route}}


def test_a_certificate_does_not_cover_weights_that_it_was_not_made_with():
    rows = rows_of(by_risk(), (Fault.STALE_DIGEST,))
    assert rows["none"].reason == "certified"
    assert rows["stale_digest first: specialist-1"].noticed == ("uncertified",)
    assert rows["stale_digest all"].outcome == Outcome.ABSTAINED
    assert not [row for row in rows.values() if row.wrong]


def test_a_policy_that_names_its_backends_gets_fakes_of_those_names():
    route = {"try": ["yolo", "sam"], "merge": True}
    rows = rows_of({"schema_version": 1, "name": "own", "default": {"route": route}}, (Fault.EXCEPTION,))
    assert rows["none"].outcome == Outcome.MERGED
    assert rows["exception first: yolo"].by == ("sam",)
    assert not [row for row in rows.values() if row.wrong]


def test_a_matrix_is_the_same_at_each_run():
    def made():
        rows = [replace(row, ms=0.0) for row in rows_of("ab", AT_ONCE).values()]
        return as_document(rows)

    assert made() == made()


INLINE = """
schema_version: 1
name: inline
backends: {here: {use: fake, limits: {depth: {score: {min: 0.5}}}}}
"""


def test_a_request_that_hangs_on_its_own_thread_is_lost(tmp_path):
    (tmp_path / "inline.yaml").write_text(INLINE)
    picture = tmp_path / "noise.png"
    save_noise(picture)
    asked = {"profile": tmp_path / "inline.yaml", "image": picture, "deadline_ms": 100.0}
    rows = rows_of("default", (Fault.HANG_IN_THREAD, Fault.EXCEPTION), **asked)
    assert rows["hang_in_thread only: here"].lost
    assert not rows["exception only: here"].lost
    assert "LOST" in as_text(list(rows.values()))


def save_noise(path):
    pixels = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(path)


def test_a_deadline_that_reads_the_wall_clock_is_found(monkeypatch):
    def wall():
        return time.time()

    monkeypatch.setattr(deadline, "perf_counter", wall)
    rows = rows_of("default", (Fault.CLOCK_JUMP,))
    assert rows["clock_jump forwards"].lost


def test_weights_that_are_not_verified_are_found(monkeypatch):
    monkeypatch.setattr(faulty, "verify", lambda folder, digests: None)
    rows = rows_of("default", (Fault.CORRUPTED_WEIGHTS,))
    assert rows["corrupted_weights first: specialist-1"].noticed == ("within_limits",)


def test_a_machine_that_stalls_once_is_no_loss(monkeypatch):
    """Not even in the row that the others are held against."""
    run_cell, stalled = running.run_cell, []

    def stalling(made, cell):
        row = run_cell(made, cell)
        if cell.fault in stalled:
            return row
        stalled.append(cell.fault)
        return replace(row, outcome=Outcome.FAILED, by=(), reason="deadline_exceeded")

    monkeypatch.setattr(running, "run_cell", stalling)
    rows = rows_of("default", (Fault.CLOCK_JUMP, Fault.DISK_FULL))
    assert set(stalled) == {Fault.NONE, Fault.CLOCK_JUMP, Fault.DISK_FULL}
    assert not [row for row in rows.values() if row.lost]


def test_a_record_that_is_lost_without_a_word_is_found(monkeypatch):
    class Silent:
        def record(self, decision):
            pass

    @contextmanager
    def silent():
        yield Silent(), lambda: "written 0"

    monkeypatch.setattr(running, "full_telemetry", silent)
    rows = rows_of("default", (Fault.DISK_FULL,))
    assert rows["disk_full telemetry"].lost
    assert not rows["disk_full ledger"].lost


def test_faults_by_name():
    assert faults_named("crash, nan") == (Fault.CRASH, Fault.NAN)
    assert faults_named("all") == tuple(Fault)[1:]
    with pytest.raises(RequestError, match="no fault is called nun, xyz"):
        faults_named("nan,nun,xyz")
    with pytest.raises(RequestError, match="no fault was named"):
        faults_named(" , ")


@pytest.mark.parametrize(
    ("policy", "options", "error"),
    [
        ("no-such", {}, PolicyError),
        ("default", {"task": Task.COMPOSITE}, RequestError),
        ("default", {"profile": "nano"}, RequestError),
    ],
)
def test_a_users_mistake_is_told(policy, options, error):
    with pytest.raises(error):
        next(run(policy, **options))
