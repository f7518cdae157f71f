"""The picture of the proving ground in the documentation: python -m visionrouter.benchmarks.scenes.sheet --out FILE.

Eight scenes of each world, then one scene under every damage.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from visionrouter.benchmarks.scenes.damage import DAMAGES, damage
from visionrouter.benchmarks.scenes.export import contact_sheet
from visionrouter.benchmarks.scenes.render import render
from visionrouter.benchmarks.scenes.vocabulary import WORLDS
from visionrouter.benchmarks.scenes.worlds import sample

COLUMNS = 8
SEVERITY = 3


def sheet(side: int, seed: int) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): a row a world, two rows of the first street scene, clean and under every damage."""
    rows = [render(sample(world, range(seed, seed + COLUMNS)), side, side) for world in WORLDS]
    one = render(sample("street", [seed + 1]), side, side)
    worn = [damage(one.rgb, one.depth_m, kind, SEVERITY, seed) for kind in DAMAGES]
    return contact_sheet(torch.cat([*(row.rgb for row in rows), one.rgb, *worn]), COLUMNS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    from PIL import Image

    parser = argparse.ArgumentParser(description="Draw the sheet of the proving ground.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=160, help="of one scene, in pixels")
    parser.add_argument("--seed", type=int, default=100)
    given = parser.parse_args(arguments)
    Image.fromarray(sheet(given.side, given.seed)).save(given.out, quality=85)


if __name__ == "__main__":
    main()
