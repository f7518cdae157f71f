"""Training in one sitting or many: the same end, by steps or by time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from visionrouter.backends.generative.tuning import checkpoint
from visionrouter.backends.specialist.sitting import LossOfStep, Sitting, fit
from visionrouter.schema.errors import RequestError, WeightsError

WEIGHTS = torch.tensor([[2.0], [-1.0]])


class KilledError(Exception):
    """What ends a run between two steps."""


def sitting(folder: Path, **options: float) -> Sitting:
    whole = {"pictures": 1, "size": 8, "batch": 16, "rate": 0.05, "checkpoint_minutes": 0.0, **options}
    return Sitting(folder=folder, **whole)  # type: ignore[arg-type]


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))


def loss_of(some: torch.nn.Module, killed_at: int | None = None) -> LossOfStep:
    calls = 0

    def loss(rng: np.random.Generator, noise: torch.Generator) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == killed_at:
            raise KilledError
        xs = torch.randn(16, 2, generator=noise) + torch.as_tensor(rng.normal(size=2), dtype=torch.float32)
        return (some(xs) - xs @ WEIGHTS).square().mean()

    return loss


def test_killed_and_resumed_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, broken = network(), network()
    assert fit(whole, loss_of(whole), sitting(tmp_path / "whole", steps=12)) == 12
    with pytest.raises(KilledError):
        fit(broken, loss_of(broken, killed_at=8), sitting(tmp_path / "broken", steps=12))
    resumed = network()
    assert fit(resumed, loss_of(resumed), sitting(tmp_path / "broken", steps=12)) == 12
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_average_of_the_weights_finds_the_answer(tmp_path: Path) -> None:
    line = network()
    before = loss_of(line)(np.random.default_rng(0), torch.Generator()).item()
    fit(line, loss_of(line), sitting(tmp_path, steps=300, checkpoint_minutes=9.0))
    assert not line.training
    assert loss_of(line)(np.random.default_rng(0), torch.Generator()).item() < 0.1 * before


def test_a_run_by_time_ends_and_counts_earlier_sittings(tmp_path: Path) -> None:
    line = network()
    steps = fit(line, loss_of(line), sitting(tmp_path, minutes=0.005))
    assert steps is not None
    assert steps > 1
    assert fit(line, loss_of(line), sitting(tmp_path, minutes=0.005)) == steps
    found = checkpoint.load(tmp_path, Sitting.digest_of(sitting(tmp_path, minutes=1.0), line))
    assert found is not None
    assert found[0].elapsed_s >= 0.3


def test_what_is_frozen_stays(tmp_path: Path) -> None:
    line = network()
    line.get_parameter("1.bias").requires_grad_(False)
    before = line.get_parameter("1.bias").clone()
    fit(line, loss_of(line), sitting(tmp_path, steps=3))
    assert torch.equal(line.get_parameter("1.bias"), before)


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    line = network()
    fit(line, loss_of(line), sitting(tmp_path, steps=2))
    with pytest.raises(WeightsError, match="another configuration"):
        fit(line, loss_of(line), sitting(tmp_path, steps=4, rate=0.1))


def test_no_number_stops_the_run(tmp_path: Path) -> None:
    line = network()
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        fit(line, lambda *_: line(torch.ones(2, 2)).sum() * torch.nan, sitting(tmp_path, steps=60))


def test_minutes_end_a_sitting_of_a_run_by_steps(tmp_path: Path) -> None:
    line = network()
    assert fit(line, loss_of(line), sitting(tmp_path, steps=5, minutes=0.0)) is None
    assert fit(line, loss_of(line), sitting(tmp_path, steps=5, minutes=9.0)) == 5


def test_a_length_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="how long"):
        sitting(tmp_path)
