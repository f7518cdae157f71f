"""A source of labelled pictures that costs nothing: boxes of plain colours on a floor under a sky."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from visionrouter.backends.generative.tuning.config import NanoModel, Stage, TuningConfig, Wording
from visionrouter.backends.generative.tuning.labelled import TASKS, Labelled, Vocabulary

PAINTS = torch.tensor([[200, 30, 30], [30, 160, 40], [30, 60, 200]], dtype=torch.uint8)
VOCABULARY = Vocabulary(("sky", "floor"), ("person", "car", "cup"), ("red", "green", "blue"), 3)


@dataclass(frozen=True)
class Boxes:
    """Up to three boxes a picture; `person` boxes hold keypoints on a line from head to foot."""

    vocabulary: Vocabulary = VOCABULARY

    def __len__(self) -> int:
        return 10_000

    def pictures(self, start: int, count: int, size: int, device: torch.device) -> Labelled:
        parts = [self._one(start + i, size) for i in range(count)]
        fields = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
        return Labelled(**fields).to(device)

    def _one(self, seed: int, size: int) -> dict[str, torch.Tensor]:
        g = torch.Generator().manual_seed(seed)
        region = torch.full((size, size), 1, dtype=torch.uint8)
        region[size // 2 :] = 2
        depth = torch.full((size, size), torch.inf)
        depth[size // 2 :] = 20.0 - 15 * torch.arange(size - size // 2)[:, None] / size
        rgb = torch.full((3, size, size), 180, dtype=torch.uint8)
        rgb[:, size // 2 :] = 90
        thing = torch.full((3,), -1, dtype=torch.int16)
        colour = torch.full((3,), -1, dtype=torch.int16)
        keypoints = torch.zeros(3, 17, 3)
        for k in range(int(torch.randint(1, 4, (1,), generator=g))):
            thing[k] = torch.randint(0, 3, (1,), generator=g)[0]
            colour[k] = torch.randint(0, 3, (1,), generator=g)[0]
            w = int(torch.randint(size // 8, size // 4, (1,), generator=g))
            x, y = (int(v) for v in torch.randint(0, size - size // 4, (2,), generator=g))
            region[y : y + w, x : x + w] = 3 + k
            depth[y : y + w, x : x + w] = 2.0 + k
            rgb[:, y : y + w, x : x + w] = PAINTS[int(colour[k]), :, None, None]
            if thing[k] == 0:
                keypoints[k, :, 0] = x + w / 2
                keypoints[k, :, 1] = torch.linspace(y + 1, y + w - 1, 17)
                keypoints[k, :, 2] = 2
        normals = torch.zeros(3, size, size, dtype=torch.int8)
        normals[2, size // 2 :] = 127
        answers = torch.ones(len(TASKS), dtype=torch.bool)
        return {
            "rgb": rgb, "depth_m": depth.half(), "normals": normals, "region": region, "thing": thing,
            "colour": colour, "keypoints": keypoints, "answers": answers,
        }  # fmt: skip


@pytest.fixture(scope="session")
def boxes() -> Boxes:
    return Boxes()


@pytest.fixture
def tiny() -> TuningConfig:
    """A run of seconds on one core."""
    return TuningConfig(
        model=NanoModel(channels=(8, 16), text_levels=1, text_width=16, text_layers=1, norm_groups=4),
        steps=12,
        stages=(Stage(share=0.5, size=16, batch=12), Stage(share=0.5, size=32, batch=12)),
        wording=Wording(depth=2, normals=2, semantic=2, referring=2, instance=2, pose=2),
        pictures=12,
        held_out=6,
        picture_size=32,
        warmup_steps=3,
        learning_rate=3e-3,
        average_decay=0.9,
        log_every=4,
    )
