"""What docs/merging.md shows is what happens."""

import re
from pathlib import Path

import pytest

from visionrouter.backends.profile import load_profile
from visionrouter.merge.graft import LEAST_RING, Refusal

PAGE = (Path(__file__).parents[3] / "docs" / "merging.md").read_text(encoding="utf-8")


def test_the_example_gives_what_it_says():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names = {}
    exec(code, names)
    merged = names["merged"]
    assert merged.payload.boxes.tolist() == [pytest.approx([11.14, 10, 51.14, 50], abs=0.005)]
    assert merged.payload.scores == pytest.approx([0.7])
    assert merged.contributors.tolist() == [[True, True]]
    assert merged.element_sources.tolist() == [1]


def test_the_chains_load(tmp_path):
    (declared,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    path = tmp_path / "chains.yaml"
    path.write_text(f"schema_version: 1\nname: chains\n{declared}")
    assert {"cutout", "edged"} <= set(load_profile(path).backends)


def test_every_refusal_is_explained():
    assert all(f"`{refusal}`" in PAGE for refusal in Refusal)
    assert f"fewer than {LEAST_RING} pixels" in PAGE
