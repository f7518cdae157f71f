import pytest

from visionrouter.benchmarks.scenes import speed


def test_table_lists_every_world(capsys: pytest.CaptureFixture[str]) -> None:
    speed.main(["--size", "16", "--seconds", "0.1", "--batch", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("scenes a second at 16x16")
    assert [line.split()[1] for line in lines[2:6]] == ["street", "room", "table", "landscape"]
    for line in lines[2:]:
        sampling, rendering, both = map(float, line.split()[3:])
        assert both <= min(sampling, rendering)
        assert both > 0
