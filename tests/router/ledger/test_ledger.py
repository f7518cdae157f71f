"""What is recorded comes back, in both databases; nothing that goes wrong reaches the answer, and nothing is lost unsaid."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy

from visionrouter.backends.fake import FakeBackend
from visionrouter.ledger import Audit, Filter, Label, Ledger, LedgerReader
from visionrouter.ledger.connect import open_engine
from visionrouter.ledger.migrations import STEPS, Migration, migrate
from visionrouter.ledger.tables import metadata
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Sink
from visionrouter.schema.errors import LedgerError, LedgerVersionError
from visionrouter.schema.task import Task

PHOTO = np.zeros((48, 64, 3), np.uint8)


def execute(where, *statements):
    engine = open_engine(where, writing=True)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sqlalchemy.text(statement))
    engine.dispose()


def test_decisions_come_back_as_they_were(where, decide):
    made = [decide(i) for i in range(500)]
    made[7] = decide(7, children=(decide(1), decide(2)), skipped=(("x", decide().reason),), deadline_ms=5.5)
    with Ledger(where, batch=64) as ledger:
        assert isinstance(ledger, Sink)
        for decision in made:
            ledger.record(decision)
        assert ledger.flush()
        assert (ledger.stats.written, ledger.stats.waiting, ledger.stats.lost) == (500, 0, 0)
        with LedgerReader(where) as reader:  # while it is being written
            assert [record.decision for record in reader.records()] == made
            assert [record.decision for record in reader.tail(3)] == made[-3:]
            assert reader.show(made[7].request_id)[0].decision == made[7]
            assert [r.seq for r in reader.records()] == list(range(1, 501))
            now_us = time.time_ns() // 1000
            assert all(0 <= now_us - r.recorded_us < 60_000_000 for r in reader.tail(500))
            assert [r.decision for r in reader.records(Filter(variant="nano", task="depth"))] == made[::2]
            assert reader.gaps() == []


def test_closing_writes_what_waits_and_reopening_goes_on(where, decide):
    for start in (0, 10):
        ledger = Ledger(where, flush_s=60)
        for i in range(start, start + 10):
            ledger.record(decide(i))
        ledger.close()
        ledger.close()
    with LedgerReader(where) as reader:
        assert [r.decision for r in reader.records()] == [decide(i) for i in range(20)]
        assert reader.verify().whole


def test_a_router_writes_every_decision_with_its_variant(where):
    policy = {
        "schema_version": 1, "name": "p", "default": {"route": {"try": ["any"], "accept": "always"}},
        "experiment": {
            "name": "e", "unit": 'request.tags["camera"]',
            "arms": [
                {"name": "a", "weight": 0.5, "policy": "self"},
                {"name": "b", "weight": 0.5, "route": {"try": ["any"], "accept": "always", "otherwise": "best_effort"}},
            ],
        },
    }  # fmt: skip
    with Ledger(where) as ledger, Router([FakeBackend()], policy, sinks=[ledger]) as router:
        made = [
            router.run(PHOTO, "how far is each car?", tags={"camera": str(i)}).decision for i in range(20)
        ]
        ledger.flush()
        with LedgerReader(where) as reader:
            assert [r.decision for r in reader.records()] == made
            arms = [len(reader.tail(99, Filter(experiment="e", variant=v))) for v in "ab"]
    assert sum(arms) == 20
    assert all(arms)


def test_two_processes_worth_of_writers_share_one_ledger(where, decide):
    ledgers = [Ledger(where, batch=5, flush_s=0.01) for _ in range(3)]

    def write(ledger, first):
        for i in range(first, first + 60):
            ledger.record(decide(i))
            time.sleep(0.0005)

    threads = [threading.Thread(target=write, args=(ledger, 100 * n)) for n, ledger in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ledger in ledgers:
        ledger.close()
        assert ledger.stats.lost == 0
    with LedgerReader(where) as reader:
        assert [r.seq for r in reader.records()] == list(range(1, 181))
        assert reader.verify().whole


KILLED = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from visionrouter.ledger import Ledger
from visionrouter.schema.decision import Decision, Outcome, Reason
from visionrouter.schema.task import Task
ledger = Ledger({where!r}, flush_s=0.05, batch=20)
for i in range(10**9):
    ledger.record(Decision(f"{{i:08d}}", Task.DEPTH, "depth", Outcome.ACCEPTED, Reason.WITHIN_LIMITS, "p", "h", "default"))
    if i % 100 == 0 and ledger.flush():
        print(i, flush=True)
    time.sleep(0.0002)
"""


