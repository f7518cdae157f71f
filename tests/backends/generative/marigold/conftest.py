"""Marigold's real architecture at tiny size, and known pictures in its decoder's place."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_pipelines as tiny
import torch

from visionrouter.backends.generative.marigold.backend import Marigold


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A pipeline's folder, made once."""
    torch.set_num_threads(1)
    made: dict[str, str] = {}

    def make(kind: str) -> str:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            if kind in tiny.TARGETS:
                properties = tiny.TARGETS[kind]
                made[kind] = str(
                    tiny.marigold_intrinsics(properties, len(properties["target_names"]), folder)
                )
            else:
                made[kind] = str(tiny.tiny_vae(folder) if kind == "vae" else tiny.marigold(kind, folder))
        return made[kind]

    return make


Picture = Callable[[int, int], np.ndarray]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The pipeline runs whole but for its decoder, which gives known pictures, float (H, W, 3) in [-1, 1], in turn."""

    def planted(backend: Marigold, *pictures: Picture) -> None:
        backend.load()
        vae = backend._model.pipeline.vae
        real, given = vae.decode, [0]

        def decode(latents: torch.Tensor, **options: Any) -> Any:
            (made,) = real(latents, **options)
            known = []
            for _ in made:
                picture = pictures[given[0] % len(pictures)](*made.shape[2:])
                known.append(torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1))
                given[0] += 1
            return (torch.stack(known),)

        monkeypatch.setattr(vae, "decode", decode)

    return planted
