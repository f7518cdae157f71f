"""Corruptions of photos whose depth nobody knows: the same for the same arguments, worse with every severity."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.benchmarks.labelled import sheet
from visionrouter.benchmarks.labelled.condition import CORRUPTIONS, Condition, condition, damaged
from visionrouter.benchmarks.labelled.folder import FolderSource
from visionrouter.benchmarks.labelled.opening import open_source
from visionrouter.benchmarks.rainy.matrix import open_matrix
from visionrouter.benchmarks.rainy.run import Plan, run
from visionrouter.benchmarks.scenes import render_to_folder
from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import MissingExtraError, RequestError
from visionrouter.schema.image import load_image
from visionrouter.schema.task import Task

corruption = pytest.importorskip("visionrouter.benchmarks.labelled.corruption")
PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
WITHOUT_CHANCE = {"overcast", "dusk", "soft_focus"}


@pytest.fixture(scope="module", params=["china.jpg", "chelsea.jpg"])
def photo(request: pytest.FixtureRequest) -> U8:
    return np.ascontiguousarray(load_image(PHOTOS / request.param).pixels[::2, ::2])


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks without depth, as a user has them."""
    folder = tmp_path_factory.mktemp("photos")
    render_to_folder("street", 8, 40, folder, (64, 80))
    for known in ("depth", "exact"):
        shutil.rmtree(folder / known, ignore_errors=True)
    return folder


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_severity_more_is_further_from_the_photo(kind: str, photo: U8) -> None:
    before = photo.copy()
    off = [np.abs(corruption.corrupt(photo, kind, s).astype(int) - photo).mean() for s in range(1, 6)]
    assert off == sorted(set(off))
    assert 0.5 < off[0] < off[-1] < 140
    assert (photo == before).all()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_equal_arguments_give_equal_pixels_and_leave_chance_alone(kind: str, photo: U8) -> None:
    torch.manual_seed(3)
    first, state = corruption.corrupt(photo, kind, 3, seed=7), torch.get_rng_state()
    torch.manual_seed(3)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(4)
    assert (corruption.corrupt(photo, kind, 3, seed=7) == first).all()
    other = corruption.corrupt(photo, kind, 3, seed=8)
    assert (other == first).all() == (kind in WITHOUT_CHANCE)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(CORRUPTIONS),
    st.integers(1, 5),
    st.tuples(st.integers(1, 70), st.integers(1, 70)) | st.sampled_from([(1, 900), (700, 2)]),
)
def test_any_size_will_do(kind: str, severity: int, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    shown = corruption.corrupt(pixels, kind, severity)
    assert (shown.shape, shown.dtype) == (pixels.shape, np.uint8)


@pytest.mark.parametrize(("kind", "severity"), [("hail", 1), ("haze", 0), ("haze", 6)])
def test_what_there_is_not_is_refused(kind: str, severity: int) -> None:
    with pytest.raises(RequestError, match=r"choose one of|out of range"):
        corruption.corrupt(np.zeros((4, 4, 3), np.uint8), kind, severity)


def test_photos_without_depth_are_shown_under_them(labelled: Path) -> None:
    source = open_source(f"coco:{labelled}")
    assert isinstance(source, FolderSource)
    assert set(damaged(CORRUPTIONS)) < set(source.conditions)
    assert "fog3" not in source.conditions
    clean, *spoilt = source.items(Task.SEMANTIC, 1, conditions=("clean", "streaks3", "haze2"))
    for item, weather in zip(spoilt, ("rain", "fog"), strict=True):
        assert item.tags["weather"] == weather
        assert item.image.pixels.shape == clean.image.pixels.shape
        assert (item.image.pixels != clean.image.pixels).any()
        assert item.truth == clean.truth


def test_rendered_scenes_have_weather_by_depth_instead() -> None:
    assert not set(open_source("town").conditions) & set(damaged(CORRUPTIONS))


def test_without_its_library_a_corruption_that_is_named_says_what_to_install(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kornia", None)
    for loaded in [name for name in sys.modules if name.startswith("kornia.")]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.delitem(sys.modules, "visionrouter.benchmarks.labelled.corruption")
    able = frozenset({Task.SEMANTIC})
    for named in ("haze", "haze3"):
        with pytest.raises(MissingExtraError, match=r"needs kornia.*visionrouter\[photos\]"):
            open_matrix(f"coco:{labelled}", able, scenes=1, conditions=(named,))
    with pytest.raises(MissingExtraError, match=r"haze3 needs kornia.*visionrouter\[photos\]"):
        condition("haze3").show(np.zeros((8, 8, 3), np.uint8), None, 0)


@pytest.mark.parametrize("conditions", [(), ("damage",), ("3",)])
def test_without_its_library_all_others_are_shown(
    labelled: Path, monkeypatch: pytest.MonkeyPatch, conditions: tuple[str, ...]
) -> None:
    able = frozenset({Task.SEMANTIC})
    whole = open_matrix(f"coco:{labelled}", able, scenes=1, conditions=conditions)
    assert not whole.lacking
    monkeypatch.setitem(sys.modules, "kornia", None)
    matrix = open_matrix(f"coco:{labelled}", able, scenes=1, conditions=conditions)
    assert set(matrix.lacking) == set(CORRUPTIONS)
    kept = [c.name for c in whole.shown if c.kind not in CORRUPTIONS]
    assert [c.name for c in matrix.shown] == kept


@pytest.mark.parametrize("there", [True, False])
def test_a_run_over_photos_shows_them_or_says_why_not(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if not there:
        monkeypatch.setitem(sys.modules, "kornia", None)
    profile = tmp_path / "fakes.yaml"
    profile.write_text("schema_version: 1\nname: fakes\nbackends: {one: {use: fake}}\n")
    plan = Plan(
        str(profile), f"coco:{labelled}", ("default",), (Task.SEMANTIC,), ("3",), 1, plants=0, fault_rates=()
    )
    document = run(plan, tmp_path)
    answered = {score.condition for score in document.scores}
    assert ({f"{kind}3" for kind in CORRUPTIONS} <= answered) == there
    assert "glare3" in answered
    assert any("kornia is not installed" in note for note in document.notes) != there


def test_a_mistake_at_the_sheets_command_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"none\.jpg"):
        sheet.main([str(tmp_path / "none.jpg"), "--out", str(tmp_path / "sheet.jpg")])


def test_the_sheet_has_a_row_a_corruption(tmp_path: Path) -> None:
    sheet.main([str(PHOTOS / "china.jpg"), "--out", str(tmp_path / "sheet.png"), "--width", "32"])
    width, height = load_image(tmp_path / "sheet.png").size
    assert width == 5 * (32 + 2) - 2
    assert (height + 2) % len(CORRUPTIONS) == 0


def test_only_corruptions_need_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kornia", None)
    assert Condition("glare3", "glare", 3).lacks is None