def test_kill_9_loses_what_was_not_flushed_and_corrupts_nothing(where, tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(tests=str(tmp_path), where=str(where))],
        stdout=subprocess.PIPE,
        text=True,
    )
    flushed = 0
    for line in child.stdout:
        flushed = int(line)
        if flushed >= 500:
            break
    time.sleep(0.033)
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate()
    flushed = int(rest.split()[-1]) if rest.split() else flushed
    with LedgerReader(where) as reader:
        ids = [r.decision.request_id for r in reader.records()]
        assert reader.verify().whole
    assert ids == [f"{i:08d}" for i in range(len(ids))]
    assert len(ids) > flushed
    if not str(where).startswith("postgres"):
        assert sqlite3.connect(where).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Ledger(where) as ledger:
        assert ledger.flush()


def refuse(where):
    """From now on no decision can be written."""
    execute(where, "ALTER TABLE decisions RENAME TO hidden")


def mend(where):
    execute(where, "ALTER TABLE hidden RENAME TO decisions")


def test_a_database_that_fails_harms_no_answer_and_is_caught_up_with(where, caplog):
    with Ledger(where, flush_s=0.01) as ledger, Router([FakeBackend()], sinks=[ledger]) as router:
        router.run(PHOTO, Task.DETECT)
        assert ledger.flush()
        refuse(where)
        during = [router.run(PHOTO, Task.DETECT) for _ in range(30)]
        assert all(result.answered for result in during)
        assert not ledger.flush(0.3)
        stats = ledger.stats
        assert stats.failing
        assert stats.failed_writes > 0
        assert stats.waiting == 30
        mend(where)
        assert ledger.flush()
        assert (ledger.stats.failing, ledger.stats.written, ledger.stats.lost) == (None, 31, 0)
    assert len([r for r in caplog.records if "cannot be written" in r.message]) == 1
    assert len([r for r in caplog.records if "written again" in r.message]) == 1
    with LedgerReader(where) as reader:
        assert len(reader.tail(99)) == 31
        assert reader.verify().whole


def test_connections_that_are_cut_are_made_anew(postgres_url, decide):
    with Ledger(postgres_url, flush_s=0.01) as ledger:
        for i in range(5):
            for k in range(20):
                ledger.record(decide(100 * i + k))
            execute(
                postgres_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND usename = 'tester'",
            )
            assert ledger.flush()
        assert (ledger.stats.written, ledger.stats.lost) == (100, 0)
    with LedgerReader(postgres_url) as reader:
        assert reader.verify().whole
        assert reader.verify().records == 100


def test_a_path_may_have_any_characters(tmp_path, decide):
    where = tmp_path / "a ledger? no. 1 %23#.db"
    with Ledger(where) as ledger:
        ledger.record(decide(1))
    with LedgerReader(where) as reader:
        assert reader.tail()[0].decision == decide(1)
    assert where.is_file()


