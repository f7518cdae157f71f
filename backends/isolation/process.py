"""One child process, seen from its parent: started, asked, watched, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.spawn import get_executable
from pathlib import Path
from time import perf_counter
from typing import Any

from visionrouter.backends.base import Reuse
from visionrouter.backends.isolation.arena import Arena
from visionrouter.backends.isolation.codec import Landing, Packer, unpack
from visionrouter.backends.isolation.raising import raised
from visionrouter.schema.errors import CrashedError, HungError, MemoryCapError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

_LOOK_S = 0.05
"""How often a child at work is looked after: whether it lives, and what it holds in memory."""
_MOST_BYTES = 1 << 28
"""The longest header an answer may have; its arrays are not in it."""
_BOOT = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from visionrouter.backends.isolation.child import serve
serve(*map(int, sys.argv[2:]))
"""


class Child:
    """A fresh interpreter (never a fork, so that CUDA and threads here do not harm it) that serves one backend.

    It does not import the program's `__main__`, so a script needs no guard. It leads a process group of its own, and
    `kill` ends all of it. It ends by itself when this process does.
    """

    def __init__(self, recipe: Mapping[str, Any], name: str) -> None:
        self.name = name
        self.reuse: Reuse | None = None
        self._recipe = dict(recipe)
        self._arena = Arena()
        ours, theirs = socket.socketpair()
        read_fd, self._lifeline_fd = os.pipe()
        passed = (theirs.fileno(), self._arena.fd, read_fd)
        path = json.dumps([str(entry) or os.getcwd() for entry in sys.path])
        try:
            self._process = subprocess.Popen(
                [os.fsdecode(get_executable()), "-c", _BOOT, path, *map(str, passed)],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a backend prints must not get between the answers on stdout
                pass_fds=passed,
                process_group=0,
            )
        finally:
            theirs.close()
            os.close(read_fd)
        self._control = Connection(ours.detach())
        self._finalizer = weakref.finalize(
            self, _end, self._process, self._control, self._arena, self._lifeline_fd, os.getpid()
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def load(self, limit_s: float, memory_limit_mb: float | None) -> None:
        """Have it make its backend and read the weights."""
        self._ask({"do": "load", "recipe": self._recipe}, limit_s, memory_limit_mb)

    def predict(
        self, queries: Sequence[Query], limit_s: float, memory_limit_mb: float | None
    ) -> tuple[Prediction, ...]:
        """Its answers. Raises what its backend raised, or `HungError`, `CrashedError`, `MemoryCapError` for its end."""
        packer = Packer()
        form = packer.pack(tuple(queries))
        packer.write(self._arena.memory(packer.size))
        reply = self._ask({"do": "predict", "queries": form, "size": packer.size}, limit_s, memory_limit_mb)
        predictions: tuple[Prediction, ...] = unpack(
            reply["ok"], Landing().copy(self._arena.memory(reply["size"]), reply["size"])
        )
        kept = reply["reuse"]
        self.reuse = None if kept is None else Reuse(*kept)
        return predictions

    def resident_mb(self) -> float:
        """What it holds in memory now, in MB (10^6 bytes); 0 where it has ended."""
        try:
            if sys.platform == "linux":
                pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
                return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
            told = subprocess.run(
                ["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, text=True, check=False
            )
            return float(told.stdout or 0) * 1024 / 1e6
        except (OSError, ValueError):
            return 0.0

    def close(self, timeout_s: float) -> None:
        """Let it close its backend and go; kill it where it does not in time."""
        if not self._finalizer.alive:
            return
        try:
            self._control.send_bytes(b'{"do": "close"}')
            self._process.wait(timeout_s)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self._finalizer()

    def kill(self) -> None:
        """End it now, with whatever it started. Safe from any thread: a call under way then raises `CrashedError`."""
        _kill(self._process)

    def forget(self) -> None:
        """Let go of a child that belongs to the process this one was forked from; it is not ended."""
        self._finalizer()

    def _ask(self, message: dict[str, Any], limit_s: float, memory_limit_mb: float | None) -> dict[str, Any]:
        until_s = perf_counter() + limit_s
        try:
            self._control.send_bytes(json.dumps(message).encode())
            while not self._control.poll(max(0.0, min(_LOOK_S, until_s - perf_counter()))):
                self._look(until_s, limit_s, memory_limit_mb)
            reply: dict[str, Any] = json.loads(self._control.recv_bytes(_MOST_BYTES))
        except (EOFError, OSError, ValueError) as error:
            self.kill()
            raise CrashedError(f"{self.name}: its process {self._how_it_ended()}") from error
        if "error" in reply:
            raise raised(reply["error"], reply["message"], reply["spent"])
        return reply

    def _look(self, until_s: float, limit_s: float, memory_limit_mb: float | None) -> None:
        if self._process.poll() is not None and not self._control.poll():
            raise EOFError
        if perf_counter() >= until_s:
            self.kill()
            raise HungError(f"{self.name}: no answer within {limit_s * 1000:.0f} ms; its process was killed")
        if memory_limit_mb is not None and (held := self.resident_mb()) > memory_limit_mb:
            self.kill()
            raise MemoryCapError(
                f"{self.name}: its process held {held:.0f} MB, over the cap of {memory_limit_mb:.0f}; it was killed"
            )

    def _how_it_ended(self) -> str:
        code = self._process.returncode
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        name = signal.Signals(-code).name
        return f"was ended by {name}" + (
            " (as when the system is out of memory)" if name == "SIGKILL" else ""
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
        process.wait()


def _end(
    process: subprocess.Popen[bytes], control: Connection, arena: Arena, lifeline_fd: int, owner: int
) -> None:
    if os.getpid() == owner:
        _kill(process)
    else:
        process.returncode = 0  # the parent's child: not ours to wait for
    control.close()
    os.close(lifeline_fd)
    arena.close()
