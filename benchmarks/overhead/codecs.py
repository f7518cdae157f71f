"""What the codes cost: time and peak memory of encoding and decoding, beside `hilbertmap`.

    python -m visionrouter.benchmarks.overhead.codecs [--height 1080] [--width 1920] [--repeats 15]

Times are medians over the repeats after one warm-up; memory is the peak of numpy's allocations over one call,
without the input, as tracemalloc sees it. The drawing is a smooth depth map, normal map or class map with 3 %
of noise.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.codecs.check import code_check
from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.instances import InstanceCode
from visionrouter.backends.generative.codecs.keypoints import KeypointCode
from visionrouter.backends.generative.codecs.normals import NormalCode
from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.palette import BLACK, separated_colours
from visionrouter.schema.task import PaletteEntry

_Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One measured call: median and least milliseconds, and peak megabytes allocated."""

    name: str
    median_ms: float
    least_ms: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.name:<40}{self.median_ms:>12.1f}{self.least_ms:>12.1f}{self.peak_mb:>12.0f}"


def measure(name: str, call: _Call, repeats: int) -> Row:
    """Time `call` `repeats` times after one warm-up, then trace its memory once."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    tracemalloc.start()
    try:
        call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Row(name, median(times), min(times), peak / 1e6)


def rows(height: int, width: int, repeats: int) -> list[Row]:
    """Every code at this size, then `hilbertmap` where it is installed (a third of the repeats: it is slow)."""
    rng = np.random.default_rng(0)
    depth_m = _road(height, width)
    depth = DepthCode()
    walk = depth.encode(depth_m)
    noisy = _noisy(walk, rng)
    normals = _sphere(height, width)
    normal = NormalCode()
    bumps = _noisy(normal.encode(normals), rng)
    discs = _discs(height, width)
    instance = InstanceCode()
    blobs = _noisy(instance.encode(discs), rng)
    pose, people = _people(height, width)
    joints = pose.encode(people, height, width, radius_px=max(2, height / 128))

    calls: list[tuple[str, _Call]] = [
        ("depth encode", partial(depth.encode, depth_m)),
        ("depth decode, clean", partial(depth.decode, walk)),
        ("depth decode, 3 % noise", partial(depth.decode, noisy)),
        ("normals encode", partial(normal.encode, normals)),
        ("normals decode, 3 % noise", partial(normal.decode, bumps)),
    ]
    for n in (2, 8, 16, 40):
        code = PaletteCode(tuple(PaletteEntry(colour.name, colour.rgb) for colour in separated_colours(n)))
        labels = (discs * np.arange(1, len(discs) + 1)[:, None, None]).max(0) % n
        classes = _noisy(code.encode(labels), rng)
        calls.append((f"palette encode, {n} colours", partial(code.encode, labels)))
        calls.append((f"palette decode, {n} colours, 3 % noise", partial(code.decode, classes)))
    calls += [
        (f"instances encode, {len(discs)}", partial(instance.encode, discs)),
        (f"instances decode, {len(discs)}, 3 % noise", partial(instance.decode, blobs)),
        (f"keypoints encode, {len(people)} people", partial(pose.encode, people, height, width, 8.0)),
        (f"keypoints decode, {len(people)} people", partial(pose.decode, joints)),
        ("code check, depth", partial(code_check, noisy, depth)),
    ]
    measured = [measure(name, call, repeats) for name, call in calls]
    try:
        import hilbertmap
    except ImportError:
        return measured
    few = max(1, repeats // 3)
    with np.errstate(divide="ignore"):
        return [
            *measured,
            measure(
                "hilbertmap encode",
                lambda: np.rint(hilbertmap.depth_to_rgb(depth_m) * 255).astype(np.uint8),
                few,
            ),
            measure("hilbertmap decode, no residual", lambda: hilbertmap.rgb_to_depth(walk / 255.0), few),
        ]


def machine() -> str:
    """The processor, its cores, the load, and the versions that matter."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        processor = models[0] if models else processor
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = [f"Python {platform.python_version()}"]
    for package in ("numpy", "scipy", "hilbertmap"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    return f"{processor}, {os.cpu_count()} cores{load}, {platform.system()}; {', '.join(versions)}"


def _noisy(drawing: U8, rng: np.random.Generator) -> U8:
    noise = rng.normal(0, 0.03 * 255, drawing.shape)
    return np.rint(drawing + noise).clip(0, 255).astype(np.uint8)


def _road(height: int, width: int) -> F32:
    """A ground plane under a sky, with waves, in metres."""
    ys, xs = np.mgrid[0:height, 0:width]
    below = ys / height - 0.4
    depth_m = np.where(below > 0, 1.5 / np.maximum(below, 1e-3), np.inf) * (1 + 0.1 * np.sin(9 * xs / width))
    return np.asarray(depth_m, np.float32)


def _sphere(height: int, width: int) -> F32:
    """Normals of a sphere that fills the image, none beyond it."""
    ys, xs = np.mgrid[0:height, 0:width]
    x, y = (2 * xs + 1 - width) / height, (height - 2 * ys - 1) / height
    z = np.sqrt(np.maximum(0, 1 - x * x - y * y))
    return np.asarray(np.stack([x, y, z], axis=-1) * (z > 0)[..., None], np.float32)


def _discs(height: int, width: int) -> Bool:
    ys, xs = np.mgrid[0:height, 0:width]
    centres = [(0.12, 0.3), (0.3, 0.6), (0.45, 0.25), (0.6, 0.65), (0.78, 0.35), (0.9, 0.8)]
    return np.stack([np.hypot(xs - x * width, ys - y * height) < 0.12 * height for x, y in centres])


def _people(height: int, width: int) -> tuple[KeypointCode, npt.NDArray[np.float64]]:
    names = ("head", "neck", "left hand", "right hand", "hip", "left foot", "right foot")
    colours = tuple(colour.rgb for colour in separated_colours(len(names), avoid=(BLACK,)))
    body = (
        np.array([(0, -0.2), (0, -0.14), (0.05, 0), (-0.05, 0), (0, 0), (0.03, 0.2), (-0.03, 0.2)]) * height
    )
    stand = np.array([(0.2, 0.5), (0.4, 0.55), (0.6, 0.45), (0.8, 0.5)]) * (width, height)
    return KeypointCode(names, colours, ((0, 1), (1, 2), (1, 3), (1, 4), (4, 5), (4, 6))), stand[
        :, None
    ] + body


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args(arguments)
    lines = [
        machine(),
        f"{options.height}x{options.width}, median of {options.repeats}",
        "",
        f"{'':<40}{'median ms':>12}{'least ms':>12}{'peak MB':>12}",
        *map(str, rows(options.height, options.width, options.repeats)),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
