"""What a run shows while it goes: a line on the terminal, a JSON line a measurement, a sheet of drawings."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_WIDTH = 24


class Progress:
    """Metrics go to `metrics.jsonl` (one object a line, `step` and `seconds` in each) and, short, to the terminal."""

    def __init__(self, folder: Path, elapsed_s: float = 0.0) -> None:
        self._path = folder / "metrics.jsonl"
        self._start = time.monotonic() - elapsed_s

    @property
    def elapsed_s(self) -> float:
        """Seconds of the run so far, earlier sittings included."""
        return time.monotonic() - self._start

    def record(self, step: int, values: dict[str, float]) -> None:
        """Append a measurement."""
        line = {
            "step": step,
            "seconds": round(self.elapsed_s, 1),
            **{k: round(v, 5) for k, v in values.items()},
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def show(self, share: float, step: int, text: str) -> None:
        """Redraw the line: a bar, the step and a few figures."""
        full = round(_WIDTH * min(1.0, share))
        end = "\r" if sys.stderr.isatty() else "\n"
        bar = "#" * full + "." * (_WIDTH - full)
        sys.stderr.write(f"[{bar}] {share:4.0%} step {step} {self.elapsed_s:.0f}s {text}{end}")
        sys.stderr.flush()


def sheet(rows: list[Tensor], path: Path) -> None:
    """Write float (B, 3, H, W) batches in [0, 1] as a PNG: one batch a row."""
    from PIL import Image

    columns = min(len(row) for row in rows)
    lines = [torch.cat(list(row[:columns].cpu()), 2) for row in rows]
    picture = torch.cat(lines, 1).clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(picture.numpy())).save(path)
