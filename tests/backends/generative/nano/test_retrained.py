"""A model of another shape, with another vocabulary, drops in after its familiarity was measured."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from visionrouter.backends.generative.nano.backend import NanoBackend
from visionrouter.backends.generative.nano.familiarity import main
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task


@pytest.fixture(scope="module")
def folder(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retrained") / "weights"
    shutil.copytree(tiny_folder, folder)
    names = {"stuff": ["sea"], "things": ["boat", "person"], "colours": ["red"], "max_classes": 2}
    (folder / "vocabulary.json").write_text(json.dumps(names))
    pictures = folder.parent / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for number in range(60):
        smooth = rng.uniform(90, 150, (3, 4, 3)).astype(np.uint8)
        Pillow.fromarray(smooth).resize((48, 40), Pillow.Resampling.BICUBIC).save(pictures / f"{number}.png")
    main(["--weights", str(folder), "--images", str(pictures)])
    return folder


def test_it_answers_and_knows_its_own_pictures(folder: Path) -> None:
    familiar = load_image(folder.parent / "pictures" / "7.png")
    odd = load_image(np.full((40, 48, 3), 255, np.uint8))
    with NanoBackend(folder=folder, device="cpu") as backend:
        assert backend.spec.labels == ("sea", "boat", "person")
        first, second = backend.predict([Query(Task.DEPTH, image) for image in (familiar, odd)])
        assert isinstance(first.payload, DepthMap)
        assert first.drawing is not None
        assert max(first.drawing.shape[:2]) == 64
        assert first.evidence.signals["familiarity"] < 1 < second.evidence.signals["familiarity"]
        with pytest.raises(UnsupportedTargetError, match="boat"):
            backend.predict([Query(Task.REFERRING, odd, (Target("car", "the car"),))])
