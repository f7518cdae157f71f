"""ONNX sessions end with their threads."""

from pathlib import Path

import pytest

from visionrouter.backends.specialist.movenet import MoveNet
from visionrouter.backends.specialist.nanodet import NanoDet

TASKS = Path("/proc/self/task")


@pytest.mark.skipif(not TASKS.is_dir(), reason="counts native threads through /proc")
@pytest.mark.parametrize("backend", [NanoDet, MoveNet])
def test_closing_ends_the_threads_of_a_session(backend: type[NanoDet] | type[MoveNet]) -> None:
    backend().load()  # what the library starts once and keeps
    before = len(list(TASKS.iterdir()))
    made = backend(threads=3)
    made.load()
    assert len(list(TASKS.iterdir())) > before
    made.close()
    assert len(list(TASKS.iterdir())) == before
