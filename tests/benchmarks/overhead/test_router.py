"""The overhead table measures what it says, and its quantiles are quantiles."""

import asyncio
import statistics
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from visionrouter.benchmarks.overhead import peers, served
from visionrouter.benchmarks.overhead.http import load
from visionrouter.benchmarks.overhead.router import main
from visionrouter.benchmarks.overhead.timing import repeated, timing


def test_the_table_names_machine_versions_and_every_path(capsys):
    main(["--n", "64", "--repeats", "1"])
    said = capsys.readouterr().out
    machine, size, *_ = said.splitlines()
    assert "numpy" in machine
    assert "cores" in machine
    assert "medians over 1" in size
    for row in (
        "plain function call",
        "inline",
        "worker thread",
        "process",
        "64 at a time",
        "queue hop",
        "verdict",
    ):
        assert row in said


def test_quantiles_are_medians_over_repeats():
    runs = [[float(i) for i in range(1000)], [float(i) for i in range(1000, 2000)], [0.0] * 1000]
    row = timing("x", runs, [5.0, 1.0, 3.0])
    assert row.p50 == pytest.approx(statistics.median(runs[0]), abs=1)
    assert row.p99 == pytest.approx(990, abs=1)
    assert row.per_s == 3


def test_calls_are_timed_in_microseconds_and_take_turns():
    order = []
    calls = {
        "slow": lambda: (order.append("slow"), time.sleep(0.002)),
        "quick": lambda: order.append("quick"),
    }
    slow, quick = repeated(calls, 5, 2)
    assert slow.p50 > 2000 > quick.p50
    assert [a for a, b in zip(order, [None, *order], strict=False) if a != b] == ["slow", "quick"] * 2


def test_peers_have_rows_only_where_they_are_installed(capsys, monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    monkeypatch.setattr(served, "find_spec", lambda name: None)
    main(["--n", "64", "--repeats", "1"])
    said = capsys.readouterr().out
    assert "plain function call" in said
    assert "64 at a time, plain function call" in said
    assert "litellm" not in said
    assert "LitServe" not in said
    with pytest.raises(SystemExit, match=r"visionrouter\[bench\]"):
        served.main([])


def test_a_peer_that_is_there_is_asked_both_ways(capsys, monkeypatch):
    asked = []

    class Router:
        def __init__(self, model_list, num_retries):
            assert model_list[0]["litellm_params"]["mock_response"]

        def completion(self, **request):
            asked.append("plain")

        async def acompletion(self, **request):
            asked.append("awaited")

    monkeypatch.setitem(sys.modules, "litellm", SimpleNamespace(Router=Router))
    monkeypatch.setattr(peers, "find_spec", lambda name: name)
    monkeypatch.setattr(peers, "version", lambda name: "9")
    monkeypatch.setattr(served, "find_spec", lambda name: None)
    main(["--n", "64", "--repeats", "1"])
    rows = [line for line in capsys.readouterr().out.splitlines() if "litellm 9 Router" in line]
    assert len(rows) == 4
    assert set(asked) == {"plain", "awaited"}


@pytest.fixture
def server():
    """A server that answers on /well and fails on /ill, and keeps its connections."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"boxes": []}'
            self.send_response(200 if self.path == "/well" else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made.server_port
        made.shutdown()


@pytest.mark.parametrize(("n", "many", "timed"), [(20, 1, 20), (40, 8, 40), (3, 8, 8)])
def test_a_load_times_every_answer_but_those_that_warm_up(server, n, many, timed):
    found = asyncio.run(load(server, "/well", n, many))
    assert len(found.taken_us) == timed
    assert min(found.taken_us) > 0
    assert found.per_s > 0


def test_an_answer_that_failed_is_no_timing(server):
    with pytest.raises(RuntimeError, match="500"):
        asyncio.run(load(server, "/ill", 1, 1))


def test_what_a_router_adds_is_told_against_the_same_server_without_it():
    alone, routed = timing("LitServe", [[100.0] * 10]), timing("routed", [[150.0] * 10])
    assert "p50 x 1.50 (+50 microseconds)" in served.ratio(alone, routed)
