"""`visionrouter backends`: what a profile's backends are here, and what a running router's are doing."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from command_line import command_line
from prometheus_client import CollectorRegistry, generate_latest

from visionrouter.backends.base import Reuse
from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.options import EngineOptions
from visionrouter.router import Router
from visionrouter.schema.errors import MissingExtraError
from visionrouter.telemetry import Metrics

PROFILE = """
schema_version: 1
name: mixed
backends:
  good: {use: fake}
  broken: {use: faulty, params: {load_fault: exception}}
  absent: {use: sam2, params: {source: ./nowhere}}
  bare: {use: fake}
  hosted: {use: gemini}
"""


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    (tmp_path / "mixed.yaml").write_text(PROFILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)

    return command_line(monkeypatch, capsys, "backends")


def test_a_check_tells_what_is_ready_and_what_each_of_the_others_lacks(shell, monkeypatch):
    def load(self):
        if self.spec.name == "bare":
            raise MissingExtraError("bare needs a library; pip install 'visionrouter[all]'")

    monkeypatch.setattr(FakeBackend, "load", load)
    code, out, _ = shell("--profile", "mixed.yaml", "--check", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "good": "ready",
        "broken": "failed",
        "absent": "missing_weights",
        "bare": "missing_extra",
        "hosted": "no_credentials",
    }
    assert {name: row["loads"] for name, row in rows.items()} == {name: name == "good" for name in rows}
    assert rows["good"]["load_s"] >= 0
    assert rows["broken"]["why_not"] == "RuntimeError: a fault was asked for"
    assert "nowhere" in rows["absent"]["why_not"]
    assert "pip install" in rows["bare"]["why_not"]


def test_the_table_says_it_in_words_and_only_a_check_loads(shell):
    _, checked, _ = shell("--profile", "mixed.yaml", "--check")
    assert "ready in 0.0" in checked
    assert "missing weights: " in checked
    assert "failed: RuntimeError" in checked
    _, listed, _ = shell("--profile", "mixed.yaml")
    assert "RuntimeError" not in listed
    assert "ready" not in listed


class Remembering(FakeBackend):
    reuse = Reuse(3, 1)


@pytest.fixture
def metrics_of_a_running_router():
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    broken = FakeBackend("broken", script=Answer(error=RuntimeError("cable cut")))
    options = EngineOptions(breaker=BreakerOptions(failures_in_a_row=2))
    policy = {
        "schema_version": 1,
        "name": "any",
        "default": {"route": {"try": ["broken", "kept"], "accept": "always"}},
    }
    with Router([broken, Remembering("kept")], policy, sinks=[metrics], options=options) as router:
        metrics.watch(router, "main")
        for _ in range(3):
            router.run(np.zeros((48, 64, 3), np.uint8), "find the dog")
        yield generate_latest(registry)


def test_a_running_router_is_shown_from_its_metrics_served_or_saved(
    shell, tmp_path, metrics_of_a_running_router
):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(metrics_of_a_running_router)

        def log_message(self, *_):
            """Stay silent."""

    (tmp_path / "metrics.txt").write_bytes(metrics_of_a_running_router)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        served = shell("--live", f"http://127.0.0.1:{server.server_port}/metrics", "--json")
        server.shutdown()
    saved = shell("--live", "metrics.txt", "--json")
    assert served == saved
    broken, kept = json.loads(saved[1])
    assert (broken["router"], broken["name"]) == ("main", "broken")
    assert (broken["breaker"], broken["opened"], broken["waiting"]) == ("open", 1, 0)
    assert broken["reuse_rate"] is None
    assert (kept["breaker"], kept["reuse_rate"]) == ("closed", 0.75)
    _, table, _ = shell("--live", "metrics.txt")
    assert [line.split()[:3] for line in table.splitlines()[1:]] == [
        ["main", "broken", "open"],
        ["main", "kept", "closed"],
    ]
    assert "75%" in table


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("absent.txt", "cannot be read"),
        ("http://127.0.0.1:9/metrics", "cannot be read"),
        ("words.txt", "Prometheus' text format"),
        ("other.txt", "tells of no router"),
    ],
)
def test_metrics_that_tell_nothing_are_the_users_mistake(shell, tmp_path, source, said):
    (tmp_path / "words.txt").write_text("no metrics at all, {")
    (tmp_path / "other.txt").write_text("up 1\n")
    code, out, err = shell("--live", source)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
