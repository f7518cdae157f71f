"""What this process holds, sampled."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visionrouter.schema.errors import MissingExtraError


@dataclass(frozen=True, slots=True)
class Held:
    """`rss_mb`: resident memory in 10^6 bytes. `descriptors`: 0 where the system does not tell."""

    at_s: float
    rss_mb: float
    threads: int
    processes: int
    descriptors: int

    @staticmethod
    def now() -> Held:
        """Raises `MissingExtraError` without psutil."""
        process = _psutil().Process()
        descriptors = process.num_fds() if hasattr(process, "num_fds") else 0
        return Held(
            time.monotonic(),
            process.memory_info().rss / 1e6,
            threading.active_count(),
            len(process.children(recursive=True)),
            descriptors,
        )

    def leaks(self, before: Held) -> tuple[str, ...]:
        """What is held of threads, processes and descriptors now and was not `before`, in words."""
        names = ("threads", "processes", "descriptors")
        return tuple(
            f"{name}: {getattr(before, name)} before, {getattr(self, name)} after"
            for name in names
            if getattr(self, name) > getattr(before, name)
        )


def settled(before: Held, timeout_s: float = 5.0) -> Held:
    """What is held once it is no more than `before`, or when the time is up: what ends takes a moment to be gone."""
    until_s = time.monotonic() + timeout_s
    while (held := Held.now()).leaks(before) and time.monotonic() < until_s:
        gc.collect()
        time.sleep(0.05)
    return held


def growth_mb(samples: Sequence[Held]) -> float:
    """How much more memory the last quarter of the samples holds than the second one, at their medians."""
    rss = [sample.rss_mb for sample in samples]
    quarter = max(1, len(rss) // 4)
    return float(np.median(rss[-quarter:]) - np.median(rss[quarter : 2 * quarter] or rss[:1]))


def slope_mb_per_minute(samples: Sequence[Held]) -> float:
    """The slope of memory over the samples but their first quarter, by least squares."""
    after = samples[len(samples) // 4 :]
    if len(after) < 2:
        return 0.0
    at = np.array([sample.at_s for sample in after])
    return float(np.polyfit((at - at[0]) / 60, [sample.rss_mb for sample in after], 1)[0])


def _psutil() -> Any:
    try:
        import psutil
    except ImportError as error:
        raise MissingExtraError("psutil is not installed; pip install psutil") from error
    return psutil
