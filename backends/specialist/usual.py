"""What pictures are usual to somebody, as a timm network's embeddings tell: measured once, the evidence of each answer.

python -m visionrouter.backends.specialist.usual --source ID_OR_FOLDER --images FOLDER --out usual.safetensors
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from visionrouter.backends.generative.nano.familiarity import HELD_OUT
from visionrouter.backends.specialist.familiarity import Familiarity
from visionrouter.backends.specialist.timm_model import TimmHub
from visionrouter.schema.errors import ImageError, VisionRouterError
from visionrouter.schema.image import Image, load_image

LEAST_PICTURES = 20
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def measure(backend: TimmHub, images: Sequence[Image]) -> Familiarity:
    """What the embeddings of usual pictures look like; every fourth is kept apart and sets the scale.

    Raises `ImageError` for fewer pictures than 20; some hundreds tell it well.
    """
    if len(images) < LEAST_PICTURES:
        raise ImageError(f"{len(images)} pictures; give {LEAST_PICTURES} or more, some hundreds tell it well")
    rows = backend.embed(images)
    unseen = [i % HELD_OUT == 0 for i in range(len(rows))]
    return Familiarity.fit(rows[[not held for held in unseen]], rows[unseen])


def main(words: Sequence[str] | None = None) -> None:
    """Measure what pictures are usual, for the param `usual` of the backend timm_hub."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--source", required=True, help="hub id or folder of the network, the backend's own")
    parser.add_argument("--images", type=Path, required=True, help="folder of usual pictures, some hundreds")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--device")
    given = parser.parse_args(words)
    try:
        paths = sorted(p for p in given.images.iterdir() if p.suffix.lower() in _ENDINGS)
        with TimmHub(source=given.source, device=given.device) as backend:
            measure(backend, [load_image(path) for path in paths]).write(given.out)
    except (VisionRouterError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
