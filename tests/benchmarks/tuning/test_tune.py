"""Runs from files: the package's own, wrong ones, specialists', and the check of instructions."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionrouter.benchmarks.tuning.tune import check_file, read_run, recipes, tune_file
from visionrouter.schema.errors import RequestError

TINY_UNET = "specialist: {kind: unet, steps: 4, pictures: 4, held_out: 4, picture_size: 32, batch: 2}"


def test_runs_of_the_package_go_by_name() -> None:
    assert recipes() == ("nano", "sam", "unet", "yolo")
    for name in recipes():
        run = read_run(name)
        assert (run.specialist is None) == (name == "nano")
        assert run.specialist is None or run.specialist.kind == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("specialist: {kind: unet}\ntuning: {}", "one model"),
        ("specialist: {kind: unet, batches: 3}", "batches"),
        ("scenes: {first_seed: 1000000000}", "first_seed"),
    ],
)
def test_a_wrong_file_is_named(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(RequestError, match=says):
        read_run(tmp_path / "run.yaml")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(RequestError, match="nano, sam, unet, yolo"):
        read_run("nanno")


def test_a_specialist_is_trained_in_as_many_sittings_as_it_takes(tmp_path: Path) -> None:
    pytest.importorskip("segmentation_models_pytorch")
    (tmp_path / "run.yaml").write_text(TINY_UNET)
    run = tmp_path / "run"
    assert tune_file(tmp_path / "run.yaml", run, minutes=1e-9, device="cpu") is None
    assert not (run / "unet.json").exists()
    assert tune_file(tmp_path / "run.yaml", run, device="cpu") == run
    assert (run / "unet.json").is_file()


def test_instructions_are_checked_without_training(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "tuning: {pictures: 2, held_out: 1, picture_size: 64, stages: [{size: 64}]}"
    )
    text, clean = check_file(tmp_path / "run.yaml", 2)
    assert text.startswith("checked: depth 8, normals 8")
    assert clean, (
        "scenes have no mistakes in their labels, though the code may not hold their smallest things"
    )
    (tmp_path / "unet.yaml").write_text(TINY_UNET)
    with pytest.raises(RequestError, match="specialist"):
        check_file(tmp_path / "unet.yaml", 2)
