"""The channels-last group normalisation is PyTorch's own, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from visionrouter.backends.generative.tuning.channels_last import use_channels_last


@pytest.mark.parametrize(("groups", "channels", "shape"), [(4, 12, (5, 7)), (32, 96, (4, 4)), (1, 3, (1, 9))])
def test_same_values_and_gradients(groups: int, channels: int, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    plain = nn.GroupNorm(groups, channels)
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    ours = nn.GroupNorm(groups, channels)
    ours.load_state_dict(plain.state_dict())
    use_channels_last(nn.Sequential(ours))
    seen = 3 * torch.randn(2, channels, *shape) + 1
    toward = torch.randn_like(seen)
    outcomes = []
    for norm in (plain, ours):
        x = seen.clone().requires_grad_()
        y = norm(x)
        (y * toward).sum().backward()
        outcomes.append((y, x.grad, norm.weight.grad, norm.bias.grad))
    for expected, got in zip(*outcomes, strict=True):
        torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)
    assert ours(seen).is_contiguous(memory_format=torch.channels_last)
