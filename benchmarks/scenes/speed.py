"""Scenes a second on this machine: python -m visionrouter.benchmarks.scenes.speed [--size 256] [--seconds 20]."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import torch

from visionrouter.benchmarks.scenes.render import render
from visionrouter.benchmarks.scenes.vocabulary import WORLDS
from visionrouter.benchmarks.scenes.worlds import sample


@dataclass(frozen=True)
class Pace:
    """Measured rates in scenes a second."""

    device: str
    world: str
    batch: int
    sampling: float
    rendering: float

    @property
    def both(self) -> float:
        """Drawing the parameters and rendering, one after the other."""
        return 1 / (1 / self.sampling + 1 / self.rendering)


def _finish(device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def usual_batch(size: int, device: str) -> int:
    """Scenes at a time: what fills a GPU, and little on the CPU, where batches gain nothing."""
    return 16 if device == "cpu" else max(1, min(1024, 64 * 256 * 256 // (size * size)))


def measure(world: str, size: int, device: str, seconds: float, batch: int) -> Pace:
    """Sample and render batches of one world until `seconds` have passed, after one warm-up batch."""
    render(sample(world, range(batch), device=device), size, size)
    sampled = rendered = 0.0
    done = 0
    while sampled + rendered < seconds:
        start = _finish(device)
        scenes = sample(world, range(done, done + batch), device=device)
        middle = _finish(device)
        render(scenes, size, size)
        sampled += middle - start
        rendered += _finish(device) - middle
        done += batch
    return Pace(device, world, batch, done / sampled, done / rendered)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each device, shared by the worlds")
    parser.add_argument("--batch", type=int, help="scenes at a time; by default what suits the device")
    options = parser.parse_args(arguments)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    sys.stdout.write(
        f"scenes a second at {options.size}x{options.size}, {torch.get_num_threads()} CPU threads\n"
    )
    sys.stdout.write(f"{'device':8}{'world':12}{'batch':>7}{'sample':>10}{'render':>10}{'both':>10}\n")
    for device in devices:
        for world in WORLDS:
            batch = options.batch or usual_batch(options.size, device)
            pace = measure(world, options.size, device, options.seconds / len(WORLDS), batch)
            sys.stdout.write(
                f"{device:8}{world:12}{pace.batch:7d}{pace.sampling:10.1f}{pace.rendering:10.1f}{pace.both:10.1f}\n"
            )


if __name__ == "__main__":
    main()
