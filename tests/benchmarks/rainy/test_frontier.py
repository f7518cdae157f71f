"""The frontier: a gate that sees what is wrong earns what the oracle does, and one that sees nothing earns nothing."""

import json
import os
from pathlib import Path

import pytest

from visionrouter.benchmarks.rainy.frontier import sweep
from visionrouter.benchmarks.rainy.frontier_report import FrontierPlan, Study, _write, html, markdown, run
from visionrouter.benchmarks.rainy.store import FILE, Store
from visionrouter.schema.errors import RequestError
from visionrouter.schema.task import Task


@pytest.fixture
def cases(matrix):
    return list(matrix.cases(Task.DEPTH))


def test_a_signal_that_tells_the_error_earns_what_the_oracle_earns(bench, cases):
    found = sweep(bench, Task.DEPTH, cases, "sharp", "steady")
    assert found.first_utility == pytest.approx((0.01 + 0.09 + 0.17 + 0.25 + 0.25) / 5, abs=1e-4)
    assert found.second_utility == pytest.approx(0.08, abs=1e-4)
    (curve,) = found.curves
    assert (curve.signal, curve.side) == ("doubt", "max")
    assert curve.share == pytest.approx(1, abs=0.02)
    assert curve.area.low > 0
    assert min(y for _, y in found.oracle) == pytest.approx((0.01 + 4 * 0.08) / 5, abs=1e-4)
    assert [p.sent for p in curve.points] == sorted(p.sent for p in curve.points)
    assert min(p.cost for p in curve.points) == 1
    assert max(p.cost for p in curve.points) == 1 + 0.8 * 10


def test_a_signal_that_tells_nothing_earns_nothing(bench, seers, cases):
    seers["sharp"].honest = False
    found = sweep(bench, Task.DEPTH, cases, "sharp", "steady")
    assert found.curves[0].area.value == pytest.approx(0, abs=1e-6)
    assert found.oracle_area > 0.02


def test_a_signal_that_is_not_given_is_refused_by_name(bench, cases):
    with pytest.raises(RequestError, match=r"gives no residual for depth; it gives doubt"):
        sweep(bench, Task.DEPTH, cases, "sharp", "steady", ["residual"])


def test_the_pages_tell_the_area_and_draw_the_curves(bench, cases, tmp_path):
    study = Study((sweep(bench, Task.DEPTH, cases, "sharp", "steady"),), ("blunt is left out: no edge",))
    _write(study, tmp_path)
    told = json.loads((tmp_path / "frontier.json").read_text())
    assert told["tasks"][0]["curves"][0]["signal"] == "doubt"
    assert told["notes"] == ["blunt is left out: no edge"]
    text = markdown(study)
    assert text.endswith("- blunt is left out: no edge\n")
    assert "sharp alone 0.154, steady alone 0.080" in text
    assert "doubt, at most" in text
    page = html(study)
    assert "<li>blunt is left out: no edge</li>" in page
    assert page.count("<polyline") == 3
    assert "http" not in page.replace("http-equiv", "")
    assert "<ul>" not in html(Study(study.tasks))


def open_in(folder: Path) -> list[str]:
    """Files below a folder that this process holds open."""
    links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return [path for path in links if path.startswith(str(folder))]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells open files by /proc")
def test_a_sweep_that_fails_leaves_no_file_open(tmp_path):
    (tmp_path / "fakes.yaml").write_text(
        "schema_version: 1\nname: fakes\nbackends: {one: {use: fake}, other: {use: fake}}\n"
    )
    asked = {"conditions": ("clean",), "tasks": (Task.DEPTH,), "scenes": 1}
    plan = FrontierPlan(str(tmp_path / "fakes.yaml"), signals=("residual",), **asked)
    with pytest.raises(RequestError, match="one gives no residual"):
        run(plan, tmp_path)
    assert (tmp_path / "predictions" / FILE).is_file()
    assert open_in(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells open files by /proc")
def test_a_file_that_is_no_store_is_refused_and_not_held_open(tmp_path):
    (tmp_path / FILE).write_text("notes on predictions, in words" * 99)
    with pytest.raises(RequestError, match="is no store of predictions"):
        Store(tmp_path)
    assert open_in(tmp_path) == []
