"""The far side: makes the backend from its recipe and answers for it until its parent closes or is gone."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from visionrouter.backends.isolation.arena import Arena
from visionrouter.backends.isolation.codec import Landing, Packer, unpack
from visionrouter.schema.errors import BackendError, VisionRouterError

if TYPE_CHECKING:
    from visionrouter.backends.base import Backend


def serve(control_fd: int, arena_fd: int, lifeline_fd: int) -> None:
    """Answer messages on `control_fd` (load, predict, close), one at a time, with arrays in the arena; ends the process."""
    _watch(lifeline_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it closes this side
    control, arena, landing = Connection(control_fd), Arena(arena_fd), Landing()
    backend: Backend | None = None
    while True:
        try:
            message = json.loads(control.recv_bytes())
        except EOFError:
            break
        if message["do"] == "close":
            if backend is not None:
                backend.close()
            break
        reply: dict[str, Any]
        try:
            if message["do"] == "load":
                backend = backend or _make(message["recipe"])
                backend.load()
                reply = {"ok": None}
            else:
                assert backend is not None
                reply = _answer(backend, message, arena, landing)
        except BaseException as error:
            spent = dict(error.spent) if isinstance(error, VisionRouterError) else {}
            reply = {"error": _name(error), "message": str(error), "spent": spent}
        control.send_bytes(json.dumps(reply).encode())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nothing is left to save, and libraries that hang while the interpreter ends cannot


def _make(recipe: dict[str, Any]) -> Backend:
    from visionrouter.backends.registry import Recipe

    return Recipe.from_plain(recipe).make()


def _answer(backend: Backend, message: dict[str, Any], arena: Arena, landing: Landing) -> dict[str, Any]:
    queries = unpack(message["queries"], landing.copy(arena.memory(message["size"]), message["size"]))
    predictions = tuple(backend.predict(queries))
    if len(predictions) != len(queries):
        raise BackendError(
            f"{backend.spec.name} gave {len(predictions)} predictions for {len(queries)} queries"
        )
    packer = Packer()
    form = packer.pack(predictions)
    packer.write(arena.memory(packer.size))
    reuse = backend.reuse
    kept = None if reuse is None else [reuse.hits, reuse.misses]
    return {"ok": form, "size": packer.size, "reuse": kept}


def _name(error: BaseException) -> str:
    """The nearest of the error's classes that the parent knows how to raise, its own name where there is none."""
    from visionrouter.backends.isolation.raising import RAISED

    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported for this
        return "ResourceError"
    return next(
        (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in RAISED), type(error).__name__
    )


def _watch(lifeline_fd: int) -> None:
    """End at once when the parent does, even in the middle of a prediction: only the parent holds the other end, and
    the kernel closes it for a killed parent too.

    A thread waits for that. On Linux the kernel also sends SIGIO, whose default is to end the process, should the
    backend hang without letting go of the interpreter's lock.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, os.O_ASYNC)

    def wait() -> None:
        os.read(lifeline_fd, 1)
        os._exit(1)

    threading.Thread(target=wait, name="visionrouter-lifeline", daemon=True).start()
