"""A population whose truth is known: a signal, others that follow it or not, and the risk of each item."""

from dataclasses import dataclass

import numpy as np
import pytest

from visionrouter.confidence.scope import Digests, Scope
from visionrouter.schema.task import Task


@dataclass(frozen=True)
class Sample:
    rows: list[dict[str, float]]
    good: np.ndarray
    p_good: np.ndarray


def draw(n: int, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    trouble = rng.normal(size=n)
    p_good = 1 / (1 + np.exp(-(2 - 2 * trouble)))
    residual = np.exp(-4 + 0.8 * trouble)
    familiarity = 0.5 * trouble + rng.normal(size=n)
    noise = rng.random(n)
    rows = [
        {"code_residual": float(r), "familiarity": float(f), "noise": float(u), "always": 1.0}
        for r, f, u in zip(residual, familiarity, noise, strict=True)
    ]
    return Sample(rows, rng.random(n) < p_good, p_good)


@pytest.fixture(scope="session")
def calibration() -> Sample:
    return draw(1500, seed=0)


@pytest.fixture(scope="session")
def held_out() -> Sample:
    return draw(3000, seed=1)


@pytest.fixture(scope="session")
def scope() -> Scope:
    return Scope("nano", Task.DEPTH, "absrel", 0.1)


@pytest.fixture(scope="session")
def digests() -> Digests:
    return Digests("a" * 64, "b" * 64, "c" * 64, "d" * 64)
