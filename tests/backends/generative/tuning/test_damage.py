"""Damage of training pictures: how many, of what kind, always within range."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visionrouter.backends.generative.tuning.damage import KINDS, damage, recolour

COUNT = 2 * len(KINDS)


@pytest.fixture
def rgb() -> torch.Tensor:
    return torch.rand(COUNT, 3, 40, 40, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def depth_m() -> torch.Tensor:
    depth_m = torch.full((COUNT, 40, 40), 12.0)
    depth_m[:, :10], depth_m[:, 10:12] = torch.inf, torch.nan
    return depth_m.half()


def damaged(rgb: torch.Tensor, depth_m: torch.Tensor, share: float, seed: int = 0) -> torch.Tensor:
    return damage(rgb, depth_m, share, np.random.default_rng(seed), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_asked_for_is_damaged(rgb: torch.Tensor, depth_m: torch.Tensor, share: float) -> None:
    out = damaged(rgb, depth_m, share)
    assert out.isfinite().all()
    assert 0 <= out.min() <= out.max() <= 1
    assert int((out != rgb).flatten(1).any(1).sum()) == round(share * COUNT)


def test_the_seed_decides(rgb: torch.Tensor, depth_m: torch.Tensor) -> None:
    assert torch.equal(damaged(rgb, depth_m, 0.7), damaged(rgb, depth_m, 0.7))
    assert not torch.equal(damaged(rgb, depth_m, 0.7), damaged(rgb, depth_m, 0.7, seed=1))


def test_fog_takes_the_far_more_than_the_near(rgb: torch.Tensor) -> None:
    depth_m = torch.full((COUNT, 40, 40), 2.0)
    depth_m[:, :, 20:] = 200
    fogged = KINDS["fog"](rgb, depth_m, torch.full((COUNT, 1, 1, 1), 0.5), torch.Generator())
    assert fogged[..., 20:].var() < 0.1 * fogged[..., :20].var()


@pytest.mark.parametrize("kind", ["soft", "moved", "coarse"])
def test_blurs_take_detail_and_keep_the_mean(rgb: torch.Tensor, depth_m: torch.Tensor, kind: str) -> None:
    blurred = KINDS[kind](rgb, depth_m, torch.full((COUNT, 1, 1, 1), 0.9), torch.Generator())
    assert blurred.var() < 0.7 * rgb.var()
    assert float(blurred.mean()) == pytest.approx(float(rgb.mean()), abs=0.02)


def test_recolouring_changes_all_pixels_of_a_picture_alike(rgb: torch.Tensor) -> None:
    flat = torch.ones_like(rgb) * torch.tensor([0.3, 0.5, 0.4])[:, None, None]
    out = recolour(flat, np.random.default_rng(0), 0.4)
    assert float((out.amax((2, 3)) - out.amin((2, 3))).max()) < 1e-6
    assert 0 < out.min() <= out.max() <= 1
    torch.testing.assert_close(recolour(rgb, np.random.default_rng(1), 0.0)[1:], rgb[1:], atol=0.2, rtol=0)
