"""Train the proving ground's U-Net on rendered scenes.

python -m visionrouter.benchmarks.tuning.unet --out runs/unet --minutes 5
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from visionrouter.backends.specialist.unet.training import train
from visionrouter.benchmarks.tuning.source import SceneSource


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and metrics")
    parser.add_argument("--minutes", type=float, default=5.0, help="training time, without rendering")
    parser.add_argument("--pictures", type=int, default=8000, help="scenes to render and hold in memory")
    parser.add_argument("--size", type=int, default=256, help="side of a picture in pixels")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    source = SceneSource(first_seed=1 << 24)
    options = {k: v for k, v in vars(given).items() if k != "out"}
    for name, value in train(source, given.out, **options).items():
        print(f"{name:<20} {value:.4f}")


if __name__ == "__main__":
    main()
