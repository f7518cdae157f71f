"""What holds a lock while a process forks does not hold it in the child."""

import subprocess
import sys

import pytest

HELD = """
import os, signal
from visionrouter.backends.generative.codecs.depth import _TABLE
from visionrouter.cache import ResultCache
from visionrouter.confidence.drift import AuditWatch, EvidenceWatch
from visionrouter.engine.breaker import Breaker
from visionrouter.engine.hedging import HedgeBudget

uses = {
    ResultCache(): lambda it: it.state,
    AuditWatch(0.1, 0.1): lambda it: it.update(0.0),
    EvidenceWatch({"score": [0.1, 0.2]}, 0.1): lambda it: it.update({"score": 0.1}),
    Breaker(): lambda it: it.counts,
    HedgeBudget(0.1): lambda it: it.earn(),
    _TABLE: lambda it: it._lock.acquire(timeout=5) or exit(1),
}
for held in uses:
    held._lock.acquire()
if os.fork():
    print(os.wait()[1])
else:
    signal.alarm(20)
    for held, use in uses.items():
        use(held)
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork here")
def test_a_lock_held_elsewhere_is_free_after_a_fork():
    done = subprocess.run(
        [sys.executable, "-c", HELD], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_cache_copied_in_the_middle_of_a_change_counts_anew():
    from visionrouter.cache import ResultCache

    cache = ResultCache()
    cache._bytes = 17
    cache.after_fork()
    assert cache.state.bytes == 0
