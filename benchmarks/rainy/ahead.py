"""Recording what the backends say in several processes at once, before the systems are run over it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from visionrouter.backends.profile import load_profile
from visionrouter.benchmarks.rainy.intervals import Bootstrap
from visionrouter.benchmarks.rainy.matrix import Matrix, open_matrix
from visionrouter.benchmarks.rainy.recorded import record
from visionrouter.benchmarks.rainy.store import Store
from visionrouter.benchmarks.rainy.systems import contenders
from visionrouter.benchmarks.rainy.trials import Bench
from visionrouter.schema.task import Task

SHARES = 3
"""Into how many parts a task is cut for each process, so that none waits long for the others."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is recorded, in words that another process can open again: see `open_matrix`."""

    profile: str
    data: str
    tasks: tuple[Task, ...]
    conditions: tuple[str, ...]
    scenes: int
    seed: int

    def matrix(self) -> Matrix:
        return open_matrix(
            self.data,
            frozenset(self.tasks),
            tasks=self.tasks,
            conditions=self.conditions,
            scenes=self.scenes,
            seed=self.seed,
        )


def record_ahead(
    what: Ahead, store: Path, jobs: int, progress: Callable[[str, int], Callable[[], None]]
) -> None:
    """Ask every backend every case, in `jobs` processes that write to one store. What is there already is not asked."""
    parts = jobs * SHARES
    tick = progress("recording", len(what.tasks) * parts)
    # started anew: weights and threads of this process do not survive a fork
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        asked = [
            pool.submit(_record, what, store, task, i, parts) for task in what.tasks for i in range(parts)
        ]
        for done in as_completed(asked):
            done.result()
            tick()


def _record(what: Ahead, store: Path, task: Task, first: int, of: int) -> None:
    """Every `of`-th case of a task, from the `first` on."""
    profile = load_profile(what.profile)
    with closing(Store(store)) as kept, ExitStack() as stack:
        backends = {n: b for n, b in record(profile, kept).items() if b.unavailable() is None}
        bench = Bench.of(profile, backends, Bootstrap())
        alone = [c for c in contenders(backends, ()) if c.kind == "alone"]
        routers = {c.name: stack.enter_context(bench.router(c, backends)) for c in alone}
        for case in islice(what.matrix().cases(task), first, None, of):
            marksman = bench.marksman(case)
            for contender in alone:
                if contender.fits(task, backends, bool(case.item.prompts)):
                    marksman.shoot(contender.name, routers[contender.name])
