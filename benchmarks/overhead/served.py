"""The served path: a fake model inside LitServe, called as it is and through a router, over HTTP on loopback.

    python -m visionrouter.benchmarks.overhead.served

visionrouter has no server of its own: this is what it adds inside somebody else's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

from visionrouter.benchmarks.overhead.http import Load, load, ready
from visionrouter.benchmarks.overhead.timing import Timing, heading, machine, timing

PATHS = {
    "LitServe": "/plain",
    "LitServe + visionrouter, worker": "/routed",
    "LitServe + visionrouter, inline": "/inline",
}
APP = "visionrouter.benchmarks.overhead.litserve_app"


def is_here() -> bool:
    """Whether litserve is installed."""
    return find_spec("litserve") is not None


def served(n: int, repeats: int, many: int) -> list[Timing]:
    """A row for each path, in turns within each repeat, `many` requests at a time."""
    runs: dict[str, list[Load]] = {name: [] for name in PATHS}
    with _server() as port:
        for _ in range(repeats + 1):
            for name, path in PATHS.items():
                runs[name].append(asyncio.run(load(port, path, n, many)))
    return [
        timing(f"{many} at a time, {name}", [r.taken_us for r in got[1:]], [r.per_s for r in got[1:]])
        for name, got in runs.items()
    ]


def ratio(alone: Timing, routed: Timing) -> str:
    """What the router makes of the median."""
    return (
        f"{routed.name:<44} p50 x {routed.p50 / alone.p50:.2f} ({routed.p50 - alone.p50:+.0f} microseconds)"
    )


@contextmanager
def _server() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", APP, str(port)], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for path in PATHS.values():
            asyncio.run(ready(port, path))
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with its workers, which outlive its own end
        process.wait()


def report(n: int, repeats: int) -> Iterator[str]:
    """The table, line by line."""
    yield heading(rate="requests/s")
    for many in (1, 64):
        alone, *routed = served(n, repeats, many)
        yield from map(str, (alone, *routed))
        yield from (ratio(alone, row) for row in routed)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=250, help="requests a repeat")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args(arguments)
    if not is_here():
        sys.exit("litserve is not installed; pip install 'visionrouter[bench]'")
    print(f"{machine('litserve', 'numpy', 'pydantic')}\n")
    for line in report(options.n, options.repeats):
        print(line)


if __name__ == "__main__":
    main()
