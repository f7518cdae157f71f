"""`visionrouter compare`: the verdict first, in words or as JSON; a user's mistake in one line."""

import json

import numpy as np
import pytest
from command_line import command_line

from visionrouter.backends.fake import FakeBackend
from visionrouter.experiment.shadow import Shadow
from visionrouter.ledger import Ledger
from visionrouter.router import Router
from visionrouter.schema.task import Task


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = []
    for i in range(300):
        hard = rng.beta(2, 5)
        a, b = np.clip(hard + rng.normal(0, 0.05, 2) - np.array([0, 0.1]), 0, 1)
        lines.append(
            {
                "id": str(i), "cluster": str(i // 2), "slices": {"weather": "rain" if i % 30 == 0 else "dry"},
                "a": {"loss": a, "latency_ms": 50.0}, "b": {"loss": b, "latency_ms": 55.0}, "covariate": hard, "size": 0.005 if i % 20 == 0 else 0.05,
            }
        )  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))

    return command_line(monkeypatch, capsys, "compare")


def test_the_verdict_comes_first(shell):
    code, out, err = shell("old", "new", "--rows", "rows.jsonl", "--bad", "0.3", "--guard", "latency_ms=10")
    assert (code, err) == (0, "")
    assert out.startswith("new is better than old: loss is better and every guardrail holds\n")
    assert "margin 10: held" in out
    assert "McNemar" not in out  # two rows a scene are not independent
    assert "sign flip" in out
    assert "weather=rain" in out
    assert "small: 10 clusters" in out
    assert "size=small" in out
    assert "small: 15 clusters" in out


def test_json_has_it_all(shell):
    found = json.loads(shell("--rows", "rows.jsonl", "--live", "--guard", "latency_ms=10/100", "--json")[1])
    assert (found["verdict"], found["a"], found["b"]) == ("better", "A", "B")
    assert found["guardrails"][0]["held"] == "held"
    assert len(found["low_over_time"]) == 150


def test_inconclusive_says_how_many_more(shell, tmp_path):
    kept = (tmp_path / "rows.jsonl").read_text().splitlines()[:24]
    (tmp_path / "few.jsonl").write_text("\n".join(kept))
    code, out, _ = shell("--rows", "few.jsonl", "--guard", "latency_ms=5")
    assert code == 0
    assert out.startswith("inconclusive: loss would do, but latency_ms is not shown to keep its margin")


def test_a_ledger_by_arm(shell):
    policy = {
        "schema_version": 1, "name": "p", "default": {"route": {"try": ["specialist"], "accept": "always"}},
        "experiment": {
            "name": "e", "unit": "request.id", "shadow": 1.0,
            "arms": [
                {"name": "a", "weight": 0.5, "policy": "self"},
                {"name": "b", "weight": 0.5, "route": {"try": ["generative"], "accept": "always"}},
            ],
        },
    }  # fmt: skip
    made = [
        [FakeBackend("s"), FakeBackend("g", kind="generative", tasks=frozenset({Task.DEPTH}))] for _ in "ab"
    ]
    with (
        Ledger("ledger.db") as ledger,
        Router(made[0], policy) as second,
        Shadow(second, [ledger], queue_limit=100) as shadow,
        Router(made[1], policy, sinks=[ledger], shadow=shadow) as router,
    ):
        for _ in range(40):
            router.run(np.zeros((8, 8, 3), np.uint8), Task.DETECT)
        shadow.flush()
    words = ("a", "b", "--data", "ledger.db", "--experiment", "e", "--metric", "abstained")
    code, out, _ = shell(*words)
    assert code == 0
    assert out.startswith("b is worse than a: abstained is worse")
    code, _, err = shell("a", "c", *words[2:])
    assert (code, "no decision of arm 'c'" in err) == (2, True)
    code, _, err = shell(*words[:-1], "good")
    assert (code, "no metric 'good'" in err) == (2, True)


def test_policies_that_are_files_go_by_their_stem(shell):
    assert shell("p/old.yaml", "p/new.yaml", "--rows", "rows.jsonl")[1].startswith("new is better than old: ")
    assert "b/p.yaml is better than a/p.yaml" in shell("a/p.yaml", "b/p.yaml", "--rows", "rows.jsonl")[1]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--rows", "rows.jsonl", "--data", "x.db"),
        ("--data", "x.db"),
        ("--rows", "nowhere.jsonl"),
        ("--rows", "rows.jsonl", "--metric", "miou"),
        ("--rows", "rows.jsonl", "--guard", "latency_ms"),
        ("--rows", "rows.jsonl", "--guard", "latency_ms=fast"),
        ("--rows", "rows.jsonl", "--guard", "=5"),
        ("--rows", "rows.jsonl", "--alpha", "2"),
        ("--rows", "rows.jsonl", "--live", "--guard", "latency_ms_p95=5/100"),
    ],
)
def test_a_users_mistake(shell, words):
    code, out, err = shell(*words)
    assert code == 2
    assert out == ""
    assert err
