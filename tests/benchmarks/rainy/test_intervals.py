"""Intervals are those of a bootstrap over scenes."""

import numpy as np
import pytest

from visionrouter.benchmarks.rainy.intervals import Bootstrap

RNG = np.random.default_rng(3)


def test_means_and_ratios_are_of_the_items_that_have_a_value():
    values = [0.1, 0.3, None, 0.2]
    found = Bootstrap(200).estimates(
        ["a", "b", "c", "d"],
        {"x": lambda i: values[i], "one": lambda i: 1.0, "none": lambda i: None},
        ratios={"share": ("x", "one")},
    )
    assert found["x"].value == pytest.approx(0.2)
    assert found["share"].value == pytest.approx(0.2)
    assert "none" not in found


def test_an_interval_over_scenes_is_wider_than_one_over_items_that_are_alike():
    scene = RNG.normal(0, 1, 12)
    values = np.repeat(scene, 20) + RNG.normal(0, 0.1, 240)
    of = {"x": lambda i: float(values[i])}
    by_scene = Bootstrap(500).estimates([str(i // 20) for i in range(240)], of)["x"]
    by_item = Bootstrap(500).estimates([str(i) for i in range(240)], of)["x"]
    assert by_scene.high - by_scene.low > 2.5 * (by_item.high - by_item.low)
    assert by_scene.low < values.mean() < by_scene.high


def test_the_interval_covers_as_it_says():
    inside = 0
    for trial in range(200):
        values = np.random.default_rng(trial).exponential(1.0, 40)
        found = Bootstrap(300, trial).estimates(
            [str(i) for i in range(40)], {"x": lambda i, v=values: float(v[i])}
        )["x"]
        inside += found.low <= 1.0 <= found.high
    assert 0.85 <= inside / 200 <= 0.99


def test_of_one_scene_there_is_no_interval():
    found = Bootstrap(200).estimates(["a", "a"], {"x": float})["x"]
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_weights_weigh():
    found = Bootstrap(200).estimates(["a", "b"], {"x": float}, [3.0, 1.0])["x"]
    assert found.value == pytest.approx(0.25)