def test_a_full_queue_drops_counts_and_leaves_a_gap(tmp_path, decide):
    where = tmp_path / "ledger.db"
    with Ledger(where, queue_limit=10, flush_s=0.01) as ledger:
        refuse(where)
        ledger.record(decide(0))
        until = time.monotonic() + 10
        while not ledger.stats.failing and time.monotonic() < until:
            time.sleep(0.005)
        for i in range(1, 31):
            ledger.record(decide(i))
        lost = ledger.stats.lost
        assert lost >= 20
        mend(where)
        assert ledger.flush()
        assert ledger.stats.written == 31 - lost
    with LedgerReader(where) as reader:
        assert [(gap.lost, gap.reason) for gap in reader.gaps()] == [(lost, "queue_full")]


def test_blocking_waits_no_longer_than_told_and_then_drops(tmp_path, decide):
    where = tmp_path / "ledger.db"
    with Ledger(where, queue_limit=2, flush_s=0.01, overflow="block", block_ms=30) as ledger:
        refuse(where)
        ledger.record(decide(0))
        until = time.monotonic() + 10
        while not ledger.stats.failing and time.monotonic() < until:
            time.sleep(0.005)
        for i in range(1, 3):
            ledger.record(decide(i))
        start_s = time.monotonic()
        ledger.record(decide(3))
        assert time.monotonic() - start_s >= 0.029
        assert ledger.stats.lost == 1
        mend(where)
        assert ledger.flush()
        for i in range(100):
            ledger.record(decide(i))
        assert ledger.flush()
        assert ledger.stats.lost == 1


def test_what_does_not_fit_is_spilled_and_read_back(tmp_path, decide):
    where = tmp_path / "ledger.db"
    with Ledger(where, queue_limit=10, flush_s=0.01, overflow="spill") as ledger:
        refuse(where)
        for i in range(200):
            ledger.record(decide(i))
        assert ledger.stats.spilled >= 180
        assert list((tmp_path / "ledger.db.spill").iterdir())
        mend(where)
        assert ledger.flush()
        assert ledger.stats.lost == 0
        assert not list((tmp_path / "ledger.db.spill").iterdir())
    with LedgerReader(where) as reader:
        assert sorted(r.decision.request_id for r in reader.records()) == [f"{i:016x}" for i in range(200)]
        assert {r.decision.request_id: r.decision for r in reader.records()}[f"{77:016x}"] == decide(77)
        assert reader.verify().whole


def test_a_spill_of_a_dead_process_is_read_once_and_its_torn_line_is_counted(tmp_path, decide):
    where, folder = tmp_path / "ledger.db", tmp_path / "spill"
    ledger = Ledger(where, queue_limit=5, flush_s=0.01, overflow="spill", spill_to=folder)
    refuse(where)
    for i in range(50):
        ledger.record(decide(i))
    ledger.close()  # gives up: all of it is in the spill
    assert ledger.stats.lost == 0
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    mend(where)
    (torn,) = list(folder.iterdir())[-1:]
    with torn.open("a") as file:
        file.write('{"recorded_us": 1, "decis')
    with Ledger(where, overflow="spill", spill_to=folder) as again:
        assert again.flush()
        assert again.stats.written == 50
    with LedgerReader(where) as reader:
        assert sorted(r.decision.request_id for r in reader.records()) == [f"{i:016x}" for i in range(50)]
        assert [(g.lost, g.reason) for g in reader.gaps()] == [(1, "spill_torn")]


def test_a_spill_file_that_was_stored_but_not_removed_is_not_stored_twice(tmp_path, decide):
    where, folder = tmp_path / "ledger.db", tmp_path / "spill"
    ledger = Ledger(where, queue_limit=1, flush_s=0.01, overflow="spill", spill_to=folder)
    refuse(where)
    for i in range(20):
        ledger.record(decide(i))
    ledger.close()
    mend(where)
    for path in folder.iterdir():
        execute(where, f"INSERT INTO spills (name) VALUES ('{path.name}')")  # as if killed before the removal
    with Ledger(where, overflow="spill", spill_to=folder) as again:
        assert again.flush()
        assert again.stats.written == 0
    assert not list(folder.iterdir())


