"""A backend in a process of its own answers as it would here, and its end is an error, never ours."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from visionrouter.backends.fake import plausible
from visionrouter.backends.isolation import IsolatedBackend, IsolationLimits
from visionrouter.backends.registry import Recipe, create
from visionrouter.schema.errors import (
    CrashedError,
    HungError,
    LostError,
    MemoryCapError,
    ResourceError,
)
from visionrouter.schema.image import load_image
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

IMAGE = load_image(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
QUICK = IsolationLimits(hang_ms=300)


def query(fault=None, task=Task.DEPTH):
    return Query(task, IMAGE, tags={} if fault is None else {"fault": fault})


def isolated(limits=QUICK, **params):
    return IsolatedBackend(Recipe("faulty", "faulty", params), limits)


def gone(pid, within_s=10.0):
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def shared():
    with isolated() as backend:
        yield backend


def test_it_answers_as_it_would_here(shared):
    queries = [query(task=task) for task in (Task.DEPTH, Task.INSTANCE, Task.POSE, Task.DETECT)]
    got = shared.predict(queries)
    assert [p.payload for p in got] == [plausible(q) for q in queries]
    assert shared.pid != os.getpid()


def test_a_real_model_gives_the_same_boxes_there(photo):
    asked = Query(Task.DETECT, photo("astronaut"))
    with IsolatedBackend(Recipe("nanodet")) as there, create("nanodet") as here:
        assert there.spec == replace(here.spec, isolation="process")
        assert there.predict([asked])[0] == here.predict([asked])[0]


def test_what_it_raises_keeps_its_type_and_it_lives_on(shared):
    pid = shared.pid
    with pytest.raises(ResourceError, match="out of memory"):
        shared.predict([query("out_of_memory")])
    with pytest.raises(Exception, match="RuntimeError: a fault was asked for"):
        shared.predict([query("exception")])
    assert shared.predict([query()])
    assert shared.pid == pid


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [("crash", CrashedError, "SIGABRT"), ("hang", HungError, "300 ms"), ("seize", HungError, "300 ms")],
)
def test_its_end_is_an_error_at_once_and_the_next_query_finds_another(fault, error, words):
    with isolated() as backend:
        pid, started_s = backend.pid, time.perf_counter()
        with pytest.raises(error, match=words):
            backend.predict([query(fault)])
        assert time.perf_counter() - started_s < 5
        assert gone(pid)
        assert backend.predict([query()])
        assert backend.pid != pid
        assert backend.restarts == 1


def test_what_swells_past_its_cap_is_killed():
    with isolated(IsolationLimits(memory_mb=400)) as backend:
        with pytest.raises(MemoryCapError, match="over the cap of 400"):
            backend.predict([query("swell")])
        assert backend.predict([query()])


def test_a_crash_loop_pauses_ever_longer_and_an_answer_ends_it():
    now = [100.0]
    backend = IsolatedBackend(Recipe("faulty", None, {}), QUICK, clock=lambda: now[0])
    with backend:
        for deaths in (1, 2):
            with pytest.raises(CrashedError, match="SIGABRT"):
                backend.predict([query("crash")])
            assert backend.restarts == deaths - 1
        with pytest.raises(CrashedError, match="died 2 times in a row"):
            backend.predict([query()])
        assert backend.pid is None
        now[0] += 0.25
        assert backend.predict([query()])
        with pytest.raises(CrashedError, match="SIGABRT"):
            backend.predict([query("crash")])
        assert backend.predict([query()]), "the first death after an answer is followed by a start at once"


def test_a_crash_while_loading_is_told():
    with pytest.raises(CrashedError, match="SIGABRT"):
        isolated(load_fault="crash").load()


def test_what_loading_raises_is_raised_here_and_leaves_no_process():
    before = children()
    with pytest.raises(ResourceError, match="out of memory"):
        isolated(load_fault="out_of_memory").load()
    assert children() == before


def test_close_and_loss_leave_neither_processes_nor_descriptors():
    before = children(), descriptors()
    backend = isolated()
    for _ in range(2):
        backend.load()
        backend.predict([query()])
        backend.close()
        backend.close()
    with pytest.raises(LostError):
        backend.predict([query("crash")])
    backend.close()
    assert (children(), descriptors()) == before


def test_a_dropped_backend_takes_its_process_with_it():
    backend = isolated()
    backend.load()
    pid = backend.pid
    del backend
    assert gone(pid)


def test_abort_cuts_a_call_short_from_another_thread():
    with isolated(IsolationLimits()) as backend:
        timer = threading.Timer(0.1, backend.abort)
        timer.start()
        with pytest.raises(CrashedError):
            backend.predict([query("hang")])
        timer.join()


SCRIPT = """
import sys, numpy as np
from visionrouter.backends.isolation import IsolatedBackend
from visionrouter.backends.registry import Recipe
from visionrouter.schema.image import load_image
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task
backend = IsolatedBackend(Recipe("faulty"))
backend.load()
print(backend.pid, flush=True)
query = Query(Task.DETECT, load_image(np.zeros((4, 4, 3), np.uint8)), tags={"fault": sys.argv[1]} if sys.argv[1:] else {})
print(len(backend.predict([query])))
"""


def test_a_script_needs_no_guard_and_ends_clean(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    pid, answers = done.stdout.split()
    assert answers == "1"
    assert done.stderr == ""
    assert gone(int(pid))


@pytest.mark.parametrize("fault", ["hang", "seize"])
def test_a_parent_killed_in_the_middle_leaves_no_orphan(tmp_path, fault):
    if fault == "seize" and sys.platform != "linux":
        pytest.skip("the kernel tells a process that cannot listen on Linux alone")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, script, fault], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.2)
        assert psutil.pid_exists(pid)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    assert gone(pid)


def children():
    return {child.pid for child in psutil.Process().children(recursive=True)}


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
