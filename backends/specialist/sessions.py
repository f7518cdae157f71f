"""Opening ONNX graphs on the CPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from visionrouter.backends.libraries import require

if TYPE_CHECKING:
    import onnxruntime


def default_threads() -> int:
    """Two threads, or one on a machine with one core: more gain little on networks this small."""
    return min(2, os.cpu_count() or 1)


def open_session(path: Path, threads: int, backend: str) -> onnxruntime.InferenceSession:
    """An inference session of `threads` intra-op threads that sleep, not spin, between runs.

    Raises `MissingExtraError` where onnxruntime is not installed.
    """
    ort = require("onnxruntime", backend, "nano")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