def test_a_decision_that_cannot_be_stored_takes_no_other_with_it(where, decide):
    with Ledger(where) as ledger:
        ledger.record(decide(0))
        ledger.record(decide(1, tags={"camera": "\ud800"}))
        ledger.record(decide(2, unit="nul \x00 byte"))
        ledger.record(decide(3))
        assert ledger.flush()
        lost = ledger.stats.lost
    with LedgerReader(where) as reader:
        kept = [r.decision.request_id for r in reader.records()]
        assert kept[0] == decide(0).request_id
        assert kept[-1] == decide(3).request_id
        assert len(kept) == 4 - lost
        assert sum(gap.lost for gap in reader.gaps()) == lost
        assert "unserialisable" in {gap.reason for gap in reader.gaps()}
        assert reader.verify().whole


@pytest.mark.parametrize(
    ("on", "off", "said"),
    [
        ("PRAGMA max_page_count=1", "PRAGMA max_page_count=1000000", "full"),
        ("PRAGMA query_only=1", "PRAGMA query_only=0", "readonly"),
    ],
)
def test_a_disk_that_fills_up_or_turns_read_only_is_a_degradation(tmp_path, decide, on, off, said):
    """SQLite's own limits stand in for the disk: the errors are the same SQLITE_FULL and SQLITE_READONLY."""
    where = tmp_path / "ledger.db"
    pragma = [off]
    with Ledger(where, flush_s=0.01, queue_limit=50) as ledger, Router([FakeBackend()], sinks=[ledger]) as r:
        sqlalchemy.event.listen(ledger._store.engine, "checkout", lambda c, *_: c.execute(pragma[0]).close())
        ledger.record(decide(0))
        assert ledger.flush()
        pragma[0] = on
        for i in range(1, 200):
            ledger.record(decide(i, instruction="x" * 4000))
        assert r.run(PHOTO, Task.DETECT).answered
        assert not ledger.flush(0.3)
        assert said in ledger.stats.failing
        pragma[0] = off
        assert ledger.flush()
        assert ledger.stats.written + ledger.stats.lost == 201
    with LedgerReader(where) as reader:
        assert reader.verify().whole
        assert sum(gap.lost for gap in reader.gaps()) == ledger.stats.lost


