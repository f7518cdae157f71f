"""What a specialist was trained on is familiar to it, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
import torch

from visionrouter.backends.specialist.familiarity import Familiarity, pooled
from visionrouter.backends.specialist.sitting import save
from visionrouter.backends.specialist.trained import Trained
from visionrouter.schema.arrays import F32

MIX = np.random.default_rng(7).normal(size=(12, 12))


def rows(count: int, seed: int) -> F32:
    return (np.random.default_rng(seed).normal(size=(count, 12)) @ MIX + 5).astype(np.float32)


@pytest.fixture(scope="module")
def familiarity() -> Familiarity:
    return Familiarity.fit(rows(400, 0), rows(200, 1))


def test_unseen_pictures_of_the_kind_lie_within_one(familiarity: Familiarity) -> None:
    alike = np.array([familiarity.distance(row) for row in rows(400, 2)])
    assert (alike > 1).mean() < 0.05
    assert np.median(alike) < 0.9


def test_other_correlations_are_unfamiliar(familiarity: Familiarity) -> None:
    """Noise of the same mean and variance a channel."""
    noise = np.random.default_rng(3).normal(size=(50, 12)) * rows(400, 0).std(0) + rows(400, 0).mean(0)
    assert np.median([familiarity.distance(row.astype(np.float32)) for row in noise]) > 1


def test_features_are_means_and_deviations_of_maps() -> None:
    maps = torch.randn(3, 5, 6, 7)
    assert torch.allclose(pooled(maps)[:, :5], maps.mean((2, 3)), atol=1e-6)
    assert torch.allclose(pooled(maps)[:, 5:], maps.flatten(2).std(2), atol=1e-6)


def test_it_is_kept_beside_the_weights(familiarity: Familiarity, tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    save(network, tmp_path, "line", {}, familiarity)
    trained = Trained.read("line", tmp_path)
    again = trained.familiarity()
    assert again is not None
    row = rows(1, 4)[0]
    assert again.distance(row) == familiarity.distance(row)
    filled = trained.fill(lambda: torch.nn.Linear(3, 2))
    assert torch.allclose(filled.weight, network.weight, atol=1e-3)
