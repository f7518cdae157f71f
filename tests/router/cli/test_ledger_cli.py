"""`visionrouter ledger`: tail, show, export, verify, label."""

import json
import sqlite3

import pyarrow.parquet
import pytest
from command_line import command_line

from visionrouter.ledger import Audit, Ledger, LedgerReader
from visionrouter.schema.decision import (
    Attempt,
    Comparison,
    Decision,
    Divergence,
    Outcome,
    Reason,
    VariantReason,
    Verdict,
    VerdictKind,
)
from visionrouter.schema.task import Task


def decision(i, **fields):
    attempt = Attempt(
        "nano",
        Task.DEPTH,
        Verdict(VerdictKind.ACCEPT, Reason.WITHIN_LIMITS),
        0.0,
        5.0,
        signals={"score": 0.5},
    )
    made = {
        "request_id": f"{i:04d}abcd", "task": Task.DEPTH, "instruction": "depth map", "outcome": Outcome.ACCEPTED,
        "reason": Reason.WITHIN_LIMITS, "policy": "p", "policy_hash": "ff", "rule": "default", "attempts": (attempt,),
        "tags": {"camera": str(i)}, "experiment": "e", "variant": "ab"[i % 2], "variant_reason": VariantReason.SPLIT,
    }  # fmt: skip
    return Decision(**{**made, **fields})


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with Ledger("ledger.db", audit=Audit(0.5)) as ledger:
        for i in range(10):
            ledger.record(decision(i))
        apart = Divergence(
            Comparison.DISAGREE, "nano", "hub", {"log_scale": 0.7}, ("log_scale 0.7, limit 0.2",)
        )
        ledger.record(decision(3, variant="a", variant_reason=VariantReason.SHADOW, divergence=apart))

    return command_line(monkeypatch, capsys, "ledger")


def test_tail(shell):
    code, out, err = shell("tail", "ledger.db", "-n", "3")
    assert (code, err) == (0, "")
    assert [line.split()[1] for line in out.splitlines()] == ["0008abcd", "0009abcd", "0003abcd"]
    assert out.splitlines()[-1].endswith("e/a (shadow)")
    code, out, _ = shell("tail", "ledger.db", "--variant", "b", "--json")
    assert {json.loads(line)["decision"]["variant"] for line in out.splitlines()} == {"b"}
    audited = len(shell("tail", "ledger.db", "--audited")[1].splitlines())
    assert 0 < audited < 11


def test_show_with_shadow_and_labels(shell):
    assert shell("label", "ledger.db", "0003abcd", "--bad", "--by", "ann", "--note", "sky at 3 m")[0] == 0
    code, out, _ = shell("show", "ledger.db", "0003")
    assert code == 0
    assert out.index("e/b") < out.index("(shadow)")
    assert "nano: within_limits [score 0.5]" in out
    assert out.count("compared") == 1
    assert "compared  nano and hub disagree: log_scale 0.7, limit 0.2" in out
    assert "good = 0 by ann sky at 3 m" in out
    shown = json.loads(shell("show", "ledger.db", "0003abcd", "--json")[1])
    assert len(shown["records"]) == 2
    assert shown["labels"][0]["source"] == "ann"
    for words, message in ((("99",), "holds no decision"), (("000",), "start of several ids")):
        code, _, err = shell("show", "ledger.db", *words)
        assert (code, message in err) == (2, True)


def test_verify(shell):
    code, out, _ = shell("verify", "ledger.db")
    assert (code, "11 records, whole" in out) == (0, True)
    head = json.loads(shell("verify", "ledger.db", "--json")[1])["head"]
    assert shell("verify", "ledger.db", "--head", head)[0] == 0
    with sqlite3.connect("ledger.db") as database:
        database.execute("UPDATE decisions SET outcome = 'abstained' WHERE seq = 4")
    code, out, _ = shell("verify", "ledger.db")
    assert code == 1
    assert "record 4 was altered" in out
    assert "NOT whole" in out