@contextlib.contextmanager
def unprivileged():
    """As a user whom permissions bind, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def locked_folder():
    folder = Path(tempfile.mkdtemp(prefix="visionrouter-"))
    (folder / "ledger.db").touch()
    (folder / "ledger.db").chmod(0o444)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_folder_is_refused_at_the_start(locked_folder):
    with unprivileged(), pytest.raises(LedgerError, match="cannot be opened for writing"):
        Ledger(locked_folder / "ledger.db")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p / "missing" / "ledger.db", "does not exist"),
        (lambda p: p, "is a folder"),
        (lambda p: "mysql://me:secret@host/db", "a ledger is a SQLite file"),
        (lambda p: "postgresql://me:secret@localhost:1/db", "cannot be opened"),
        (lambda p: "://", "not a database URL"),
    ],
)
def test_where_no_ledger_can_be(tmp_path, make, said):
    with pytest.raises(LedgerError, match=said) as caught:
        Ledger(make(tmp_path))
    assert "secret" not in str(caught.value)


def test_a_file_that_is_something_else(tmp_path):
    path = tmp_path / "notes.db"
    path.write_text("not a database at all, but long enough to look at" * 20)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger(path)
    with pytest.raises(LedgerError, match="not a database"):
        LedgerReader(path)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(LedgerError, match="without a ledger"):
        LedgerReader(tmp_path / "other.db")
    with pytest.raises(LedgerError, match="no ledger is here"):
        LedgerReader(tmp_path / "nowhere.db")


@pytest.mark.parametrize(
    "options", [{"queue_limit": 0}, {"batch": 0}, {"flush_s": 0.0}, {"keep_days": -1.0}, {"block_ms": -1.0}]
)
def test_options_out_of_range(tmp_path, options):
    with pytest.raises(LedgerError):
        Ledger(tmp_path / "ledger.db", **options)


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(where, decide):
    with Ledger(where) as ledger:
        ledger.record(decide(1))
    execute(where, "INSERT INTO ledger_versions (version, name, applied_us) VALUES (99, 'to come', 0)")
    with pytest.raises(LedgerVersionError, match="version 99"):
        Ledger(where)
    with pytest.raises(LedgerVersionError, match="version 99"):
        LedgerReader(where)
    execute(where, "DELETE FROM ledger_versions WHERE version = 99")
    with LedgerReader(where) as reader:
        assert reader.tail()[0].decision == decide(1)


def test_an_older_ledger_is_brought_up_to_date_once_and_keeps_its_rows(where, decide):
    with Ledger(where) as ledger:
        ledger.record(decide(1))
    more = (*STEPS, Migration("a colour", ("ALTER TABLE labels ADD COLUMN colour TEXT",)))
    engine = open_engine(where, writing=True)
    for _ in range(2):
        migrate(engine, chained=True, steps=more)
    columns = {c["name"] for c in sqlalchemy.inspect(engine).get_columns("labels")}
    assert "colour" in columns
    engine.dispose()
    with pytest.raises(LedgerVersionError, match="version 2"):
        LedgerReader(where)


def test_a_step_that_fails_is_not_half_taken(tmp_path):
    engine = open_engine(tmp_path / "ledger.db", writing=True)
    broken = (*STEPS, Migration("broken", ("CREATE TABLE extra (x TEXT)", "CREATE NONSENSE")))
    with pytest.raises(sqlalchemy.exc.DBAPIError):
        migrate(engine, chained=True, steps=broken)
    assert not sqlalchemy.inspect(engine).has_table("extra")
    migrate(engine, chained=True)
    assert sqlalchemy.inspect(engine).has_table("decisions")
    engine.dispose()


def test_the_steps_make_the_tables_that_queries_expect(where):
    Ledger(where).close()
    engine = open_engine(where, writing=True)
    inspector = sqlalchemy.inspect(engine)
    for table in metadata.sorted_tables:
        found = {c["name"]: (c["type"].python_type, c["nullable"]) for c in inspector.get_columns(table.name)}
        assert found == {c.name: (c.type.python_type, c.nullable) for c in table.columns}
    engine.dispose()


def test_retention_removes_the_oldest_with_what_hangs_on_them(where, decide):
    with Ledger(where, images="all") as ledger:
        for i in range(10):
            ledger.record(decide(i))
        ledger.flush()
        ledger.label([Label(decide(i).request_id, 1.0) for i in range(10)])
        with LedgerReader(where) as reader:
            cut_us = reader.tail(4)[0].recorded_us
        assert ledger._store.prune(cut_us) == 6
        assert ledger._store.prune(cut_us) == 0
        ledger.record(decide(10))
        ledger.flush()
        with LedgerReader(where) as reader:
            assert [r.decision for r in reader.records()] == [decide(i) for i in range(6, 11)]
            assert reader.verify().whole
            assert reader.verify().records == 5
        assert ledger._store.prune(time.time_ns()) == 5
        ledger.record(decide(11))
        ledger.flush()
        with LedgerReader(where) as reader:
            assert reader.verify().whole
            assert [r.seq for r in reader.records()] == [12]


def test_old_rows_go_when_a_ledger_is_opened_with_keep_days(tmp_path, decide):
    where = tmp_path / "ledger.db"
    with Ledger(where) as ledger:
        for i in range(3):
            ledger.record(decide(i))
    execute(where, f"UPDATE decisions SET recorded_us = recorded_us - {2 * 86_400_000_000} WHERE seq < 3")
    with Ledger(where, keep_days=1) as ledger:
        assert ledger.flush()
    with LedgerReader(where) as reader:
        assert [r.seq for r in reader.records()] == [3]


def test_audits_are_drawn_with_the_probability_that_the_row_keeps(where, decide):
    audit = Audit(0.2, {Outcome.DEGRADED: 1.0})
    with Ledger(where, audit=audit) as ledger:
        for i in range(1000):
            ledger.record(decide(i, outcome=Outcome.ACCEPTED if i % 10 else Outcome.DEGRADED))
        ledger.flush()
        with LedgerReader(where) as reader:
            records = list(reader.records())
            assert {(str(r.decision.outcome), r.audit_probability) for r in records} == {
                ("accepted", 0.2),
                ("degraded", 1.0),
            }
            drawn = [r for r in records if r.audited]
            assert sum(r.decision.outcome is Outcome.DEGRADED for r in drawn) == 100
            assert 140 < len(drawn) - 100 < 220
            weighted = sum(1 / r.audit_probability for r in drawn)
            assert 850 < weighted < 1150  # Horvitz-Thompson finds back how many there were
            assert [r.seq for r in reader.records(Filter(audited=True))] == [r.seq for r in drawn]
            ledger.label([Label(drawn[0].decision.request_id, 1.0)])
            left = reader.records(Filter(audited=True, unlabelled=True))
            assert [r.seq for r in left] == [r.seq for r in drawn[1:]]


def test_labels(where, decide):
    with Ledger(where) as ledger:
        ledger.record(decide(1))
        ledger.flush()
        wanted = [
            Label(decide(1).request_id, 0.0, source="ann", note="the cat is a dog"),
            Label(decide(1).request_id, 0.12, "absrel", "nano"),
        ]
        assert ledger.label(wanted) == 2
        with pytest.raises(LedgerError, match="no decision 'zz' \\(nor 1 others\\)"):
            ledger.label([wanted[0], Label("zz", 1), Label("yy", 1)])
        with LedgerReader(where) as reader:
            assert list(reader.labels()) == wanted


@pytest.mark.parametrize(
    "fields",
    [
        {"value": float("nan")},
        {"value": float("inf")},
        {"request_id": "", "value": 1.0},
        {"value": 1.0, "metric": ""},
    ],
)
def test_labels_that_mean_nothing(fields):
    with pytest.raises(LedgerError):
        Label(**{"request_id": "a", **fields})


def test_no_picture_is_kept_unless_asked_for(tmp_path, decide):
    from visionrouter.schema.image import load_image

    image = load_image(np.full((600, 2000, 3), 90, np.uint8))
    for keeps, expected in (("none", False), ("all", True)):
        where = tmp_path / f"{keeps}.db"
        with Ledger(where, images=keeps) as ledger:
            assert ledger.wants_image(decide(1)) is expected
            if expected:
                ledger.record(decide(1))
                ledger.record_image(decide(1), image)
                ledger.flush()
                with LedgerReader(where) as reader:
                    jpeg = reader.image(decide(1).request_id)
                assert load_image(jpeg).size == (1024, 307)


def test_a_ledger_keeps_its_kind_of_chain(tmp_path, decide):
    where = tmp_path / "ledger.db"
    with Ledger(where, chain=False) as ledger:
        ledger.record(decide(1))
    with pytest.raises(LedgerError, match="without a hash chain"):
        Ledger(where)
    with LedgerReader(where) as reader:
        said = reader.verify()
        assert (said.whole, said.chained, reader.tail()[0].hash) == (True, False, None)


def test_importing_it_brings_no_database():
    code = "import visionrouter.ledger, sys; print('sqlalchemy' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_documents_do_not_spell_out_defaults(tmp_path, decide):
    where = tmp_path / "ledger.db"
    with Ledger(where) as ledger:
        ledger.record(decide(1))
    document = json.loads(sqlite3.connect(where).execute("SELECT document FROM decisions").fetchone()[0])
    assert "children" not in document
    assert document["variant"] == "control"
