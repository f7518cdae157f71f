"""A photo under every corruption, a row each, severities from left to right.

python -m visionrouter.benchmarks.labelled.sheet examples/photos/china.jpg --out docs/pictures/corruptions.jpg
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from visionrouter.benchmarks.labelled.condition import CORRUPTIONS, condition, damaged
from visionrouter.benchmarks.scenes import SEVERITIES
from visionrouter.benchmarks.scenes.export import contact_sheet
from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import VisionRouterError
from visionrouter.schema.image import load_image


def sheet(pixels: U8, seed: int = 0) -> U8:
    """uint8 (H, W, 3) of a photo, uint8 (h, w, 3). Raises `MissingExtraError` where kornia is not installed."""
    shown = [condition(name).show(pixels, None, seed) for name in damaged(CORRUPTIONS)]
    rgb = torch.from_numpy(np.stack(shown).astype(np.float32) / 255).permute(0, 3, 1, 2)
    return contact_sheet(rgb, SEVERITIES)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw a photo under every corruption.")
    parser.add_argument("photo", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=int, default=190, help="of one picture, in pixels")
    parser.add_argument("--seed", type=int, default=0)
    try:
        _draw(parser.parse_args(arguments))
    except VisionRouterError as error:
        sys.exit(str(error))


def _draw(given: argparse.Namespace) -> None:
    photo = Image.fromarray(load_image(given.photo).pixels)
    small = photo.resize((given.width, round(given.width * photo.height / photo.width)), Image.Resampling.BOX)
    Image.fromarray(sheet(np.asarray(small), given.seed)).save(given.out, quality=82)


if __name__ == "__main__":
    main()
