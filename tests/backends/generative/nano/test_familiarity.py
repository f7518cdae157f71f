from pathlib import Path

import numpy as np
import pytest

from visionrouter.backends.generative.nano.familiarity import FILE, Familiarity, shrunk_covariance
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import WeightsError


def features(n: int, seed: int) -> dict[str, F32]:
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(7).normal(size=(12, 12))
    return {
        kind: (rng.normal(size=(n, 12)) @ mix + offset).astype(np.float32)
        for kind, offset in (("depth", 0), ("pose", 50))
    }


@pytest.fixture(scope="module")
def fitted() -> Familiarity:
    return Familiarity.fit(features(400, 0))


def test_what_is_like_the_tuning_is_familiar_and_nothing_else(fitted: Familiarity) -> None:
    alike = [fitted.distance(kind, row) for kind, rows in features(400, 1).items() for row in rows]
    assert np.quantile(alike, 0.95) < 1
    assert np.mean(np.array(alike) > 1) < 0.04
    assert np.median(alike) < 0.8
    swapped = [fitted.distance("pose", row) for row in features(20, 2)["depth"]]
    assert min(swapped) > 2
    # white noise of the same variance a channel, but without the correlations
    unlike = np.random.default_rng(3).normal(size=(20, 12)) * features(400, 0)["depth"].std(0)
    assert np.median([fitted.distance("depth", row.astype(np.float32)) for row in unlike]) > 1


def test_covariance_is_ledoit_and_wolfs() -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    x = np.random.default_rng(0).normal(size=(40, 30)) * np.linspace(1, 3, 30)
    x -= x.mean(0)
    deviation = x.std(0)
    expected, _ = covariance.ledoit_wolf(x / deviation, assume_centered=True)
    assert shrunk_covariance(x) == pytest.approx(expected * np.outer(deviation, deviation), rel=1e-4)


def test_statistics_survive_their_file(fitted: Familiarity, tmp_path: Path) -> None:
    fitted.write(tmp_path)
    again = Familiarity.read(tmp_path)
    row = features(1, 5)["depth"][0]
    assert again.distance("depth", row) == fitted.distance("depth", row)
    assert again.layer == fitted.layer


@pytest.mark.parametrize("content", [None, b"", b"{}" * 20])
def test_a_missing_or_damaged_file_is_a_weights_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(WeightsError, match=FILE):
        Familiarity.read(tmp_path)
