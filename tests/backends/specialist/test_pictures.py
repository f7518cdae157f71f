"""Pictures to train on: boxes of what is seen, mirrors, zooms, and how they are kept."""

from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import pytest
import torch

from visionrouter.backends.generative.tuning.labelled import Labelled, Vocabulary
from visionrouter.backends.specialist.pictures import gather, mirrored, visible, zoomed
from visionrouter.schema.payload import boxes_of

VOCABULARY = Vocabulary(("sky", "road"), ("car", "person"), ("red",), 4)


@pytest.fixture
def some() -> Labelled:
    rng = np.random.default_rng(0)
    region = torch.ones(2, 32, 32, dtype=torch.uint8)
    for picture in range(2):
        for slot in range(3):
            x, y = rng.integers(0, 20, 2)
            region[picture, y : y + 11, x : x + 9] = VOCABULARY.first_object + slot
    return Labelled(
        rgb=region[:, None].expand(-1, 3, -1, -1) * 40,
        depth_m=torch.ones(2, 32, 32).half(),
        normals=torch.zeros(2, 3, 32, 32, dtype=torch.int8),
        region=region,
        thing=torch.tensor([[0, 1, 0, -1]] * 2, dtype=torch.int16),
        colour=torch.full((2, 4), -1, dtype=torch.int16),
        keypoints=torch.zeros(2, 4, 17, 3),
        answers=torch.ones(2, 6, dtype=torch.bool),
    )


def test_seen_boxes_are_those_of_the_masks(some: Labelled) -> None:
    boxes, pixels = visible(some.region, VOCABULARY)
    for picture in range(2):
        masks = np.stack([(some.region[picture] == VOCABULARY.first_object + k).numpy() for k in range(4)])
        assert (boxes[picture].numpy() == boxes_of(masks)).all()
        assert (pixels[picture].numpy() == masks.sum((1, 2))).all()


def test_a_mirror_turns_boxes(some: Labelled) -> None:
    before, _ = visible(some.region, VOCABULARY)
    after, pixels = visible(mirrored(some).region, VOCABULARY)
    seen = pixels > 0
    assert (after[seen][:, 0] == 32 - before[seen][:, 2]).all()


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_labels_follow_the_picture_that_is_zoomed(some: Labelled, factor: float) -> None:
    out = zoomed(some, factor, factor, torch.Generator().manual_seed(1))
    inside = out.region.float()
    agrees = (out.rgb[:, 0].float() - 40 * inside).abs() < 4
    assert agrees.float().mean() > 0.75
    assert (out.region > 0).float().mean() == pytest.approx(min(1.0, factor) ** 2, abs=0.02)
    if factor == 1:
        assert (out.region == some.region).all()


@dataclass(frozen=True)
class Counted:
    """A source that notes how often it is asked."""

    some: Labelled
    asked: list[int] = field(default_factory=list, repr=False)
    vocabulary: Vocabulary = VOCABULARY

    def __repr__(self) -> str:
        return "Counted()"

    def __len__(self) -> int:
        return len(self.some)

    def pictures(self, start: int, count: int, size: int, device: torch.device) -> Labelled:
        self.asked.append(start)
        return self.some[start : start + count]


def test_kept_pictures_are_not_made_twice(some: Labelled, tmp_path: Path) -> None:
    source = Counted(some)
    first = gather(source, 0, 2, 32, "cpu", tmp_path)
    again = gather(source, 0, 2, 32, "cpu", tmp_path)
    assert source.asked == [0]
    assert all(torch.equal(getattr(first, f.name), getattr(again, f.name)) for f in fields(Labelled))
    gather(source, 1, 1, 32, "cpu", tmp_path)
    assert source.asked == [0, 1]
