"""Images a second of a model: asked directly in whole batches, and through the router by as many callers at once.

    python -m visionrouter.benchmarks.backends.throughput [--only NAME ...] [--images 256] [--batch 8] [--device cuda]

Architectures are real-sized with random weights: nothing is fetched, and speed does not depend on what weights say.
The ratio tells what routing and micro-batching cost; the aim is 95 % and more on a GPU.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.benchmarks.backends.builders import BUILDERS as SPECIALISTS
from visionrouter.benchmarks.backends.builders import Builder
from visionrouter.benchmarks.backends.pipelines import PIPELINES
from visionrouter.router import Router
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.request import NO_PROMPTS, Prompts, Query
from visionrouter.schema.task import Instruction, Task

BUILDERS = {**SPECIALISTS, **PIPELINES}
SIZE = (640, 480)


@dataclass(frozen=True, slots=True)
class Speed:
    """Images a second, alone and through the router."""

    direct: float
    routed: float

    @property
    def ratio(self) -> float:
        return self.routed / self.direct


def measure(backend: Backend, task: Task, count: int) -> Speed:
    """Both speeds over `count` images, none of them twice, the better of two rounds each."""
    images = _images(count)
    prompts = _prompts() if task is Task.PROMPTABLE else NO_PROMPTS
    queries = [Query(task, image, prompts=prompts) for image in images]
    backend.load()
    direct = _best(lambda: _direct(backend, queries), count)
    with Router([backend]) as router:
        routed = _best(
            lambda: asyncio.run(_routed(router, images, task, prompts, backend.spec.batch_limit)), count
        )
    return Speed(direct, routed)


def _direct(backend: Backend, queries: Sequence[Query]) -> None:
    limit = backend.spec.batch_limit
    for first in range(0, len(queries), limit):
        backend.predict(queries[first : first + limit])


async def _routed(router: Router, images: Sequence[Image], task: Task, prompts: Prompts, limit: int) -> None:
    """Twice as many callers as a batch holds, so that the next one waits while one runs."""
    asked = Instruction(task, task.value)
    boxes = prompts.boxes.tolist() or None
    waiting = iter(images)

    async def caller() -> None:
        for image in waiting:
            result = await router.arun(image, asked, boxes=boxes)
            error = result.decision.attempts[0].error if result.decision.attempts else "no attempt was made"
            if error:
                raise RuntimeError(error)

    await asyncio.gather(*(caller() for _ in range(2 * limit)))


def _best(run: Callable[[], None], count: int) -> float:
    run()
    speeds = []
    for _ in range(2):
        gc.collect()
        start_s = time.perf_counter()
        run()
        speeds.append(count / (time.perf_counter() - start_s))
    return max(speeds)


def _images(count: int) -> list[Image]:
    width, height = SIZE
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return [load_image(np.roll(pixels, i, axis=1)) for i in range(count)]


def _prompts() -> Prompts:
    return Prompts(boxes=np.array([[100, 100, 400, 300]], np.float32))


def run(builder: Builder, device: str | None, batch: int, count: int, *, tiny: bool = False) -> Speed:
    """Make, measure and drop one model."""
    with tempfile.TemporaryDirectory() as folder:
        backend = builder.make(Path(folder), device, batch, tiny)
        try:
            return measure(backend, builder.task, count)
        finally:
            backend.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=sorted(BUILDERS), help="these rows alone")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", help="default: the first there is of cuda, mps, cpu")
    parser.add_argument("--tiny", action="store_true", help="small architectures, to see that it runs")
    given = parser.parse_args(arguments)
    print(f"{'images/s':<24} {'direct':>10} {'router':>10} {'ratio':>8}")
    for name in given.only or BUILDERS:
        speed = run(BUILDERS[name], given.device, given.batch, given.images, tiny=given.tiny)
        print(f"{name:<24} {speed.direct:>10.1f} {speed.routed:>10.1f} {speed.ratio:>8.1%}", flush=True)


if __name__ == "__main__":
    main()
