"""The frontier: a gate that sees what is wrong earns what the oracle does, and one that sees nothing earns nothing."""

import json

import pytest

from visionrouter.benchmarks.rainy.frontier import sweep
from visionrouter.benchmarks.rainy.frontier_report import _write, html, markdown
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
    found = (sweep(bench, Task.DEPTH, cases, "sharp", "steady"),)
    _write(found, tmp_path)
    assert json.loads((tmp_path / "frontier.json").read_text())[0]["curves"][0]["signal"] == "doubt"
    text = markdown(found)
    assert "sharp alone 0.154, steady alone 0.080" in text
    assert "doubt, at most" in text
    page = html(found)
    assert page.count("<polyline") == 3
    assert "http" not in page.replace("http-equiv", "")
