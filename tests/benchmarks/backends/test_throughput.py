"""The throughput benchmark runs, at tiny size, and through the router it asks what it asks directly."""

from importlib.util import find_spec

import pytest

from visionrouter.benchmarks.backends.builders import BUILDERS
from visionrouter.benchmarks.backends.pipelines import PIPELINES
from visionrouter.benchmarks.backends.throughput import main, run


@pytest.mark.parametrize("name", ["SAM ViT-H", "Depth Anything ViT-L", "RT-DETRv2 R101"])
def test_a_row_is_measured(name: str) -> None:
    speed = run(BUILDERS[name], "cpu", batch=2, count=4, tiny=True)
    assert speed.direct > 0
    assert speed.routed > 0
    assert speed.ratio == speed.routed / speed.direct


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_is_measured(name: str) -> None:
    speed = run(PIPELINES[name], "cpu", batch=2, count=2, tiny=True)
    assert speed.direct > 0
    assert speed.routed > 0


@pytest.mark.skipif(find_spec("ultralytics") is None, reason="ultralytics is not installed")
def test_the_command_prints_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--only", "YOLO26x", "--tiny", "--images", "4", "--batch", "2", "--device", "cpu"])
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["images/s", "direct", "router", "ratio"]
    assert row.startswith("YOLO26x")
    assert row.endswith("%")
