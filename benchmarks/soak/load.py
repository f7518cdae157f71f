"""The traffic: callers in threads and on an event loop, who draw what they ask and with which fault."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from visionrouter.backends.faulty import Fault
from visionrouter.benchmarks.soak.router import DEADLY
from visionrouter.router import Router
from visionrouter.schema.errors import VisionRouterError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.task import Task

CAMERAS = ("north", "south", "east", "fast", "both")
WORDS: tuple[str | Task, ...] = (
    "find the dog",
    "depth map",
    "segment the cat",
    "how far is each dog",
    Task.NORMALS,
    Task.POSE,
    Task.CLASSIFY,
)
FAULT_RATE, DEADLY_RATE, MISTAKE_RATE, CANCEL_RATE = 0.05, 0.002, 0.01, 0.02
"""Shares of requests: with a fault, with one that costs a process its life, with a user's mistake, and, of those on the
event loop, given up by their caller."""
_MILD = tuple(fault for fault in Fault if fault not in DEADLY | {Fault.SWELL, Fault.CORRUPTED})
_PAUSE_S = 0.06
"""The longest that a caller waits before it asks again."""


@dataclass(slots=True)
class Tally:
    """What was put and what came of it. Each caller has its own; they are added up when all have ended."""

    put: int = 0
    cancelled: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    untyped: list[str] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return self.outcomes.total()

    @property
    def unanswered(self) -> int:
        """Requests of which nothing was heard: no result, no typed error."""
        return self.put - self.answered - self.errors.total() - self.cancelled

    def add(self, other: Tally) -> None:
        self.put += other.put
        self.cancelled += other.cancelled
        self.outcomes += other.outcomes
        self.errors += other.errors
        self.untyped += other.untyped

    def failed(self, error: BaseException) -> None:
        """A call that raised. What is no error of ours counts as unanswered."""
        if isinstance(error, VisionRouterError):
            self.errors[type(error).__name__] += 1
        else:
            self.untyped.append(f"{type(error).__name__}: {error}"[:200])


class Traffic:
    """`threads` callers that block and `coroutines` that await, on one loop, until `until_s` (monotonic seconds)."""

    def __init__(
        self, router: Router, seed: int, threads: int, coroutines: int, deadly_rate: float = DEADLY_RATE
    ) -> None:
        self._router = router
        self._deadly_rate = deadly_rate
        self._images = _images()
        self._tallies = [Tally() for _ in range(threads + coroutines)]
        self._randoms = [Random(f"{seed}/{i}") for i in range(threads + coroutines)]
        self._blocking, self._awaiting = range(threads), range(threads, threads + coroutines)
        self._running: list[threading.Thread] = []

    def start(self, until_s: float) -> None:
        for i in self._blocking:
            self._running.append(threading.Thread(target=self._block, args=(i, until_s), daemon=True))
        self._running.append(threading.Thread(target=lambda: asyncio.run(self._loop(until_s)), daemon=True))
        for thread in self._running:
            thread.start()

    def join(self, timeout_s: float) -> int:
        """Wait for every caller to end; how many threads of them have not."""
        until_s = time.monotonic() + timeout_s
        for thread in self._running:
            thread.join(max(0.0, until_s - time.monotonic()))
        return sum(thread.is_alive() for thread in self._running)

    def tally(self) -> Tally:
        total = Tally()
        for each in self._tallies:
            total.add(each)
        return total

    def _block(self, i: int, until_s: float) -> None:
        random, tally = self._randoms[i], self._tallies[i]
        while time.monotonic() < until_s:
            image, words, options = drawn(random, self._images, self._deadly_rate)
            tally.put += 1
            try:
                tally.outcomes[self._router.run(image, words, **options).outcome] += 1
            except BaseException as error:
                tally.failed(error)
            time.sleep(_PAUSE_S * random.random())

    async def _loop(self, until_s: float) -> None:
        await asyncio.gather(*(self._await(i, until_s) for i in self._awaiting))

    async def _await(self, i: int, until_s: float) -> None:
        random, tally = self._randoms[i], self._tallies[i]
        while time.monotonic() < until_s:
            image, words, options = drawn(random, self._images, self._deadly_rate)
            patience_s = 0.01 * random.random() if random.random() < CANCEL_RATE else None
            tally.put += 1
            try:
                async with asyncio.timeout(patience_s):
                    tally.outcomes[(await self._router.arun(image, words, **options)).outcome] += 1
            except TimeoutError:
                tally.cancelled += 1
            except BaseException as error:
                tally.failed(error)
            await asyncio.sleep(_PAUSE_S * random.random())


def drawn(
    random: Random, images: Sequence[Image], deadly_rate: float = DEADLY_RATE
) -> tuple[Image, str | Task, dict[str, Any]]:
    """The next request of a caller: picture, words, and the rest."""
    tags = {"camera": random.choice(CAMERAS)}
    drawn_fault = random.random()
    if drawn_fault < deadly_rate:
        tags["fault"] = random.choice(sorted(DEADLY))
    elif drawn_fault < max(FAULT_RATE, deadly_rate):
        tags["fault"] = random.choice(_MILD)
    deadline_ms = None if random.random() < 0.3 else random.choice((5.0, 50.0, 200.0, 1000.0))
    if random.random() < MISTAKE_RATE:
        deadline_ms = -1.0
    options = {
        "tags": tags,
        "deadline_ms": deadline_ms,
        "criticality": random.choice(("low", "normal", "high", "safety")),
        "seed": random.randrange(1000),
    }
    return random.choice(images), random.choice(WORDS), options


def _images() -> tuple[Image, ...]:
    noise = np.random.default_rng(0)
    return tuple(
        load_image(noise.integers(0, 256, (h, w, 3), np.uint8)) for h, w in ((48, 64), (96, 128), (240, 320))
    )
