"""Every program of docs/embedding.md runs as it stands, and its tables name what there is."""

import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from visionrouter.backends.fake import FakeBackend
from visionrouter.backends.profile import load_profile
from visionrouter.cache import ResultCache
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome
from visionrouter.telemetry import Metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "embedding.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


(GUNICORN,) = (block for block in blocks("python") if block.startswith("#"))
PROGRAMS = [block for block in blocks("python") if block != GUNICORN]


def named(word):
    (found,) = (program for program in PROGRAMS if word in program)
    return found


def alone(program):
    """What it prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture
def here(monkeypatch, capsys):
    def run(program):
        monkeypatch.chdir(ROOT)
        exec(program, {"__name__": "__main__"})
        return capsys.readouterr().out.splitlines()

    return run


def test_an_asyncio_app(here):
    cat, *_ = here(named("asyncio.gather"))
    assert cat == f"{Outcome.ACCEPTED} 1"


def test_threads(here):
    said = [line.split() for line in here(named("ThreadPoolExecutor"))]
    assert [outcome for outcome, _ in said] == [Outcome.DEGRADED, Outcome.ACCEPTED] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_server_that_forks():
    *workers, ended = alone(named("os.fork"))
    assert [line.split()[1] for line in workers] == [Outcome.ACCEPTED] * 2
    assert ended == "[0, 0]"


def test_a_process_with_a_cuda_context_of_its_own():
    *_, said = alone(named("torch.cuda"))
    assert said == "context made: False"


@pytest.mark.parametrize("word", ["EngineOptions", "ResultCache", "DecisionLog"])
def test_options_stand_as_they_are_written(here, word):
    assert here(named(word)) == []


def test_the_workers_of_gunicorn_read_their_weights_themselves(monkeypatch):
    class Loaded(FakeBackend):
        loads = 0

        def load(self):
            self.loads += 1

    backend = Loaded(inline=False)
    with Router([backend]) as router:
        monkeypatch.setitem(sys.modules, "app", types.SimpleNamespace(router=router))
        made = {}
        exec(GUNICORN, made)
        assert backend.loads == 0
        made["post_fork"](None, None)
        assert backend.loads == 1


def test_the_isolated_backend_can_be_made(tmp_path):
    (text,) = blocks("yaml")
    document = {"schema_version": 1, "name": "isolated", **yaml.safe_load(text)}
    (tmp_path / "isolated.yaml").write_text(yaml.safe_dump(document))
    backend = load_profile(tmp_path / "isolated.yaml").backends["detector"]
    assert backend.spec.isolation == "process"
    assert backend.limits.memory_mb == 2000


def test_every_metric_is_on_the_page():
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    with Router([FakeBackend()], cache=ResultCache(), sinks=[metrics]) as router:
        metrics.watch(router)
        text = generate_latest(registry).decode()
    shown = set(re.findall(r"^# TYPE (visionrouter_\S+)", text, re.MULTILINE))
    rows = re.findall(r"^\| (`(?:visionrouter)?_.*?`) \|", PAGE, re.MULTILINE)
    told = {
        name if name.startswith("visionrouter") else f"visionrouter{name}"
        for row in rows
        for name in re.findall(r"`([a-z_]+)`", row)
    }
    assert told == {name for name in shown if not name.endswith("_created")}
