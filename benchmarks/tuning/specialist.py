"""Train a specialist of the proving ground on rendered scenes.

    python -m visionrouter.benchmarks.tuning.specialist unet --out runs/unet --minutes 60

Run again with the same folder, it goes on where it was killed. `unet` learns depth, normals and classes, `sam` masks
of boxes and points, `yolo` boxes of things.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from visionrouter.backends.specialist.sitting import Sitting
from visionrouter.benchmarks.tuning.source import SceneSource

FIRST_SEED = 1 << 24
"""First seed of the scenes learnt from: apart from the backbone's, and from those that are judged."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What suits a specialist: the room that trains it, pictures a step, peak rate, weight decay."""

    room: str
    batch: int
    rate: float
    weight_decay: float


RECIPES = {
    "unet": Recipe("unet", 12, 8e-4, 0.01),
    "sam": Recipe("sam_tiny", 12, 8e-4, 0.05),
    "yolo": Recipe("scene_yolo", 32, 2e-3, 5e-4),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Train a specialist of the proving ground on rendered scenes."
    )
    parser.add_argument("which", choices=RECIPES)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run: checkpoint, weights, card"
    )
    parser.add_argument(
        "--minutes", type=float, help="training time, all sittings together, without rendering"
    )
    parser.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--pictures", type=int, default=5000, help="scenes to render and hold in memory")
    parser.add_argument("--held-out", type=int, default=256, help="scenes rendered for the metrics")
    parser.add_argument("--size", type=int, default=128, help="side of a picture in pixels")
    parser.add_argument("--batch", type=int, help="pictures a step")
    parser.add_argument("--rate", type=float, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args(arguments)
    recipe = RECIPES[given.which]
    sitting = Sitting(
        folder=given.out,
        minutes=given.minutes,
        steps=given.steps,
        pictures=given.pictures,
        held_out=given.held_out,
        size=given.size,
        batch=given.batch or recipe.batch,
        rate=given.rate or recipe.rate,
        weight_decay=recipe.weight_decay,
        device=given.device,
        seed=given.seed,
    )
    training = importlib.import_module(f"visionrouter.backends.specialist.{recipe.room}.training")
    for name, value in training.train(SceneSource(first_seed=FIRST_SEED), sitting).items():
        sys.stdout.write(f"{name:<20} {value:.4f}\n")


if __name__ == "__main__":
    main()
