"""`verify` finds every record that is missing, altered or moved, and nothing else."""

import shutil

import pytest
import sqlalchemy

from visionrouter.ledger import Ledger, LedgerReader
from visionrouter.ledger.connect import open_engine
from visionrouter.ledger.rows import COVERED
from visionrouter.ledger.tables import decisions


@pytest.fixture
def ledger(where, decide):
    with Ledger(where) as made:
        for i in range(10):
            made.record(decide(i))
    return where


@pytest.fixture(scope="module")
def whole(tmp_path_factory, decide):
    where = tmp_path_factory.mktemp("whole") / "ledger.db"
    with Ledger(where) as made:
        for i in range(10):
            made.record(decide(i))
    return where


def execute(where, *statements):
    engine = open_engine(where, writing=True)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sqlalchemy.text(statement))
    engine.dispose()


def problems(where, anchor=None):
    with LedgerReader(where) as reader:
        return [str(problem) for problem in reader.verify(anchor).problems]


def test_a_whole_ledger(ledger):
    with LedgerReader(ledger) as reader:
        said = reader.verify()
        assert (said.whole, said.records, said.chained, said.problems) == (True, 10, True, ())
        assert said.head.startswith("10:")
        assert reader.verify(said.head).whole


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["DELETE FROM decisions WHERE seq = 4"], ["record 4 is missing"]),
        (
            ["DELETE FROM decisions WHERE seq IN (4, 5, 8)"],
            ["records 4 to 5 are missing", "record 8 is missing"],
        ),
        (["DELETE FROM decisions WHERE seq > 7"], ["records 8 to 10 are missing"]),
        (["DELETE FROM decisions WHERE seq < 3"], ["records 1 to 2 are missing"]),
        (["DELETE FROM decisions"], ["records 1 to 10 are missing"]),
        (["UPDATE decisions SET outcome = 'abstained' WHERE seq = 6"], ["record 6 was altered or moved"]),
        (["UPDATE decisions SET elapsed_ms = 0 WHERE seq = 1"], ["record 1 was altered or moved"]),
        (["UPDATE decisions SET variant = NULL WHERE seq = 10"], ["record 10 was altered or moved"]),
        (
            [
                "UPDATE decisions SET seq = 99 WHERE seq = 3",
                "UPDATE decisions SET seq = 3 WHERE seq = 7",
                "UPDATE decisions SET seq = 7 WHERE seq = 99",
            ],
            [f"record {seq} was altered or moved" for seq in (3, 4, 7, 8)],
        ),
        (
            ["DELETE FROM decisions WHERE seq = 5", "UPDATE decisions SET seq = seq - 1 WHERE seq > 5"],
            [*(f"record {seq} was altered or moved" for seq in range(5, 10)), "record 10 is missing"],
        ),
        (["UPDATE decisions SET hash = NULL WHERE seq = 2"], ["record 2 was altered or moved"]),
    ],
)
def test_what_was_done_to_it_is_found(ledger, statements, found):
    execute(ledger, *statements)
    assert problems(ledger) == found


def test_a_ledger_that_is_being_written_is_whole(where, decide):
    with Ledger(where, flush_s=0.005, batch=7) as made, LedgerReader(where) as reader:
        for i in range(300):
            made.record(decide(i))
            if i % 20 == 0:
                assert reader.verify().whole
        made.flush()
        assert reader.verify().records == 300


def test_a_rewritten_chain_is_found_by_an_anchor_kept_elsewhere(ledger, decide, tmp_path):
    with LedgerReader(ledger) as reader:
        anchor = reader.verify().head
    forged = tmp_path / "forged.db"
    with Ledger(forged) as made:
        for i in range(12):
            made.record(decide(i + 1))
    assert problems(forged) == []
    assert problems(forged, anchor) == ["record 10 was altered or moved"]
    assert problems(ledger, "11:" + "0" * 64) == ["record 11 is missing"]


def test_a_ledger_without_hashes_is_checked_for_missing_records(tmp_path, decide):
    where = tmp_path / "ledger.db"
    with Ledger(where, chain=False) as made:
        for i in range(5):
            made.record(decide(i))
    execute(where, "DELETE FROM decisions WHERE seq = 2", "UPDATE decisions SET outcome = 'x' WHERE seq = 4")
    assert problems(where) == ["record 2 is missing"]


def test_every_column_is_covered():
    assert set(COVERED) == {column.name for column in decisions.columns} - {"hash"}


@pytest.mark.parametrize("column", [name for name in COVERED if name != "seq"])
def test_any_column_of_any_row(tmp_path, whole, column):
    for seq in (1, 5, 10):
        where = shutil.copy(whole, tmp_path / f"{seq}.db")
        execute(where, f"UPDATE decisions SET {column} = 7 WHERE seq = {seq}")
        assert problems(where) == [f"record {seq} was altered or moved"]