def test_labels_in_bulk_all_or_nothing(shell, tmp_path):
    (tmp_path / "verdicts.csv").write_text(
        "request_id,value,metric,source\n0001abcd,1,good,ann\n0002abcd,0.25,absrel,\n"
    )
    code, _, err = shell("label", "ledger.db", "--from", "verdicts.csv")
    assert (code, err.strip()) == (0, "labelled 2")
    lines = [{"request_id": "0004abcd", "value": 1, "variant": "a"}, {"request_id": "nobody", "value": 0}]
    (tmp_path / "more.jsonl").write_text("\n".join(map(json.dumps, lines)))
    code, _, err = shell("label", "ledger.db", "--from", "more.jsonl")
    assert code == 2
    assert "holds no decision 'nobody'; nothing was labelled" in err
    with LedgerReader("ledger.db") as reader:
        assert [(m.request_id, m.metric, m.value) for m in reader.labels()] == [
            ("0001abcd", "good", 1.0),
            ("0002abcd", "absrel", 0.25),
        ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "request_id,value\nx,high\n", "a.csv:2: the value 'high' is not a number"),
        ("a.csv", "request_id,valeu\nx,1\n", "'valeu' is not one of"),
        ("a.csv", "request_id,value\nx,\n", "a.csv:2: value is missing"),
        ("a.csv", "request_id,value\nx,1,2,3\n", "is not one of"),
        ("a.jsonl", '{"request_id": "x", "value": 1}\n{"request_id"', "a.jsonl:2: is not valid JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: should be one JSON object"),
        ("a.jsonl", '{"request_id": "x", "value": NaN}\n', "give a finite number"),
        ("a.csv", "request_id,value\nx,\xff\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_file_of_labels_with_a_mistake(shell, tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    code, _, err = shell("label", "ledger.db", "--from", name)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    "words",
    [
        ("label", "ledger.db"),
        ("label", "ledger.db", "0001abcd"),
        ("label", "ledger.db", "0001abcd", "--good", "--metric", "x=1"),
        ("label", "ledger.db", "0001abcd", "--metric", "x"),
        ("label", "ledger.db", "--from", "nowhere.csv"),
        ("label", "nowhere.db", "0001abcd", "--good"),
        ("tail", "nowhere.db"),
        ("export", "ledger.db", "--parquet", "no/such/folder/out.parquet"),
    ],
)
def test_a_users_mistake(shell, words):
    assert shell(*words)[0] == 2


def test_export(shell, tmp_path):
    shell("label", "ledger.db", "0002abcd", "--metric", "absrel=0.5")
    assert shell("export", "ledger.db", "--parquet", "out.parquet")[0] == 0
    table = pyarrow.parquet.read_table("out.parquet")
    rows = table.to_pylist()
    assert len(rows) == 11
    assert rows[2]["labels"] == [("absrel", 0.5)]
    assert rows[2]["backends"] == ["nano"]
    assert dict(rows[2]["tags"]) == {"camera": "2"}
    assert rows[2]["recorded"].tzinfo is not None
    with LedgerReader("ledger.db") as reader:
        assert [row["request_id"] for row in rows] == [r.decision.request_id for r in reader.records()]
    assert not list(tmp_path.glob(".*.part"))


def test_audits(shell):
    with LedgerReader("ledger.db") as reader:
        drawn = {r.decision.request_id: r.audited for r in reader.records()}
    lines = [{"request_id": key, "value": int(i % 2)} for i, key in enumerate(drawn)]
    with open("verdicts.jsonl", "w") as file:
        file.write("\n".join(map(json.dumps, lines)))
    shell("label", "ledger.db", "--from", "verdicts.jsonl")
    code, out, err = shell("audits", "ledger.db")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [f["request_id"] for f in found] == [key for key, audited in drawn.items() if audited]
    assert [f["loss"] for f in found] == [1 - int(f["request_id"][:4]) % 2 for f in found]
    assert {(f["subject"], f["task"], f["probability"]) for f in found} == {("nano", "depth", 0.5)}
    assert err == f"left out {10 - len(found)}: not drawn for an audit\n"
    shell("label", "ledger.db", found[0]["request_id"], "--metric", "absrel=1.5")
    code, _, err = shell("audits", "ledger.db", "--metric", "absrel")
    assert (code, "absrel is 1.5; a loss lies in [0, 1]" in err) == (2, True)
