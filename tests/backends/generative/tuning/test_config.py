"""Configuration files: read with care, every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionrouter.backends.generative.tuning.config import TuningConfig, read_yaml
from visionrouter.benchmarks.tuning.tune import RunConfig, tune_file
from visionrouter.schema.errors import RequestError


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "tuning:\n  seed: 5\n  stages:\n    - {share: 1, size: 128, batch: 8}\nscenes: {world: room}\n"
    )
    run = read_yaml(path, RunConfig)
    assert (run.tuning.seed, run.tuning.stages[0].size, run.scenes.world) == (5, 128, "room")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: 0\n", r"line 1: steps: .*greater than or equal to 1"),
        ("seed: 1\nbach: 3\n", r"line 2: bach: Extra inputs"),
        ("stages: [{share: 0.5, size: 64, batch: 2}]\n", r"add up to 0.5; make it 1"),
        ("stages: [{share: 1, size: 96, batch: 2}]\n", r"must divide picture_size"),
        ("seed: 1\nseed: 2\n", r"'seed' is given twice"),
        ("seed: [\n", r"is not valid YAML"),
        ("model: {kind: editor}\n", r"model.editor.folder"),
        ("", r"is empty"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(RequestError, match=said):
        read_yaml(path, TuningConfig)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no run .*run.yaml.*give a YAML file"):
        tune_file(tmp_path / "run.yaml", tmp_path)
