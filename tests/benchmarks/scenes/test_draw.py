import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.benchmarks.scenes.draw import POOL, Draw

KEYS = st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=6, unique=True)


@given(KEYS, st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_a_key_draws_the_same_whatever_stands_beside_it(keys: list[int], pick: int) -> None:
    pick %= len(keys)
    together, alone = Draw(torch.tensor(keys)), Draw(torch.tensor([keys[pick]]))
    for count in (1, 3, POOL, POOL + 5, 2):
        assert torch.equal(together.unit(count)[pick], alone.unit(count)[0])
    assert torch.equal(together.fork(7).normal(4)[pick], alone.fork(7).normal(4)[0])


def test_draws_are_uniform_and_independent() -> None:
    draw = Draw(torch.arange(4000))
    first, second = draw.unit(2).unbind(-1)
    assert 0 <= float(first.min()) < 0.01
    assert 0.99 < float(first.max()) < 1
    counts = torch.histc(first, 10, 0, 1)
    assert float(((counts - 400) ** 2 / 400).sum()) < 30  # chi square, 9 degrees of freedom, p < 0.001
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.06
    assert abs(float(torch.corrcoef(torch.stack([first[:-1], first[1:]]))[0, 1])) < 0.06


def test_choices_follow_their_weights() -> None:
    chosen = Draw(torch.arange(5000)).choose([1.0, 0.0, 3.0], 1)
    share = torch.bincount(chosen.flatten(), minlength=3) / 5000
    assert share[1] == 0
    assert abs(float(share[2]) - 0.75) < 0.03
