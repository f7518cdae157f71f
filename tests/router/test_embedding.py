"""A router inside somebody else's process: loops, threads, forks, and an end that leaves nothing behind."""

import asyncio
import logging
import random
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import psutil
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.backends.isolation import IsolatedBackend
from visionrouter.backends.registry import Recipe
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason

PHOTO = np.zeros((60, 80, 3), np.uint8)
POLICY = {
    "schema_version": 1,
    "name": "any",
    "default": {"route": {"try": ["any"], "accept": "always"}},
}


def thread_backend():
    return FakeBackend("thread", inline=False)


def process_backend():
    return IsolatedBackend(Recipe("faulty", "process"))


def test_two_event_loops_in_two_threads_share_a_router():
    with Router([thread_backend()], POLICY) as router:
        outcomes = []

        def loop():
            outcomes.extend(r.outcome for r in router.run_batch([PHOTO] * 20, "find the dog"))

        threads = [threading.Thread(target=loop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == [Outcome.ACCEPTED] * 40


def test_the_loop_stays_free_while_a_backend_works():
    async def both(router):
        ticks = 0
        asked = asyncio.create_task(router.arun(PHOTO, "find the dog"))
        while not asked.done():
            await asyncio.sleep(0.005)
            ticks += 1
        return ticks

    slow = FakeBackend("slow", inline=False, script=Answer(latency_ms=200))
    with Router([slow], POLICY) as router:
        assert asyncio.run(both(router)) > 5


def test_a_task_that_is_cancelled_takes_its_waiting_job_with_it():
    async def one_of_two(router):
        first = asyncio.create_task(router.arun(PHOTO, "find the dog"))
        await asyncio.sleep(0.05)  # it runs, and the other waits behind it
        other = asyncio.create_task(router.arun(PHOTO, "find the cat"))
        await asyncio.sleep(0.05)
        other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await other
        return await first

    slow = FakeBackend("slow", inline=False, script=Answer(latency_ms=300), batch_limit=1)
    with Router([slow], POLICY) as router:
        assert asyncio.run(one_of_two(router)).outcome is Outcome.ACCEPTED
        router.run(PHOTO, "find the bird")
    assert [query.targets[0].noun for query in slow.calls] == ["dog", "bird"]


def test_routers_know_nothing_of_each_other():
    broken = FakeBackend("thread", script=Answer(error=RuntimeError("cable cut")))
    with Router([broken], POLICY) as one, Router([thread_backend()], POLICY) as other:
        for _ in range(4):
            one.run(PHOTO, "find the dog")
        assert one.states()["thread"].breaker == "open"
        assert other.run(PHOTO, "find the dog").outcome is Outcome.ACCEPTED
        assert other.states()["thread"].breaker == "closed"


@pytest.mark.parametrize("made", [thread_backend, process_backend])
def test_many_routers_later_nothing_is_left(made):
    before = left()
    for _ in range(3):
        with Router([made()], POLICY) as router:
            assert router.run(PHOTO, "find the dog").outcome is Outcome.ACCEPTED
    assert left() == before


def test_a_process_is_left_as_it_was_found():
    import torch

    def found():
        return {
            "torch": (torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()),
            "torch's random state": torch.random.get_rng_state().tolist(),
            "cuda": torch.cuda.is_initialized(),
            "numpy": (np.random.get_state()[1].tolist(), np.geterr()),  # noqa: NPY002
            "random": random.getstate(),
            "signals": {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)},
            "logging": (logging.root.level, list(logging.root.handlers)),
            "warnings": list(warnings.filters),
            "folder": Path.cwd(),
        }

    photo = np.full((60, 80, 3), 120, np.uint8)
    with Router.from_profile("nano") as router:
        router.warm_up()  # what the libraries themselves set when they are imported is theirs
        before = found()
        for words in ("depth map", "segment the cat", "find every dog", "human pose"):
            router.run(photo, words)
    assert found() == before


def left():
    fds = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    return threading.active_count(), len(psutil.Process().children(recursive=True)), fds


MAKE = """
import os, sys, threading
import numpy as np
from visionrouter import Router
from visionrouter.backends.fake import FakeBackend
from visionrouter.backends.isolation import IsolatedBackend
from visionrouter.backends.registry import Recipe
photo = np.zeros((60, 80, 3), np.uint8)
policy = {"schema_version": 1, "name": "any", "default": {"route": {"try": ["any"], "accept": "always"}}}
backend = FakeBackend("thread", inline=False) if sys.argv[1] == "thread" else IsolatedBackend(Recipe("faulty"))
router = Router([backend], policy)

def ask(who):
    attempt = router.run(photo, "find the dog").decision.attempts[0]
    print(who, attempt.verdict.reason, getattr(backend, "pid", None), attempt.error or "", sep="|", flush=True)

def fork():
    pid = os.fork()
    if pid == 0:
        ask("child")
        sys.exit(0)  # as a server's worker ends: with its finalizers
    assert os.waitpid(pid, 0)[1] == 0
"""


def said_by(tmp_path, script, kind):
    path = tmp_path / "app.py"
    path.write_text(MAKE + script)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", path, kind],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return [line.split("|") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_router_made_before_a_fork_works_on_both_sides(tmp_path, kind):
    said = said_by(tmp_path, "fork(); ask('parent'); fork() if sys.argv[1] == 'process' else None", kind)
    assert [line[:2] for line in said[:2]] == [["child", Reason.NO_GATE], ["parent", Reason.NO_GATE]]


@pytest.mark.parametrize("read", ["ask('parent')", "router.warm_up()"])
def test_weights_read_before_a_fork_are_refused_after_it_with_the_mend(tmp_path, read):
    *_, child, parent = said_by(tmp_path, f"{read}; fork(); ask('parent')", "thread")
    assert child[:2] == ["child", Reason.NOT_LOADED]
    assert "after the fork" in child[3]
    assert parent[:2] == ["parent", Reason.NO_GATE]


def test_a_backend_in_a_process_of_its_own_is_started_anew_after_a_fork(tmp_path):
    said = said_by(tmp_path, "ask('parent'); fork(); fork(); ask('parent')", "process")
    assert [line[1] for line in said] == [Reason.NO_GATE] * 4
    first, *children, again = (line[2] for line in said)
    assert first == again, "the parent's own process was left alone"
    assert len({first, *children}) == 3
    assert not any(psutil.pid_exists(int(pid)) for pid in (first, *children))


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_program_that_forgets_to_close_ends_at_once(tmp_path, kind):
    (line,) = said_by(tmp_path, "ask('parent')", kind)
    assert line[1] == Reason.NO_GATE
    if kind == "process":
        assert not psutil.pid_exists(int(line[2]))


def test_a_fork_in_the_middle_of_traffic_finds_no_lock_held(tmp_path):
    script = """
ask("parent")
stop = threading.Event()
def traffic():
    while not stop.is_set():
        router.run(photo, "find the dog")
threads = [threading.Thread(target=traffic) for _ in range(2)]
for thread in threads: thread.start()
for _ in range(2): fork()
stop.set()
for thread in threads: thread.join()
"""
    said = said_by(tmp_path, script, "thread")
    assert [line[:2] for line in said[1:]] == [["child", Reason.NOT_LOADED]] * 2
